package source

import "testing"

// What tools print is a value or not; a name that begins like a refusal is a name.
func TestNoAnswer(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "N/A": true, " n/a ": true, "[Not Supported]": true, "[N/A]": true, "Unknown": true, "ERR!": true,
		"Not Found": true,
		"AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported": true, "RSMI_STATUS_PERMISSION: denied": true,
		"Deprecated, see CUDA UMD version": true, "Unable to determine": true,
		"Requested functionality has been deprecated": true, "N/A (virtual function)": true,
		"AMD Instinct MI300X": false, "NVIDIA A100": false, "Nano": false, "Navi 31": false, "580.82.07": false,
		"Enabled": false, "Disabled": false, "0x74b9": false,
	} {
		if got := NoAnswer(text); got != want {
			t.Errorf("NoAnswer(%q) = %v", text, got)
		}
	}
	for text, want := range map[string]bool{
		"6.16.6": true, "26.2.0+021c61fc": true, "1:6.12.12.60402-2187269~24.04": true, "v1.30.1+k3s1": true,
		"6.8.0-60-generic": true,
		"6":                true, "2.26.6-HEAD:f224e2c": true, "": false, "latest": false, "6.4 and newer": false,
		"-1":     false,
		"6..":    false,
		"<html>": false,
	} {
		if _, got := Version(text, "host", "x").Get(); got != want {
			t.Errorf("%q is a version: %v", text, got)
		}
	}
}
