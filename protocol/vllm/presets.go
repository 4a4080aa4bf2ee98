package vllm

// The settings below come from two places, and each says from which:
//
//   - the MI325X cookbook's benchmark methodology page (11 March 2026): its per-model tables, container images, checkpoint revisions;
//   - the same cookbook's guide for each model (17 March 2026), see Preset.Guide: the command that the page's tables leave out.
//
// The names of the offloading flags were checked against vLLM's CacheConfig: kv_offloading_backend is "native" or
// "lmcache", and kv_offloading_size is in GiB, summed over all tensor parallel ranks; the backend does nothing
// without the size.

// The two images of the page. Whether an image starts vLLM by itself was read in vLLM's docker/Dockerfile.rocm: the
// stage `final` ends with CMD ["/bin/bash"], and the stage `vllm-openai`, built on it for the official images, adds
// ENTRYPOINT ["vllm", "serve"]. The cookbook's guides agree: theirs for rocm/vllm-dev spells out `vllm serve MODEL`,
// the three others begin with the model. (Those three write `--model MODEL`; `vllm serve` wants the model as its
// first argument, and vLLM releases differ in what they do about the flag.)
var (
	imageStable = Image{
		Reference:    "vllm/vllm-openai-rocm:latest",
		DigestPrefix: "sha256:236900d573",
		VLLM:         "0.14.1",
		Entrypoint:   true,
	}
	imageNightly = Image{
		Reference:    "rocm/vllm-dev:nightly",
		DigestPrefix: "sha256:e8ce7f6d74",
		VLLM:         "0.16.0rc1 (nightly)",
		Entrypoint:   false,
	}
)

// presetStack is printed once on the page, for all four models.
var presetStack = Stack{ROCm: "6.4.2-120", RCCL: "2.26.6", Docker: "29.1.5"}

const guides = "https://docs.vultr.com/inference-cookbook/rocm/model-guides/"

// Presets returns the page's four models in the page's order. Each call returns fresh copies that share nothing.
//
// It is a function and not a variable so that nobody can change the presets of somebody else.
func Presets() []Preset {
	return []Preset{
		{
			ID:   "deepseek-v3.2",
			Name: "DeepSeek V3.2",
			Checkpoint: Checkpoint{Repo: "deepseek-ai/DeepSeek-V3-0324",
				Revision: "e9b33add76883f293d6bf61f6bd89b497e80e335"},
			// Of the two repositories that could be meant, this is the one that the page names, with a revision.
			Model:          "deepseek-ai/DeepSeek-V3-0324",
			ModelSource:    SourcePage,
			Precision:      "FP8",
			TensorParallel: 8,
			Env: []Setting{
				{Name: "VLLM_ROCM_USE_AITER", Value: "1", Note: "required", Source: SourcePage},
				{Name: "AITER_ENABLE_VSKIP", Value: "0", Source: SourceGuide},
			},
			Args: []Setting{
				{Name: "--quantization", Value: "fp8", Source: SourceGuide},
				{Name: "--block-size", Value: "1", Note: "required for MLA", Source: SourcePage},
			},
			Image: imageStable,
			Stack: presetStack,
			Guide: guides + "deepseek-V3-2",
			Table: []Row{
				{"Precision", "FP8"},
				{"Tensor Parallelism", "8"},
				{"VLLM_ROCM_USE_AITER", "1 (required)"},
				{"--block-size", "1 (required for MLA)"},
			},
			Discrepancies: []string{
				"The page calls this model DeepSeek V3.2 and pins a revision of deepseek-ai/DeepSeek-V3-0324, " +
					"which is another model; " +
					"the cookbook's guide serves deepseek-ai/DeepSeek-V3.2. " +
					"The preset serves the pinned checkpoint. To serve the guide's, set Model; the revision is " +
					"then left out.",
			},
		},
		{
			ID:   "llama-3.1-405b",
			Name: "Llama-3.1-405B",
			Checkpoint: Checkpoint{Repo: "meta-llama/Llama-3.1-405B-Instruct",
				Revision: "be673f326cab4cd22ccfef76109faf68e41aa5f1"},
			Model:          "meta-llama/Llama-3.1-405B-Instruct",
			ModelSource:    SourcePage,
			Precision:      "FP8",
			TensorParallel: 8,
			// No AITER setting: the page toggles it and the guide is silent, so vLLM's default (off) holds until an
			// ablation says otherwise.
			Toggles: []Setting{
				{Name: "VLLM_ROCM_USE_AITER", Value: "0 or 1", Note: "used for ablation", Source: SourcePage},
			},
			Args: []Setting{
				{Name: "--quantization", Value: "fp8", Source: SourceGuide},
				{Name: "--kv-cache-dtype", Value: "fp8", Source: SourceGuide},
				{Name: "--max-model-len", Value: "32768", Source: SourceGuide},
			},
			Image: imageStable,
			Stack: presetStack,
			Guide: guides + "llama-3-1-405b",
			Table: []Row{
				{"Precision", "FP8"},
				{"Tensor Parallelism", "8"},
				{"AITER", "Toggle-able (used for ablation)"},
			},
		},
		{
			ID:   "qwen3-vl-235b",
			Name: "Qwen3-VL-235B",
			Checkpoint: Checkpoint{Repo: "Qwen/Qwen3-VL-235B-A22B-Instruct",
				Revision: "710c13861be6c466e66de3f484069440b8f31389"},
			Model:          "Qwen/Qwen3-VL-235B-A22B-Instruct",
			ModelSource:    SourcePage,
			Precision:      "BF16 (FP8 incompatible with ViT)", // what the checkpoint is in: no flag asks for it
			TensorParallel: 8,
			Env: []Setting{
				{Name: "VLLM_USE_TRITON_FLASH_ATTN", Value: "0", Note: "vision encoder", Source: SourceGuide},
			},
			Args: []Setting{
				{Name: "--max-model-len", Value: "32768", Source: SourceGuide},
				{Name: "--kv-offloading-backend", Value: "native", Source: SourceGuide},
				{Name: "--kv-offloading-size", Value: "64", Note: "64 GB to system RAM", Source: SourcePage},
				{Name: "--disable-hybrid-kv-cache-manager", Source: SourceGuide},
			},
			Image: imageStable,
			Stack: presetStack,
			Guide: guides + "qwen3-vl-235b",
			Table: []Row{
				{"Precision", "BF16 (FP8 incompatible with ViT)"},
				{"Tensor Parallelism", "8"},
				{"KV Offloading", "64 GB to system RAM"},
			},
			Discrepancies: []string{
				"The page offloads 64 GB; the flag that the guide gives, --kv-offloading-size 64, is 64 GiB (68.7 " +
					"GB) in vLLM, " +
					"for all GPUs together. The preset follows the flag.",
			},
		},
		{
			ID:   "kimi-k2.5",
			Name: "Kimi-K2.5",
			Checkpoint: Checkpoint{Repo: "moonshotai/Kimi-K2-Instruct",
				Revision: "1cbe779b5c9d45782861647236f67e2e1aab55f0"},
			// Not the checkpoint, unlike DeepSeek above: the page's name, its precision and the guide all say K2.5.
			// (Kimi-K2-Instruct is published in FP8; INT4 by quantization-aware training came with later models of
			// the family.)
			Model:              "moonshotai/Kimi-K2.5",
			ModelSource:        SourceGuide,
			Precision:          "INT4 QAT (compressed-tensors)",
			TensorParallel:     4,
			TensorParallelNote: "not 8",
			Env: []Setting{
				{Name: "VLLM_ROCM_USE_AITER", Value: "0", Note: "MXFP4 unavailable on MI325X", Source: SourcePage},
				{Name: "VLLM_USE_TRITON_FLASH_ATTN", Value: "0", Note: "vision encoder", Source: SourceGuide},
			},
			Args: []Setting{
				{Name: "--trust-remote-code", Source: SourceGuide},
				{Name: "--max-model-len", Value: "32768", Source: SourceGuide},
				{Name: "--block-size", Value: "1", Note: "required for MLA", Source: SourcePage},
			},
			DockerFlags: []Setting{
				{Name: "--group-add", Value: "render", Source: SourceGuide},
				{Name: "--cap-add", Value: "CAP_SYS_ADMIN", Source: SourceGuide},
			},
			Image: imageNightly,
			Stack: presetStack,
			Guide: guides + "kimi-k2-5-1t",
			Table: []Row{
				{"Precision", "INT4 QAT (compressed-tensors)"},
				{"Tensor Parallelism", "4 (not 8)"},
				{"VLLM_ROCM_USE_AITER", "0 (MXFP4 unavailable on MI325X)"},
				{"--block-size", "1 (required for MLA)"},
				{"Container", "rocm/vllm-dev:nightly"},
			},
			Discrepancies: []string{
				"The page calls this model Kimi-K2.5 and pins a revision of moonshotai/Kimi-K2-Instruct, which is " +
					"another model. " +
					"The preset serves moonshotai/Kimi-K2.5, as the cookbook's guide does, without that revision.",
				"The page turns AITER off because MXFP4 is unavailable on the MI325X; the guide, because AITER's " +
					"MLA does not fit " +
					"the heads per GPU at tensor parallel size 4. Both set VLLM_ROCM_USE_AITER=0.",
			},
		},
	}
}
