package envinfo_test

import (
	"os/exec"
	"strings"
	"testing"
)

// What a reader sees of each package with go doc fits a screen.
func TestDocsFitAScreen(t *testing.T) {
	const screen = 50
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 12 {
		t.Fatalf("packages %v", packages)
	}
	for _, name := range packages {
		doc, err := exec.Command("go", "doc", name).Output()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := strings.Count(string(doc), "\n"); n > screen {
			t.Errorf("go doc %s has %d lines", name, n)
		}
		if !strings.Contains(string(doc), "\nPackage ") {
			t.Errorf("%s does not say what it is", name)
		}
	}
}
