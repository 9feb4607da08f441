// Package audittest proves sinks of the audit log.
//
// [Run] puts an [audit.Sink] of one's own through its contract: order,
// atomicity, durability, conflict, concurrency, contexts that end, failing
// storage, texts of errors, goroutines left behind, and, if the sink offers
// [audit.Runs], the liveness of runs:
//
//	func TestSink(t *testing.T) {
//		audittest.Run(t, audittest.Harness{
//			Open: func(t audittest.TB, dir string) audit.Sink {
//				s, err := mysink.Open(filepath.Join(dir, "audit"))
//				if err != nil {
//					t.Fatalf("open: %v", err)
//				}
//				return s
//			},
//		})
//	}
//
// [NewSink] makes a correct sink in memory, for tests of what writes to a log;
// the test switches on its faults and decides which runs are alive.
package audittest
