package program

import (
	"fmt"
	"io"

	"github.com/servegauge/servegauge/protocol/vllm"
)

// showPreset prints what the page says of a model.
func showPreset(w io.Writer, p *vllm.Preset) {
	fmt.Fprintf(w, "Preset %s\n", p.Name)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %-12s %s\n", name, value)
		}
	}
	row("checkpoint", p.Checkpoint.Repo+" @ "+p.Checkpoint.Revision)
	row("served", p.Model)
	row("image", fmt.Sprintf("%s, vLLM %s, digest %s…", p.Image.Reference, p.Image.VLLM, p.Image.DigestPrefix))
	for _, setting := range p.Table {
		row("", "") // the page's own table, as printed
		fmt.Fprintf(w, "  %-26s %s\n", setting.Setting, setting.Value)
	}
	for _, d := range p.Discrepancies {
		row("discrepancy", d)
	}
}
