// Package design has the designs beside [protocol.Plan], which carries out what is written down: those that decide from
// what they have measured what to measure next, and those that compare.
//
// A design is plain data that marshals to JSON with the name of its kind, and is read again by [Read]. It is pure:
// Next and Conclude go by the measurements alone, so that an experiment that was cut short goes on where it was, with
// the same steps that it would have had. What a single run is (tokens, prompts, warmup, restart) is a [protocol.Plan]
// within it.
package design
