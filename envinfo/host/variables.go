package host

import (
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// Variables is the environment variables of one process; all of it is of [fact.ScopeProcess]. Read from the running
// host that is this program, as it was started, and not the server that it measures.
type Variables struct {
	// Count is how many there are in List. It is unknown when they could not be read.
	Count fact.Value[int64] `json:"count"`
	// List is those that change what an inference server does, in the order of the process: HIP_…, HSA_…, ROCR_…,
	// ROCM_…, NCCL_…, RCCL_…, VLLM_…, AITER_…, TORCH_…, PYTORCH_…, CUDA_…, OMP_… and HF_…. The value of one whose name
	// says that it is a secret is unknown, and secrets inside of others are replaced by "[withheld]".
	List []fact.Setting `json:"list,omitempty"`
}

// ReadVariables reads the variables from proc, which a copied tree has too; os.Environ would be of this machine.
func ReadVariables(r *source.Reader) (v Variables) {
	const name = "proc/self/environ"
	b, err := r.File(name, 1<<20)
	if err != nil {
		v.Count = fact.Unknown[int64]("", fact.ScopeProcess, err.Error())
		return v
	}
	v.List = source.Settings(strings.Split(string(b), "\x00"), fact.ScopeProcess, source.Abs(name))
	v.Count = fact.Known(int64(len(v.List)), "", fact.ScopeProcess,
		source.Abs(name)+", of the prefixes that are recorded")
	return v
}

// Rows writes the variables.
func (v *Variables) Rows(t *table.Table) {
	t.Line("")
	t.Head("Variables")
	if len(v.List) == 0 {
		t.Row("number", table.Show(v.Count, table.Plain))
	}
	for _, s := range v.List {
		t.Row(s.Name, table.Show(s.Value, table.Plain))
	}
}
