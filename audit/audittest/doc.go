// Package audittest has what proves a sink of one's own, and a sink in memory
// for tests of what writes to an audit log.
//
// [Run] puts any audit.Sink through its contract. [NewSink] makes a correct
// sink whose faults and whose runs' liveness a test controls.
package audittest
