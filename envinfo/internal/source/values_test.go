package source

import (
	"bytes"
	"testing"
)

func FuzzList(f *testing.F) {
	f.Add("0-63,128-191")
	f.Add("3-1")
	f.Add("\x00") // as the kernel ends some of its files
	f.Add("0-18446744073709551615,,")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseList(s)
		if n < 0 || n > maxProcessor+1 || err == nil && n == 0 && trim([]byte(s)) != "" {
			t.Errorf("%q are %d, %v", s, n, err)
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add([]byte("always [madvise] never"))
	f.Add([]byte("0.20 0.18 0.12 1/80 11206"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseChoice(b); err == nil && !bytes.Contains(b, []byte("["+s+"]")) {
			t.Errorf("choice %q", s)
		}
		if x, err := ParseNumbers(b, 3); err == nil && !(x[0] >= 0 && x[1] >= 0 && x[2] >= 0) {
			t.Errorf("numbers %v", x)
		}
	})
}

// Masks and lists of the same processors are the same.
func TestListOf(t *testing.T) {
	for _, test := range []struct{ file, text, want string }{
		{"cpulist", "0-3,8\n", "0-3,8"},
		{"core_cpus_list", "0,4\n\x00", "0,4"},
		{"cpumap", "00000000,0000ff01\n", "0,8-15"},
		{"core_cpus", "00000003,00000000,00000001\n", "0,64-65"},
		{"thread_siblings", "ff\x00", "0-7"},
		{"cpumap", "0\n", ""},
		{"core_siblings", "80000000,00000000", "63"},
	} {
		if got, err := ListOf("sys/x/"+test.file, []byte(test.text)); got != test.want || err != nil {
			t.Errorf("%s %q is %q, %v; want %q", test.file, test.text, got, err, test.want)
		}
	}
	for file, text := range map[string]string{
		"cpumap": "0-3", "core_cpus_list": "ff", "core_cpus": "1ffffffff", "cpulist": "3-1",
	} {
		if got, err := ListOf(file, []byte(text)); err == nil {
			t.Errorf("%s %q is %q", file, text, got)
		}
	}
}

func FuzzListOf(f *testing.F) {
	f.Add("cpumap", []byte("00000000,0000ff01\n"))
	f.Add("cpulist", []byte("0-3\x00"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		list, err := ListOf(name, b)
		if err != nil {
			return
		}
		n, err := ParseList(list)
		if again, bad := ListOf("cpulist", []byte(list)); err != nil || bad != nil || again != list || n < 0 {
			t.Errorf("%q in %q is %q: %d, %v, %v", b, name, list, n, err, bad)
		}
	})
}
