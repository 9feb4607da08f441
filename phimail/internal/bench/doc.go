// Command bench measures phimail beside what a user would pick instead, in one
// run on one machine, and prints ratios: absolute times say more about the
// machine. Run it with
//
//	go run ./phimail/internal/bench
//
// The peers are wneessen/go-mail, net/smtp, Postfix's smtp-source, bare
// emersion/go-msgauth, the pkcs7 libraries of Mozilla and Smallstep, openssl cms,
// and the raw costs: a hash, a signature, a cipher, a write with
// fsync. README.md holds the figures of one run and what dominates them.
package main
