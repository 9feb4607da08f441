package main

import (
	"context"
	"crypto/fips140"
	"errors"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/crypt/keyfind"
	"github.com/phimail/sdk/crypt/pgp"
	"github.com/phimail/sdk/phimail/discover"
)

// discoverConfig is the discover block: keys found in recipients' domains.
type discoverConfig struct {
	line                    int
	wkd, openpgpkey, smimea value[bool]
	pins                    value[string]
	resolver                value[string]
	caFile                  value[string]
	allowPrivate            value[bool]
	port                    value[int]
}

func (d *discoverConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		d.line = n.Line
		s.mapping(key, n, map[string]setter{
			"wkd":           s.flag(&d.wkd),
			"openpgpkey":    s.flag(&d.openpgpkey),
			"smimea":        s.flag(&d.smimea),
			"pins":          s.text(&d.pins),
			"resolver":      s.text(&d.resolver),
			"ca_file":       s.text(&d.caFile),
			"allow_private": s.flag(&d.allowPrivate),
			"port":          s.number(&d.port),
		})
	}
}

// defaultPins is the file of pins beside the configuration.
const defaultPins = "pins.jsonl"

func (c *config) checkDiscover(s *strict) {
	d := &c.discover
	if d.line == 0 {
		return
	}
	if d.resolver.v == "" {
		d.resolver = value[string]{defaultResolver, d.line, "discover.resolver"}
	}
	if d.pins.v == "" {
		d.pins = value[string]{defaultPins, d.line, "discover.pins"}
	}
	checkResolver(s, &d.resolver, d.line, "discover.resolver")
	checkPort(s, &d.port)
	if d.wkd.v && (c.requireFIPS.v || fips140.Enforced()) {
		s.faultf(d.wkd.line, d.wkd.key, "a Web Key Directory is not possible with require_fips; remove one of them")
	}
}

// openPGP reports whether OpenPGP keys are looked for.
func (d *discoverConfig) openPGP() bool { return d.wkd.v || d.openpgpkey.v }

// on reports whether anything is looked for: the block alone asks nobody.
func (d *discoverConfig) on() bool { return d.openPGP() || d.smimea.v }

// discovery is what the discover block names, once it was opened.
type discovery struct {
	finder *keyfind.Finder
	pins   *keyfind.Pins
}

// discovery is nil if nothing is looked for.
func (a *app) discovery(c *config) (*discovery, error) {
	d := &c.discover
	if !d.on() {
		return nil, nil //nolint:nilnil // no discovery is a configuration, not a fault
	}
	l, err := a.openLookups(c, d.resolver, d.caFile, d.port.v, d.allowPrivate.v)
	if err != nil {
		return nil, err
	}
	found := &discovery{}
	found.finder, err = keyfind.New(keyfind.Config{
		WKD: d.wkd.v, OpenPGPKey: d.openpgpkey.v, SMIMEA: d.smimea.v, Resolver: l.resolver, HTTPS: l.https, Clock: a.now,
	})
	if err != nil {
		return nil, c.discoverFaults(err, d.line, "discover")
	}
	if found.pins, err = keyfind.OpenPins(keyfind.PinsConfig{Path: c.path(d.pins), Clock: a.now}); err != nil {
		return nil, c.discoverFaults(err, d.pins.line, d.pins.key)
	}
	return found, nil
}

// openPGP is the source of OpenPGP keys.
func (f *discovery) openPGP() pgp.KeySource { return discover.OpenPGP(f.finder) }

func (c *config) discoverFaults(err error, line int, key string) error {
	var faults []error
	walk(err, func(e error) {
		f, ok := errors.AsType[*keyfind.FieldError](e)
		if !ok {
			f = &keyfind.FieldError{Problem: e.Error()}
		}
		faults = append(faults, c.fault(line, key, f.Problem))
	})
	return errors.Join(faults...)
}

// discover looks at the block as a message would, without asking anybody.
func (e *examination) discover(_ context.Context, c *config) {
	const name = "discover"
	d := &c.discover
	switch {
	case d.line == 0:
	case !d.on():
		e.note(name, checkWarn, "wkd, openpgpkey and smimea are off: nothing is looked for", "switch one on, or remove the block")
	default:
		if _, err := e.app.discovery(c); err != nil {
			walk(err, func(err error) {
				e.note(faultName(name, err), checkFail, err.Error(), "correct the configuration, or the file")
			})
			return
		}
		l, err := e.app.openLookups(c, d.resolver, d.caFile, d.port.v, d.allowPrivate.v)
		if err == nil && !l.resolver.Trusted() && (d.openpgpkey.v || d.smimea.v) {
			e.note(name, checkWarn, "the resolver is not on this machine, so what it says of DNSSEC does not count and keys from the DNS are never used",
				"run a validating resolver such as Unbound on a loopback address")
			return
		}
		e.note(name, checkOK, "keys are looked for, which tells others who is written to; those that are used are pinned in "+c.path(d.pins), "")
	}
}
