// Package escrowtest is the conformance kit for stores of escrow items: what an
// escrow.Store has to keep, checked one promise at a time.
//
//	func TestStore(t *testing.T) {
//		escrowtest.Run(t, escrowtest.Harness{
//			Open: func(t escrowtest.TB, dir string) escrow.Store { return mine.Open(dir) },
//		})
//	}
//
// The kit is itself proven by broken stores, each of which it fails.
package escrowtest
