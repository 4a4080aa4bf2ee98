package fact

import "testing"

// What is recorded reads back as itself, although it is cleaned again then.
func FuzzCleanTwice(f *testing.F) {
	for _, s := range []string{
		"hf_AbCdEfGhIjKlMnOp", "https://u:p@h", "Bearer abcdefghij", "Bearer\nabcdefghij", "Authorization:\r0",
		"-----BEGIN PRIVATE KEY-----",
		"Basic dXNlcjpodW50ZXIy", "eyJhbGciOiJI.abc", "\x00hf_Ab1cde\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Clean(s)
		if twice := Clean(once); twice != once {
			t.Errorf("%q: %q then %q", s, once, twice)
		}
	})
}
