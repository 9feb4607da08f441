package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
)

func main() {
	if os.Getenv(serverEnv) != "" {
		exit(serve())
	}
	n := flag.Int("n", 2000, "messages a round")
	only := flag.Bool("smime", false, "the S/MIME section alone")
	pgpOnly := flag.Bool("pgp", false, "the OpenPGP section alone")
	onlyPHI := flag.Bool("phi", false, "the section on finding PHI alone")
	flag.Parse()
	if *onlyPHI {
		exit(benchPHI(os.Stdout))
	}
	if *only {
		exit(benchSMIME(os.Stdout, *n))
	}
	if *pgpOnly {
		exit(benchPGP(os.Stdout, *n))
	}
	exit(run(os.Stdout, *n))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run prints every comparison to w.
func run(w io.Writer, n int) error {
	pki, err := newPKI()
	if err != nil {
		return err
	}
	clearAddr, tlsAddr, stop, err := startServer(pki)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(w, "%s, %d cores; median of %d rounds of %d\n", runtime.Version(), runtime.NumCPU(), rounds, n)
	if err := benchSMTP(w, pki, clearAddr, tlsAddr, n); err != nil {
		return err
	}
	if err := benchMIME(w, n); err != nil {
		return err
	}
	if err := benchDKIM(w, n); err != nil {
		return err
	}
	if err := benchAudit(w, n); err != nil {
		return err
	}
	if err := benchSend(w, pki, tlsAddr, n); err != nil {
		return err
	}
	if err := benchPHI(w); err != nil {
		return err
	}
	if err := benchSMIME(w, n); err != nil {
		return err
	}
	return benchPGP(w, n)
}
