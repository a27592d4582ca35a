package auth

// Canonicalized headers are sorted by name, and shipped clients sort in two ways: by bytes, or as
// Windows cultures do, which is the order of the service itself. The second has two levels. The
// first ignores hyphen and apostrophe; punctuation comes before digits and digits before letters.
// On the second, hyphen and apostrophe decide by where they stand.

// cultureRanks lists the characters of header names in their first-level order. Other characters
// rank lowest, but are not ignored.
const cultureRanks = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz"

// cultureRank is the first-level weight of each character; 0 for those that the first level skips.
var cultureRank = func() (rank [256]byte) {
	for i := range rank {
		rank[i] = 1
	}
	for i, c := range []byte(cultureRanks) {
		rank[c] = byte(i) + 2
		if 'a' <= c && c <= 'z' {
			rank[c&^0x20] = byte(i) + 2
		}
	}
	rank['-'], rank['\''] = 0, 0
	return rank
}()

// compareCulture orders header names, in any case, as Windows cultures do.
func compareCulture(a, b string) int {
	i, j := 0, 0
	for {
		for i < len(a) && cultureRank[a[i]] == 0 {
			i++
		}
		for j < len(b) && cultureRank[b[j]] == 0 {
			j++
		}
		switch {
		case i == len(a) && j == len(b):
			return compareMarks(a, b)
		case i == len(a):
			return -1
		case j == len(b):
			return 1
		}
		if d := int(cultureRank[a[i]]) - int(cultureRank[b[j]]); d != 0 {
			return d
		}
		i++
		j++
	}
}

// compareMarks orders names that differ at most in hyphens and apostrophes: the one that has such a
// mark first comes last, and an apostrophe before a hyphen.
func compareMarks(a, b string) int {
	for i := range min(len(a), len(b)) {
		if d := markRank(a[i]) - markRank(b[i]); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

func markRank(c byte) int {
	switch c {
	case '\'':
		return 1
	case '-':
		return 2
	}
	return 0
}

// compareBytes orders header names by the bytes of their lower-case form.
func compareBytes(a, b string) int {
	for i := range min(len(a), len(b)) {
		if d := int(lower(a[i])) - int(lower(b[i])); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
