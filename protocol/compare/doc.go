// Package compare says in what the servers of two experiments differ: by how much, and how sure that is.
//
// A side is one experiment, or several of one kind; [Read] reads it from the folders that they were saved in, of which
// a baseline that lies in git needs no more than results.json or journal.jsonl. [Compare] compares the sides figure by
// figure at each load that both have, with a margin below which a difference does not matter, and says of all figures
// together whether b is no worse than a ([NoRegression]), is worse ([Regression]), or neither was shown ([Undecided]).
//
// The two were measured at different times, so that nothing is paired: what a design measures in pairs, in blocks on
// one host, is for that design to conclude. What is spoiled by a warning is left out, by name. What cannot be compared,
// since the hardware or the load was another, is refused with the differences.
package compare
