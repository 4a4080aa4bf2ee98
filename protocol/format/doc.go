// Package format writes experiments in the formats that other tools read, and reads the result files of other tools.
//
// A format is one [Format], in one file. Those that write turn an experiment and its analysis into files; those that
// read turn a folder of another tool's results into a [protocol.Experiment], which is analysed and reported as one of
// ours: grouped by load, with the runs as replicates. [Open] finds out what a folder is by what is in its files.
//
// What was read has the figures that the tool printed, to the last digit, with the tool's own definitions: none is
// computed again, and what a file does not say is unknown and never 0. So
//
//   - there is no steady window, and throughput is over the makespan, start and drain included;
//   - the load that there really was is checked against the one that was asked for, by the tool's own count of the
//     requests in flight, or else by throughput × mean latency (Little's law);
//   - results of one load are taken for runs on one server ([protocol.UnitWithinServer]) unless somebody says that it
//     was started anew for each ([Restarted]): no tool's file shows that;
//   - results whose model, server or other settings differ are no replicates: they are arms of a comparison.
//
// A file that is no result, such as a log or another kind of a tool's files, is passed over. One that is a result and
// has a number that cannot be one, such as a latency below 0, is an error: nothing of its folder is returned.
package format
