package blob

import "strings"

// Tier is an access tier: how a blob is kept and billed. The zero value stands for none.
type Tier uint8

// The tiers. Those of block blobs come first, then those of page blobs in order of size.
const (
	TierHot Tier = iota + 1
	TierCool
	TierCold
	TierArchive // can't be read until it is rehydrated
	TierSmart   // moves between the first three by itself
	TierP4
	TierP6
	TierP10
	TierP15
	TierP20
	TierP30
	TierP40
	TierP50
	TierP60
	TierP70
	TierP80
)

var tierNames = [...]string{"", "Hot", "Cool", "Cold", "Archive", "Smart",
	"P4", "P6", "P10", "P15", "P20", "P30", "P40", "P50", "P60", "P70", "P80"}

// String returns the name on the wire; empty for none.
func (t Tier) String() string { return tierNames[min(int(t), len(tierNames)-1)] }

// MarshalText is String.
func (t Tier) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// AppendText is MarshalText onto b.
func (t Tier) AppendText(b []byte) ([]byte, error) { return append(b, t.String()...), nil }

// ParseTier reads a name, whatever its letter case; ok is false if there is no such tier.
func ParseTier(name string) (t Tier, ok bool) {
	for i := 1; i < len(tierNames); i++ {
		if strings.EqualFold(tierNames[i], name) {
			return Tier(i), true
		}
	}
	return 0, false
}

// Fits reports whether blobs of a type can be in the tier. Append blobs have none.
func (t Tier) Fits(b Type) bool {
	switch b {
	case BlockBlob:
		return t >= TierHot && t <= TierSmart
	case PageBlob:
		return t >= TierP4 && t <= TierP80
	}
	return false
}

// Limit returns the size in bytes of the largest page blob in the tier.
func (t Tier) Limit() int64 {
	gib := [...]int64{32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32767}
	if t < TierP4 || t > TierP80 {
		return 0
	}
	return gib[t-TierP4] << 30
}

// TierState is what is kept about the tier of a blob. The zero value is that of a blob
// whose tier nobody has set.
type TierState struct {
	Tier    Tier `cbor:"1,keyasint,omitempty"`
	Changed Time `cbor:"2,keyasint,omitempty"` // when Tier was set
	// Target is the tier to which the blob is on its way out of the archive, and Done when
	// it arrives there. Nothing happens at that time: what a record says is judged by
	// the clock.
	Target Tier `cbor:"3,keyasint,omitempty"`
	Done   Time `cbor:"4,keyasint,omitempty"`
	Urgent bool `cbor:"5,keyasint,omitempty"` // with high priority
}

// At returns the state at a time: one whose rehydration is over is simply in its new tier.
func (s TierState) At(now Time) TierState {
	if s.Target != 0 && now >= s.Done {
		return TierState{Tier: s.Target, Changed: s.Done}
	}
	return s
}

// InferredTier returns the tier of a blob for which none was set: Hot for block blobs, and for page
// blobs, where those have tiers, the smallest that is large enough.
func (b *Blob) InferredTier(pageTiers bool) Tier {
	switch {
	case b.Type == BlockBlob:
		return TierHot
	case b.Type != PageBlob || !pageTiers:
		return 0
	}
	for t := TierP4; t < TierP80; t++ {
		if b.Size <= t.Limit() {
			return t
		}
	}
	return TierP80
}
