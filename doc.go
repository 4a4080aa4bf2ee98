// Package servegauge measures LLM inference servers and says how sure it is.
//
// It has no code of its own: it is the front door of a library whose rooms are imported one by one.
//
//   - [github.com/servegauge/servegauge/loadgen] is the instrument: it keeps a stated number of requests in flight
//     against any system, or sends them at a rate, and says what it really kept. Below it, workload makes prompts,
//     sessions and traces, openai speaks to OpenAI-compatible servers, audit judges their answers, fleet makes several
//     machines one generator, and loadgentest has servers whose truth is known.
//   - [github.com/servegauge/servegauge/stats] has the moments, intervals, quantiles, comparisons and the saturation
//     knee. It knows no requests and no clocks.
//   - [github.com/servegauge/servegauge/protocol] runs experiments: levels × runs, with a server restart between runs,
//     a journal of all that was measured, and the analysis across runs. Below it, server has what can be restarted,
//     probe what is watched meanwhile, design what decides by what was measured, vllm the published models; report
//     and format write results, compare compares two experiments, and protocoltest makes a gate for test suites.
//   - [github.com/servegauge/servegauge/envinfo] reads what machine and software produced a number.
//
// The programs in examples are thin: each is a few flags around these packages.
//
// # How a number comes about
//
// A Design of package protocol says which Step comes next. Its Runner restarts the server when the step begins a run,
// waits until it is ready, and has loadgen measure the step's level. Each measurement goes to a journal before the next
// step begins. Analyze derives from the journal what may be said: for each level the mean over runs with its interval,
// and the knee with its bounds.
//
// Three rules hold everywhere. The unit of evidence is the run with a server start of its own, and never the request;
// where runs shared a server, results say so. A figure whose conditions were not met carries a warning that names it,
// and nothing is concluded from it. And what is not known is said to be unknown, with the reason.
package servegauge
