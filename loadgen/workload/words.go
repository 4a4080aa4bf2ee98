package workload

import "strings"

// A Calibration is what makes a text of so many words a prompt of so many tokens, for one model behind one endpoint.
// It is for [RandomWords]; a target's package finds it, by asking the server.
type Calibration struct {
	// Words are of one token each, in whichever order and wherever in a text they stand, the space in front included.
	Words []string

	// Overhead is how many tokens a prompt has beside those of its words: what the chat template adds, or a token at
	// the start.
	Overhead int
}

// CommonWords are those to try for a [Calibration]: the likeliest to be one token each come first.
func CommonWords() []string { return append(words[:len(words):len(words)], moreWords...) }

// words are common enough to be one token each for most tokenizers.
var words = strings.Fields(`time year day man woman child world life hand part place case week work home water room
	fact month book eye job word side kind head house page night point city line name team hour game car body back
	door art war party end law air force power money road light heart form music food state north south east west`)

// moreWords are tried where a small vocabulary has too few of the words: the commonest of the language, which are among
// the first that are merged into tokens.
var moreWords = strings.Fields(`the of and to in is that for it as with on by at from or an be this are not but his her they
	we you all which one had have has was were will more when who so no if out up about into than them can only other new
	some could these two may then do first any my now such like our over me most made after also did many must under
	a b c d e f g h i j k l m n o p q r s t u v w x y z`)
