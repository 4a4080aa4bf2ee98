package compare

// Codes of the warnings about a comparison.
const (
	WarnSame    = "same-experiment"   // one experiment is on both sides
	WarnDiffers = "conditions-differ" // what forbids a comparison was told to be ignored
)

// Codes are the codes of the warnings of this package. Beside them a comparison has [protocol.WarnWithinServer] and
// [protocol.WarnIncomplete], of its sides.
func Codes() []string { return []string{WarnDiffers, WarnSame} }
