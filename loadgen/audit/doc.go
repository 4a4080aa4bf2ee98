// Package audit decides whether the answers that a server gave under load are still answers, from what the server itself
// says of them afterwards.
//
// Greedy answers are not equal across batch sizes on a healthy server, so equality is no test. What a healthy server
// does is stand by them: asked on the quiet server for the probabilities along a prompt and its answer, the token that
// it gave is, at each position, the most probable one or a near tie of it. The distance, in nats, is the gap of that
// position: the best log-probability less that of the token which was given. It is taken on the answer's own prefix, so
// that an answer which went another way at a tie has no gap after it.
//
// The rule, in [Evidence.Judge]: an answer is wrong where a gap is over [GapLimit], or no number, or missing; a level is
// spoiled at [Limit] wrong answers. Two samples say whether the rule means anything here. The healthy one, of answers
// given at one in flight, must have no wrong answer. In the control, of answers rescored under another's prompt, at
// least [ControlShare] must be caught: a model to which the prompt does not matter, as one with random weights, never
// passes that. Where either fails the level is not checkable, which is said in the place of passed.
//
// What it does not catch: an always-wrong server, which stands by its answers, or fails at one in flight already; a
// damage that leaves the given token likely, as a swapped KV block did in one of seven cases; a text that is another than
// its token ids stand for, since these are what is scored where they are told; an answer that is cut or empty, which the
// counts of each level see; a quantisation path, which moves the agreement and no gap; and what strikes fewer answers than
// [Smallest] says.
//
// The package knows no HTTP. Package openai collects the answers and asks for the scores.
package audit
