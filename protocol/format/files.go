package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on what is read of a folder, far above what a benchmark leaves: more is a slip of the hand, such as a home
// directory.
const (
	maxFiles  = 20_000
	maxDepth  = 12        // of folders
	maxFile   = 256 << 20 // bytes; a file with every request of a long level has some 100 MB
	maxYAML   = 8 << 20   // bytes: a report of one level has 10 KB
	maxAll    = 2 << 30   // bytes
	maxDocs   = 100_000   // results in one file
	maxNested = 200       // of objects and arrays in a file
)

// A doc is one JSON object at the top of a file: most tools write one, some one a line.
type doc struct {
	folder fs.FS
	path   string                     // in the folder
	where  string                     // the path, with its number where the file has several
	keys   map[string]json.RawMessage // of the object
	raw    []byte
}

// has reports whether the object has all the members.
func (d *doc) has(names ...string) bool {
	for _, name := range names {
		if _, ok := d.keys[name]; !ok {
			return false
		}
	}
	return true
}

// decode reads the object into a struct. A member of another type than this version of the tool has is passed over, and
// so unknown; a number that is none ([num]) is an error.
func (d *doc) decode(into any) error {
	err := json.Unmarshal(d.raw, into)
	if err == nil || errors.As(err, new(*json.UnmarshalTypeError)) {
		return nil
	}
	return fmt.Errorf("%s: %w", d.where, err)
}

// beside is another file of the same folder: nil where there is none that can be read.
func (d *doc) beside(name string) []byte {
	data, err := load(d.folder, path.Join(path.Dir(d.path), name), maxFile)
	if err != nil {
		return nil
	}
	return data
}

// load reads a file of at most so many bytes, and makes JSON of it.
func load(folder fs.FS, name string, most int64) ([]byte, error) {
	yamlName := strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
	if yamlName {
		most = min(most, maxYAML)
	}
	file, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var buffer bytes.Buffer
	if info, err := file.Stat(); err == nil {
		buffer.Grow(int(min(info.Size(), most)) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(file, most+1)); err != nil {
		return nil, err
	}
	data := buffer.Bytes()
	if int64(len(data)) > most {
		return nil, &FileError{name, "size", fmt.Sprintf("over %d MiB", most>>20), "a result file of no more than that"}
	}
	if yamlName {
		return fromYAML(data)
	}
	return plainJSON(data), nil
}

// fromYAML makes JSON of YAML, as llm-d's reports have it. What JSON has no number for is a string or null.
//
//	rate_qps: .inf
func fromYAML(data []byte) ([]byte, error) {
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return nil, errNoResult
	}
	value, err := jsonable(value, 0)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

var errNoResult = errors.New("no result")

func jsonable(value any, depth int) (any, error) {
	if depth > maxNested {
		return nil, errNoResult
	}
	var err error
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if v[key], err = jsonable(member, depth+1); err != nil {
				return nil, err
			}
		}
	case map[any]any:
		return nil, errNoResult // keys that are no strings are in no report
	case []any:
		for i, member := range v {
			if v[i], err = jsonable(member, depth+1); err != nil {
				return nil, err
			}
		}
	case float64:
		switch {
		case math.IsNaN(v):
			return nil, nil
		case math.IsInf(v, 1):
			return "inf", nil
		case math.IsInf(v, -1):
			return "-inf", nil
		}
	}
	return value, nil
}

// plainJSON turns what Python writes and JSON does not have into what it has: Infinity into "inf", NaN into null.
//
//	{"request_rate": Infinity, "mean_ttft_ms": NaN}
func plainJSON(data []byte) []byte {
	if !bytes.Contains(data, []byte("Infinity")) && !bytes.Contains(data, []byte("NaN")) {
		return data
	}
	var out []byte
	text, from := false, 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		default:
			for _, w := range [...]struct{ is, becomes string }{
				{"-Infinity", `"-inf"`}, {"Infinity", `"inf"`}, {"NaN", "null"},
			} {
				if bytes.HasPrefix(data[i:], []byte(w.is)) {
					out = append(append(out, data[from:i]...), w.becomes...)
					i += len(w.is) - 1
					from = i + 1
					break
				}
			}
		}
	}
	return append(out, data[from:]...)
}

// split finds the values at the top of a file, without reading what is in them: a file may have every request of a long
// level in it, which nobody looks at. false: the last one has no end, or objects and arrays are nested deeper than any
// result has them. Whether a value is JSON shows when it is read.
func split(data []byte) (values [][]byte, whole bool) {
	depth, start := 0, -1
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '"':
			if i = closing(data, i); i < 0 {
				return values, false
			}
		case '{', '[':
			if depth == 0 {
				start = i
			}
			if depth++; depth > maxNested {
				return values, false
			}
		case '}', ']':
			if depth--; depth < 0 {
				return values, false
			}
			if depth == 0 {
				values = append(values, data[start:i+1])
			}
		}
	}
	return values, depth == 0
}

// closing is where the string ends that begins at i; -1: nowhere.
func closing(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// members are those of an object, as they stand in it.
func members(object []byte) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	inside := object[1 : len(object)-1]
	for len(inside) > 0 {
		begin := bytes.IndexByte(inside, '"')
		if begin < 0 {
			break
		}
		end := closing(inside, begin)
		if end < 0 {
			break
		}
		var name string
		if json.Unmarshal(inside[begin:end+1], &name) != nil {
			break
		}
		rest := bytes.TrimLeft(inside[end+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != ':' {
			break
		}
		rest = rest[1:]
		length := valueLength(rest)
		out[name] = bytes.TrimSpace(rest[:length])
		inside = rest[length:]
	}
	return out
}

// valueLength is up to the comma after the first value, or all.
func valueLength(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			if i = closing(data, i); i < 0 {
				return len(data)
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(data)
}

// walk calls each with every object at the top of the folder's files, in the order of their paths. only is the name of
// the one file that is wanted; "": all. It returns the files that begin as JSON and are none to their end.
func walk(folder fs.FS, only string, each func(*doc) (more bool, err error)) (broken []string, err error) {
	files, all := 0, int64(0)
	err = fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && (strings.HasPrefix(entry.Name(), ".") || strings.Count(name,
				"/") >= maxDepth || only != "") {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || only != "" && name != only || !mayHoldResults(folder, name) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files++
		all += info.Size()
		if files > maxFiles || all > maxAll {
			return &FileError{name, "files", fmt.Sprintf("%d, of %d MiB", files, all>>20),
				fmt.Sprintf("a folder of results, of no more than %d files and %d MiB", maxFiles, maxAll>>20)}
		}
		whole, err := walkFile(folder, name, each)
		if !whole {
			broken = append(broken, name)
		}
		return err
	})
	return broken, err
}

// mayHoldResults reports whether a file is YAML by its name, or begins as JSON does: vLLM lets one name a result file
// as one likes.
func mayHoldResults(folder fs.FS, name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return true
	}
	file, err := folder.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	start := make([]byte, 512)
	n, _ := io.ReadFull(file, start)
	start = bytes.TrimLeft(start[:n], " \t\r\n\ufeff")
	return len(start) > 0 && (start[0] == '{' || start[0] == '[')
}

// walkFile is false where the file begins as JSON and ends as something else.
func walkFile(folder fs.FS, name string, each func(*doc) (bool, error)) (whole bool, err error) {
	data, err := load(folder, name, maxFile)
	if errors.Is(err, errNoResult) {
		return true, nil
	}
	if err != nil {
		return true, err
	}
	data = bytes.TrimLeft(data, " \t\r\n\ufeff")
	if len(data) == 0 || data[0] != '{' && data[0] != '[' {
		return true, nil
	}
	values, whole := split(data)
	var objects [][]byte
	for _, value := range values {
		if value[0] == '[' {
			elements, _ := split(value[1 : len(value)-1])
			objects = append(objects, elements...)
		} else {
			objects = append(objects, value)
		}
	}
	for i, object := range objects[:min(len(objects), maxDocs)] {
		if object[0] != '{' {
			return whole, nil
		}
		d := &doc{folder: folder, path: name, where: name, raw: object, keys: members(object)}
		if len(objects) > 1 {
			d.where = fmt.Sprintf("%s, result %d", name, i+1)
		}
		if more, err := each(d); err != nil || !more {
			return whole, err
		}
	}
	return whole, nil
}
