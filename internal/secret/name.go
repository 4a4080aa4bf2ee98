// Package secret says what may not leave the host: one rule for the names of secrets, and one for what secrets look
// like. Whoever records a command line, a header, a body or a variable asks here. What neither rule can tell is a
// password without a shape under a name that does not say so.
package secret

import (
	"regexp"
	"strings"
)

// Withheld is what a secret is replaced by, so that a reader sees that something was there.
const Withheld = "[withheld]"

// words in a name make its value one that is not recorded. They err on the side of withholding: the path of a key file
// goes too.
var words = []string{
	"token", "secret", "key", "passw", "passphrase", "pwd", "cred", "auth", "cookie", "session", "signature",
}

// Name tells whether a name alone says that its value is secret: Authorization, X-API-Key, HF_TOKEN, db_passwd. Where
// the value is at hand, [Named] knows better.
func Name(name string) bool {
	name = strings.ToLower(name)
	for _, w := range words {
		if strings.Contains(name, w) {
			return true
		}
	}
	return strings.HasSuffix(name, "pass") || name == "sig" // of a URL that is signed: &sig=
}

// Named tells whether a name says that this value is secret. Inference has names of its own: --tokenizer-mode is none,
// and neither is a count or an id of tokens, which has a number for its value, or none, auto or a boolean
// (--max-num-batched-tokens 8192, "stop_token_ids": [1], kv_cache_size_tokens), nor a number of anything else
// (num_key_value_heads, max_auth_retries). A number under any other secret's name stays a secret.
func Named(name, value string) bool {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(strings.ReplaceAll(name, "detokeniz", ""), "tokeniz", "")
	if plainNumber.MatchString(value) {
		if numberOf.MatchString(name) && !strings.Contains(name, "passw") {
			return false
		}
		name = counts.ReplaceAllString(name, "")
	}
	return Name(name)
}

var (
	plainNumber = regexp.MustCompile(`^(?:-?[0-9]{1,10}([.][0-9]{1,20})?([eE][+-]?[0-9]{1,2})?[kKmMgG]?|(?i:none|null|auto|true|false))$`)
	counts      = regexp.MustCompile(`tokens|token[_.-]?(ids?|budget|count|limit|size|len|length|num|ratio|` +
		`threshold|capacity|usage|rate|interval|window)`)
	numberOf = regexp.MustCompile(`(^|[_.-])(num|max|min|count|size|n)[_.-]`)
)
