package blob

import (
	"fmt"
	"strings"
)

const containerName = "@container"

// tagParser reads expressions over tags by recursive descent. The first error stays in err, and from then on every token is the end.
type tagParser struct {
	scan      tagScanner
	token     tagToken
	where     bool // the form of Find Blobs by Tags
	operators int
	err       error
}

func (p *tagParser) next() {
	if p.err == nil {
		p.token, p.err = p.scan.next()
	}
	if p.err != nil {
		p.token = tagToken{}
	}
}

func (p *tagParser) fail(wanted string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s expected at character %d", wanted, p.token.at+1)
	}
	p.token = tagToken{}
}

func (p *tagParser) expectEnd() {
	if p.token.kind != tagEnd {
		p.fail("AND or the end of the expression")
	}
}

// operator consumes a keyword if it is next, and counts it.
func (p *tagParser) operator(keyword string) bool {
	if p.token.kind != tagWord || !strings.EqualFold(p.token.text, keyword) {
		return false
	}
	if p.operators++; p.operators > maxTagOperators && p.err == nil {
		p.err = fmt.Errorf("more than %d logical operators", maxTagOperators)
	}
	p.next()
	return true
}

func (p *tagParser) any(depth int) tagNode {
	n := p.all(depth)
	for p.operator("OR") {
		n = tagOr{n, p.all(depth)}
	}
	return n
}

func (p *tagParser) all(depth int) tagNode {
	n := p.term(depth)
	for p.operator("AND") {
		n = tagAnd{n, p.term(depth)}
	}
	return n
}

func (p *tagParser) term(depth int) tagNode {
	if p.token.kind != tagSign || p.token.text != "(" {
		return p.comparison()
	}
	if depth == maxTagNesting {
		p.fail(fmt.Sprintf("at most %d nested parentheses", maxTagNesting))
		return tagComparison{}
	}
	p.next()
	n := p.any(depth + 1)
	if p.token.kind != tagSign || p.token.text != ")" {
		p.fail("a closing parenthesis")
	}
	p.next()
	return n
}

func (p *tagParser) comparison() (c tagComparison) {
	switch {
	case p.token.kind == tagQuoted || p.token.kind == tagWord && p.token.text[0] != '@':
		c.key = p.token.text
		if c.key == "" || len(c.key) > MaxTagKey || !tagText(c.key) {
			p.fail("the name of a tag")
		}
	case p.token.kind == tagWord && p.where && p.token.text == containerName:
		c.key = containerName
	default:
		p.fail("the name of a tag")
	}
	p.next()
	switch c.operator = p.token.text; {
	case p.token.kind != tagSign || strings.Contains("()", c.operator):
		p.fail("an operator")
	case p.where && (c.operator == "<>" || c.key == containerName && c.operator != "="):
		p.fail("another operator")
	}
	p.next()
	if p.token.kind != tagValue {
		p.fail("a value in single quotes")
	}
	c.value = p.token.text
	p.next()
	return c
}

type tagKind uint8

const (
	tagEnd    tagKind = iota
	tagWord           // letters, digits and underscores, perhaps after @; never empty
	tagQuoted         // in double quotes
	tagValue          // in single quotes
	tagSign           // an operator or a parenthesis
)

type tagToken struct {
	kind tagKind
	text string // without quotes
	at   int    // offset of its first byte
}

type tagScanner struct {
	text string
	at   int
}

// next returns the next token. The error says what can't begin or does not end.
func (s *tagScanner) next() (tagToken, error) {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	at := s.at
	if at == len(s.text) {
		return tagToken{at: at}, nil
	}
	rest := s.text[at:]
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		return s.quoted(c)
	case strings.IndexByte("=()", c) >= 0:
		return s.take(tagSign, 1), nil
	case c == '<' || c == '>':
		if len(rest) > 1 && (rest[1] == '=' || c == '<' && rest[1] == '>') {
			return s.take(tagSign, 2), nil
		}
		return s.take(tagSign, 1), nil
	case c == '@' || wordByte(c) && (c < '0' || c > '9'):
		n := 1
		for n < len(rest) && wordByte(rest[n]) {
			n++
		}
		return s.take(tagWord, n), nil
	}
	return tagToken{}, fmt.Errorf("unexpected text at character %d", at+1)
}

func (s *tagScanner) take(kind tagKind, n int) tagToken {
	t := tagToken{kind, s.text[s.at : s.at+n], s.at}
	s.at += n
	return t
}

// quoted reads up to the closing quote; a doubled one stands for itself within single quotes.
func (s *tagScanner) quoted(quote byte) (tagToken, error) {
	t := tagToken{kind: tagQuoted, at: s.at}
	s.at++
	var b strings.Builder
	for {
		n := strings.IndexByte(s.text[s.at:], quote)
		if n < 0 {
			return tagToken{}, fmt.Errorf("the quote at character %d is not closed", t.at+1)
		}
		b.WriteString(s.text[s.at : s.at+n])
		s.at += n + 1
		if quote == '"' || s.at == len(s.text) || s.text[s.at] != quote {
			break
		}
		b.WriteByte(quote)
		s.at++
	}
	if quote == '\'' {
		t.kind = tagValue
	}
	t.text = b.String()
	return t, nil
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
