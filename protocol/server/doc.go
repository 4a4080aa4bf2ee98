// Package server has the servers that a [protocol.Runner] can start anew, one kind a file.
//
// [Parse] makes one from a line of text, such as "docker:vllm" or "cmd:STOP;START". What is driven through commands
// is a [Control]: the commands, and how to read from one of them who answers now. A new kind is a func that returns a
// Control, and a line in Parse's table. [Process] and [Commands] are servers that this program starts itself,
// [Handler] is one inside a test, and [None] one that is left as it is.
//
// # What every kind does
//
// A start first stops what the user said is to be restarted, and waits until nothing answers any more: the instance
// before must never be measured as the new one. Gone is a connection that is refused, and not one that waits for a
// full queue; behind a gateway that stays up, 502 to 504, or what a probe URL of its own says. Where somebody else
// answers at the URL the start is refused, and the error says who, where the system tells.
//
// What was not started here is never stopped: a container that has the name of ours and not our mark, a process that
// took the port. What an earlier run of this program started and could not stop, because it was killed, is found,
// named and ended ([WarnLeftOver]).
package server
