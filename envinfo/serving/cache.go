package serving

import (
	"io/fs"
	"path"
	"strings"

	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// modelFolder is the path of name as a folder, relative to the root; "" when it cannot be one.
func modelFolder(name, workdir string) string {
	if !path.IsAbs(name) {
		if strings.Contains(name, "://") || strings.HasPrefix(name, "~") {
			return ""
		}
		name = path.Join("/", workdir, name)
	}
	if name = strings.TrimPrefix(path.Clean(name), "/"); !fs.ValidPath(name) {
		return ""
	}
	return name
}

// hubDirs are the folders of the cache, best first, and the variable that named the first.
func hubDirs(opts ModelOptions) (dirs []string, source string) {
	add := func(variable, base string, below ...string) {
		if base == "~" || strings.HasPrefix(base, "~/") {
			base = path.Join(opts.Variables["HOME"], base[1:])
		}
		if base == "" {
			return
		}
		if !path.IsAbs(base) {
			base = path.Join("/", opts.Folder, base)
		}
		dir := strings.TrimPrefix(path.Join(append([]string{base}, below...)...), "/")
		if fs.ValidPath(dir) && dirs == nil {
			dirs, source = append(dirs, dir), variable
		}
	}
	// As huggingface_hub: the first that is set counts, whether or not anything is there.
	v := opts.Variables
	add("--download-dir", opts.DownloadDir)
	add("HF_HUB_CACHE", v["HF_HUB_CACHE"])
	add("HUGGINGFACE_HUB_CACHE", v["HUGGINGFACE_HUB_CACHE"])
	add("HF_HOME", v["HF_HOME"], "hub")
	add("XDG_CACHE_HOME", v["XDG_CACHE_HOME"], "huggingface/hub")
	home := v["HOME"]
	if home == "" && opts.FS != nil {
		home = "/root" // a container's variables leave HOME to the runtime, which takes it from the user
	}
	add("HOME", home, ".cache/huggingface/hub")
	return dirs, source
}

// ModelPatterns are the files of a model that CaptureModel may read, as patterns below the root.
func ModelPatterns(name string, opts ModelOptions) []string {
	var out []string
	if folder := modelFolder(name, opts.Folder); folder != "" {
		out = append(out, path.Join(folder, "config.json"))
	}
	if !modelName.MatchString(name) {
		return out
	}
	if opts.FS == nil {
		opts.FS = &source.Copied{} // not the running host's
	}
	dirs, _ := hubDirs(opts)
	for _, dir := range dirs {
		model := path.Join(dir, "models--"+strings.ReplaceAll(name, "/", "--"))
		out = append(out, model+"/refs/*", model+"/snapshots/*/config.json")
	}
	return out
}
