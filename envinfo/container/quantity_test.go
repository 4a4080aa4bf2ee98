package container

import "testing"

func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"1500m", "64Gi", "1e3", "inf", "0x1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseQuantity(s); err == nil && !(n >= 0) {
			t.Errorf("%q is %v", s, n)
		}
	})
}
