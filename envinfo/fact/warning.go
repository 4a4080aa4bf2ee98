package fact

import "fmt"

// Warning is something that does not make a value unknown but may mislead whoever reads it.
type Warning struct {
	About string `json:"about"` // the value it is about, by its path in the JSON form: "amd.count"
	Text  string `json:"text"`  // one sentence
}

// String is what the warning is about, and its text.
func (w Warning) String() string { return w.About + ": " + w.Text }

// Warnings are those of one part of a capture, in the order in which they came up.
type Warnings []Warning

// Warn adds a warning about the value at the JSON path about. Its text loses what is a secret by its shape.
func (w *Warnings) Warn(about, format string, args ...any) {
	*w = append(*w, Warning{about, Clean(fmt.Sprintf(format, args...))})
}

// Cross is what files said, or where they did not, what a tool says. Where both speak and are not the same there is a
// warning about the value at the JSON path about, and the file's counts: a tool reads the same files, or rounds.
func Cross[T Scalar](w *Warnings, about string, file, tool Value[T], same func(file, tool T) bool) Value[T] {
	b, ok := tool.Get()
	if !ok {
		return file
	}
	a, ok := file.Get()
	if !ok {
		return tool
	}
	if !same(a, b) {
		w.Warn(about, "%s says %v, and %s says %v", file.Source(), file, tool.Source(), tool)
	}
	return file
}
