package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/phimail/sdk/dkim"
)

// keyJSON is what keygen made: where the private key lies, and the DNS record
// that publishes the public one.
type keyJSON struct {
	Domain    string   `json:"domain"`
	Selector  string   `json:"selector"`
	Algorithm string   `json:"algorithm"`
	KeyFile   string   `json:"key_file"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Value     string   `json:"value"`
	Strings   []string `json:"strings"`
	Zone      string   `json:"zone"`
}

func (a *app) keygen(_ context.Context, args []string) error {
	if len(args) == 0 || args[0] != "dkim" {
		if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
			return a.helpOn("keygen dkim")
		}
		return fail(exitUsage, "keygen makes DKIM keys: phimail keygen dkim -domain DOMAIN -selector SELECTOR")
	}
	var domain, selector, algorithm, out string
	f := newFlags("keygen dkim")
	f.StringVar(&domain, "domain", "", "")
	f.StringVar(&selector, "selector", "", "")
	f.StringVar(&algorithm, "algorithm", dkim.RSA, "")
	f.StringVar(&out, "out", "", "")
	if helped, err := f.parse(a, args[1:]); err != nil || helped {
		return err
	}
	if domain == "" || selector == "" || f.NArg() > 0 {
		return fail(exitUsage, "keygen dkim needs -domain DOMAIN and -selector SELECTOR and no other words; see phimail keygen dkim -h")
	}
	wanted := []dkimKey{{algorithm: algorithm, selector: selector, path: out}}
	switch algorithm {
	case dkim.RSA, dkim.Ed25519:
	case "both":
		// A selector names one key, so the second key has one of its own.
		wanted = []dkimKey{
			{algorithm: dkim.RSA, selector: selector, path: out},
			{algorithm: dkim.Ed25519, selector: selector + "-ed25519", path: beside(out, "-ed25519")},
		}
	default:
		return fail(exitUsage, "-algorithm must be rsa, ed25519 or both")
	}
	for i := range wanted {
		if err := wanted[i].generate(domain); err != nil {
			return err
		}
	}
	for i := range wanted {
		if err := wanted[i].save(); err != nil {
			return err
		}
		if err := writeJSON(a.stdout, wanted[i].keyJSON); err != nil {
			return fail(exitAudit, "%s was made, but its record could not be written to standard output: %w", wanted[i].path, err)
		}
	}
	a.explainKeys(wanted)
	return nil
}

type dkimKey struct {
	keyJSON

	algorithm, selector, path string
	pem                       []byte
}

// generate makes the key in memory; nothing is on disk if one of two fails.
func (k *dkimKey) generate(domain string) error {
	key, err := dkim.GenerateKey(k.algorithm)
	if err != nil {
		return fail(exitUsage, "keygen dkim: %w", err)
	}
	zone, err := dkim.ZoneLine(domain, k.selector, key.Public())
	if err != nil {
		return fail(exitUsage, "keygen dkim: -domain or -selector is not a DNS name such as clinic.example and s1")
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		return fail(exitUsage, "keygen dkim: %w", err)
	}
	if k.pem, err = dkim.MarshalPrivateKey(key); err != nil {
		return fail(exitUsage, "keygen dkim: %w", err)
	}
	if k.path == "" {
		k.path = k.selector + "." + domain + ".pem"
	}
	// The zone line has the name in the form that DNS wants.
	name, _, _ := strings.Cut(zone, " ")
	k.keyJSON = keyJSON{
		Domain: domain, Selector: k.selector, Algorithm: k.algorithm, KeyFile: k.path,
		Name: strings.TrimSuffix(name, "."), Type: "TXT",
		Value: record, Strings: dkim.RecordStrings(record), Zone: zone,
	}
	return nil
}

// save writes the private key, 0600. It never replaces a file: that could
// destroy a key in use.
func (k *dkimKey) save() error {
	err := createFile(k.path, k.pem, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitConfig, "%s exists already and is not replaced; move it away or choose another name with -out", k.path)
	}
	if err != nil {
		return &failure{exitConfig, fileFault("the key file", k.path, err)}
	}
	return nil
}

// beside puts suffix before the extension of path.
func beside(path, suffix string) string {
	if path == "" {
		return ""
	}
	if i := strings.LastIndexByte(path, '.'); i > strings.LastIndexByte(path, '/')+1 {
		return path[:i] + suffix + path[i:]
	}
	return path + suffix
}

func (a *app) explainKeys(keys []dkimKey) {
	for i := range keys {
		k := &keys[i]
		_, _ = fmt.Fprintf(a.stderr, "The private key is in %s; keep it secret.\n", k.path)
		_, _ = fmt.Fprintf(a.stderr, "Publish this DNS record, then wait until it is visible:\n\n%s\n\n", strings.TrimSpace(k.Zone))
		_, _ = fmt.Fprintf(a.stderr, "Then add to the configuration file:\n\n  dkim: [{domain: %s, selector: %s, key_file: %s}]\n\n",
			k.Domain, k.Selector, k.path)
	}
	_, _ = fmt.Fprintf(a.stderr, "Check it with: phimail doctor -config FILE\n")
}
