package envinfo

import "strings"

// Variables is the environment variables of one process; all of it is of [ScopeProcess]. Read from the running host that is this
// program, as it was started, and not the server that it measures.
type Variables struct {
	// Count is how many there are in List. It is unknown when they could not be read.
	Count Value[int64] `json:"count"`
	// List is those that change what an inference server does, in the order of the process: HIP_…, HSA_…, ROCR_…, ROCM_…, NCCL_…,
	// RCCL_…, VLLM_…, AITER_…, TORCH_…, PYTORCH_…, CUDA_…, OMP_… and HF_…. The value of one whose name says that it is a secret is
	// unknown, and secrets inside of others are replaced by "[withheld]"; see [Scrub].
	List []Setting `json:"list,omitempty"`
}

// ReadVariables reads the variables from proc, which a copied tree has too; os.Environ would be of this machine.
func ReadVariables(r *reader) (v Variables) {
	const name = "proc/self/environ"
	b, err := r.file(name, 1<<20)
	if err != nil {
		v.Count = Unknown[int64]("", ScopeProcess, err.Error())
		return v
	}
	v.List = settingsOf(strings.Split(string(b), "\x00"), ScopeProcess, abs(name))
	v.Count = Known(int64(len(v.List)), "", ScopeProcess, abs(name)+", of the prefixes that are recorded")
	return v
}

func (v *Variables) rows(t *table) {
	t.line("")
	t.head("Variables")
	if len(v.List) == 0 {
		t.row("number", show(v.Count, plain))
	}
	for _, s := range v.List {
		t.row(s.Name, show(s.Value, plain))
	}
}
