// Package secrettest has secrets to plant where they may be read, for tests that none of them leaves.
package secrettest

// Planted are secrets of all kinds, each what it looks like where it stands (Text) and the part of it that must not
// come out (Secret). All are made up.
var Planted = []struct {
	Text, Secret string
	Shaped       bool // a secret by its shape, whatever is around it
}{
	{"hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345678", "AbCdEfGh", true},
	{"hf_Short1x", "Short1x", true},
	{"sk-AbCdEf0123456789", "AbCdEf0123", true},
	{"sk-proj-AbCd_Ef-0123456789", "AbCd_Ef", true},
	{"sk-ant-api03-AbCdEf0123", "api03-AbCdEf", true},
	{"ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", true},
	{"gho_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", true},
	{"ghs_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "AbCdEfGh", true},
	{"github_pat_11AbCdEf0_GhIjKl", "AbCdEf0", true},
	{"glpat-AbCdEf0123456789_xyz", "AbCdEf01", true},
	{"xoxb-123456789012-AbCdEfGh", "123456789012", true},
	{"nvapi-AbCdEf0123456789AbCdEf", "AbCdEf01", true},
	{"dckr_pat_AbCdEf0123456789AbC", "AbCdEf01", true},
	{"npm_AbCdEf0123456789AbCdEf0123456789", "AbCdEf01", true},
	{"gsk_AbCdEf0123456789AbCdEf", "AbCdEf01", true},
	{"AKIAABCDEFGHIJKLMNOP", "ABCDEFGHIJ", true},
	{"ASIAABCDEFGHIJKLMNOP", "ABCDEFGHIJ", true},
	{"AIzaSyAbCdEf0123456789AbCdEf0123456789", "SyAbCdEf", true},
	{"sk_live_AbCdEf0123456789", "AbCdEf01", true},
	{"SG.AbCdEf0123456789AbCd.AbCdEf0123456789AbCd", "AbCdEf01", true},
	{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJoaWRkZW4ifQ.c2lnbmF0dXJl", "eyJzdWIi", true},
	{"Bearer AbCdEf0123456789", "AbCdEf01", true},
	{"Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy", true},
	{"https://user:hunter2@example.org/x", "hunter2", true},
	{"redis://:hunter2@10.0.0.1:6379/0", "hunter2", true},
	{"http://proxyuser:hun@ter2@proxy:3128", "ter2", true},
	{"-----BEGIN RSA PRIVATE KEY-----MIIEhunter2-----END RSA PRIVATE KEY-----", "MIIEhunter2", true},
	{"-----BEGIN OPENSSH PRIVATE KEY-----b3Blhunter2", "b3Blhunter2", true},
	{"Authorization:hunter2", "hunter2", true},
	{"Proxy-Authorization:hunter2", "hunter2", true},

	{"token=hunter2", "hunter2", false},
	{"my.api_key=hunter2", "hunter2", false},
	{"PASSWORD=hunter2", "hunter2", false},
	{"db_passwd=hunter2", "hunter2", false},
	{"client-secret=hunter2", "hunter2", false},
	{"aws_credentials=hunter2", "hunter2", false},
	{"rd.luks.key=hunter2", "hunter2", false},
	{"auth=hunter2", "hunter2", false},
	{"x-api-key:hunter2", "hunter2", false},
	{`{"token":"hunter2"}`, "hunter2", false},
	{`token="hunter2`, "hunter2", false}, // and never closed
	{"https://example.org/?access_token=hunter2&n=1", "hunter2", false},
	{"systemd.setenv=HF_TOKEN=hunter2", "hunter2", false},
	{"--api-key=hunter2", "hunter2", false},
	{"--api-key hunter2", "hunter2", false},
	{"--api-key other hunter2", "hunter2", false},
	{"--password -hunter2", "hunter2", false},
}
