package fact

// Component is one piece of software in one scope.
type Component struct {
	Name    string        `json:"name"` // "ROCm", "RCCL", "amdgpu", or that of a package: "rocm-core", "torch", …
	Version Value[string] `json:"version"`
}

// Setting is one named setting, such as an environment variable.
type Setting struct {
	Name  string        `json:"name"`
	Value Value[string] `json:"value"`
}
