//go:build unix

package dnsworld

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// configure writes the servers' files and makes the keys.
func (w *World) configure(ctx context.Context, bin programs) error {
	if err := os.Mkdir(w.path("db"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(w.path("knot.conf"), []byte(w.knotConf()), 0o600); err != nil {
		return err
	}
	anchor, err := w.makeKey(ctx, bin, ".")
	if err != nil {
		return err
	}
	w.delegations = map[string][]string{".": {"ns.test. A " + w.ip(authorityHost)}}
	for i := range w.zones {
		z := &w.zones[i]
		records, err := w.delegate(ctx, bin, z)
		if err != nil {
			return err
		}
		parent := w.parent(z.Name)
		w.delegations[parent] = append(w.delegations[parent], records...)
	}
	for _, z := range w.all() {
		if err := w.writeZone(&z); err != nil {
			return err
		}
	}
	if err := os.WriteFile(w.path("root.key"), []byte(anchor+"\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(w.path("unbound.conf"), []byte(w.unboundConf()), 0o600)
}

// all is the root zone and the others.
func (w *World) all() []Zone { return append([]Zone{{Name: "."}}, w.zones...) }

// parent is the deepest zone above name.
func (w *World) parent(name string) string {
	parent := "."
	for _, z := range w.zones {
		if strings.HasSuffix(name, "."+z.Name) && len(z.Name) > len(parent) {
			parent = z.Name
		}
	}
	return parent
}

// makeKey makes the key of a zone, and returns the DS record with its SHA-256.
func (w *World) makeKey(ctx context.Context, bin programs, zone string) (string, error) {
	conf := w.path("knot.conf")
	if err := command(ctx, bin.keymgr, "-c", conf, zone, "generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes"); err != nil {
		return "", err
	}
	out, err := output(ctx, bin.keymgr, "-c", conf, zone, "ds")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		// owner DS tag algorithm 2 digest
		if f := strings.Fields(line); len(f) == 6 && f[1] == "DS" && f[4] == "2" {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("keymgr tells no DS record of %s", zone)
}

// delegate returns what the parent has to say of a zone.
func (w *World) delegate(ctx context.Context, bin programs, z *Zone) ([]string, error) {
	records := []string{z.Name + ". NS ns.test."}
	if z.Kind == Unsigned || z.Kind == Down {
		return records, nil
	}
	ds, err := w.makeKey(ctx, bin, z.Name)
	if err != nil {
		return nil, err
	}
	if z.Kind == Bogus {
		f := strings.Fields(ds)
		sum, err := hex.DecodeString(f[5])
		if err != nil {
			return nil, err
		}
		sum[0] ^= 1
		f[5] = hex.EncodeToString(sum)
		ds = strings.Join(f, " ")
	}
	return append(records, ds), nil
}

func (w *World) writeZone(z *Zone) error {
	if z.Kind == Down {
		return nil
	}
	origin := z.Name + "."
	if z.Name == "." {
		origin = "."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s\n$TTL 60\n@ SOA ns.test. hostmaster.test. 1 3600 600 86400 1\n@ NS ns.test.\n", origin)
	for _, r := range append(w.delegations[z.Name], z.Records...) {
		b.WriteString(r + "\n")
	}
	return os.WriteFile(w.zoneFile(z), []byte(b.String()), 0o600)
}

func (w *World) zoneFile(z *Zone) string { return w.path("zone-" + strings.TrimSuffix(z.Name, ".")) }

func (w *World) knotConf() string {
	var b strings.Builder
	fmt.Fprintf(&b, `server:
    rundir: %[1]s
    listen: %[2]s
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: %[1]s/knot.sock
log:
  - target: %[1]s/knot.log
    any: notice
database:
    storage: %[1]s/db
    journal-db-max-size: 20M
    kasp-db-max-size: 20M
    timer-db-max-size: 1M
    catalog-db-max-size: 5M
policy:
  - id: auto
    manual: on
    single-type-signing: on
    algorithm: ecdsap256sha256
template:
  - id: default
    storage: %[1]s
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
zone:
`, w.dir, strings.Replace(w.Authority, ":", "@", 1))
	for _, z := range w.all() {
		fmt.Fprintf(&b, "  - domain: %s\n    file: %s\n", z.Name, w.zoneFile(&z))
		if z.Kind == Signed || z.Kind == Bogus {
			b.WriteString("    dnssec-signing: on\n    dnssec-policy: auto\n")
		}
	}
	return b.String()
}

func (w *World) unboundConf() string {
	host, port, _ := strings.Cut(w.Resolver, ":")
	return fmt.Sprintf(`server:
  directory: "%[1]s"
  chroot: ""
  username: ""
  pidfile: ""
  logfile: "%[1]s/unbound.log"
  use-syslog: no
  do-daemonize: no
  interface: %[2]s@%[3]s
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  trust-anchor-file: "%[1]s/root.key"
  module-config: "validator iterator"
  num-threads: 1
  outgoing-range: 128
  qname-minimisation: no
  val-bogus-ttl: 1
  cache-max-negative-ttl: 1
  local-zone: "test." nodefault
remote-control:
  control-enable: yes
  control-interface: "%[1]s/unbound.sock"
  control-use-cert: no
forward-zone:
  name: "."
  forward-addr: %[4]s
`, w.dir, host, port, strings.Replace(w.Authority, ":", "@", 1))
}
