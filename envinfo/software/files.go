package software

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// always are the files that are read wherever ROCm and Python are. Large libraries are not among them.
var always = []string{
	"etc/os-release", "var/lib/dpkg/status",
	"usr/local/cuda/version.json", "usr/local/cuda/version.txt", "usr/include/nccl.h", "usr/local/cuda/include/nccl.h",
	"usr/local/include/nccl.h", "usr/local/nccl/include/nccl.h",
	"opt/rocm*/.info/version*", "opt/rocm*/include/rccl/rccl.h", "opt/rocm*/include/rccl.h",
	"opt/rocm/core/.info/version*",
}

// SafePath is what may stand in a shell's pattern without quoting.
var SafePath = regexp.MustCompile(`^[A-Za-z0-9._+/-]{1,512}$`)

// Files are the files that an [Inventory] reads, as patterns of a shell below the root, for a root filesystem out of
// which they have to be copied. ROCm and Python are looked for in rocm and python too, absolute folders or "".
func Files(rocm, python string) []string {
	out := slices.Clone(always)
	prefixes := slices.Clone(pythonPrefixes)
	if p := strings.Trim(path.Clean(python), "/"); SafePath.MatchString(p) && p != "." {
		prefixes = append(prefixes, p)
	}
	for _, prefix := range prefixes {
		for _, kind := range []string{"site-packages", "dist-packages"} {
			lib := prefix + "/lib/python3*/" + kind + "/"
			for _, name := range pythonPackages {
				out = append(out, lib+strings.ReplaceAll(name, "-", "?")+"-*.dist-info/METADATA")
			}
			out = append(out, lib+"rocm?sdk?libraries?*.dist-info/METADATA", lib+"torch/version.py")
		}
	}
	if p := strings.Trim(path.Clean(rocm), "/"); SafePath.MatchString(p) && p != "." {
		out = append(out, p+"/.info/version*", p+"/include/rccl/rccl.h", p+"/include/rccl.h")
	}
	return out
}
