//go:build unix

package postfix

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/phimail/sdk/transport/transporttest"
)

func (s *Server) etc() string { return filepath.Join(s.dir, "etc") }

// box is the Maildir that takes all mail.
func (s *Server) box() string { return filepath.Join(s.dir, "mail", "box") }

// configure writes everything but master.cf, which holds the port.
func (s *Server) configure(opts *Options) error {
	o, err := lookUp()
	if err != nil {
		return err
	}
	if err := s.makeDirs(o); err != nil {
		return err
	}
	if s.CA = opts.CA; s.CA == nil {
		if s.CA, err = transporttest.NewCA(); err != nil {
			return err
		}
	}
	cert, err := s.CA.Issue(opts.Certificate, opts.Host)
	if err != nil {
		return err
	}
	if s.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
		return err
	}
	chain, key, err := transporttest.EncodePEM(cert)
	if err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	for name, data := range map[string][]byte{
		s.CAFile:                            s.CA.PEM(),
		filepath.Join(s.etc(), "relay.pem"): append(key, chain...),
		filepath.Join(s.etc(), "main.cf"):   []byte(s.mainCF(opts, o)),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(filepath.Join(s.etc(), "main.cf"), 0o644) //nolint:gosec // Postfix's users read it
}

// makeDirs makes the directories with the owners that Postfix insists on.
func (s *Server) makeDirs(o owners) error {
	const root, wheel = 0, 0
	for _, d := range []struct {
		path     string
		uid, gid int
		mode     os.FileMode
	}{
		{"etc", root, wheel, 0o755},
		{"data", o.postfix, wheel, 0o700},
		{"queue", root, wheel, 0o755},
		{"queue/pid", root, wheel, 0o755},
		{"queue/active", o.postfix, wheel, 0o700}, {"queue/bounce", o.postfix, wheel, 0o700}, {"queue/corrupt", o.postfix, wheel, 0o700},
		{"queue/defer", o.postfix, wheel, 0o700}, {"queue/deferred", o.postfix, wheel, 0o700}, {"queue/flush", o.postfix, wheel, 0o700},
		{"queue/hold", o.postfix, wheel, 0o700}, {"queue/incoming", o.postfix, wheel, 0o700}, {"queue/private", o.postfix, wheel, 0o700},
		{"queue/saved", o.postfix, wheel, 0o700}, {"queue/trace", o.postfix, wheel, 0o700},
		{"queue/maildrop", o.postfix, o.postdrop, 0o730}, {"queue/public", o.postfix, o.postdrop, 0o710},
		{"mail", o.nobody, o.nogroup, 0o700},
	} {
		path := filepath.Join(s.dir, d.path)
		if err := os.Mkdir(path, d.mode); err != nil {
			return err
		}
		if err := os.Chmod(path, d.mode); err != nil { // whatever the umask
			return err
		}
		if err := os.Chown(path, d.uid, d.gid); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) mainCF(opts *Options, o owners) string {
	level := "may"
	if opts.NoTLS {
		level = "none"
	}
	set := map[string]string{
		"compatibility_level":                 "3.6",
		"queue_directory":                     filepath.Join(s.dir, "queue"),
		"data_directory":                      filepath.Join(s.dir, "data"),
		"maillog_file":                        filepath.Join(s.dir, "log"),
		"maillog_file_prefixes":               s.dir,
		"inet_interfaces":                     "127.0.0.1",
		"inet_protocols":                      "ipv4",
		"myhostname":                          opts.Host,
		"mynetworks":                          "127.0.0.0/8",
		"smtpd_relay_restrictions":            "permit_mynetworks, reject",
		"smtpd_tls_security_level":            level,
		"smtpd_tls_chain_files":               filepath.Join(s.etc(), "relay.pem"),
		"smtpd_client_connection_count_limit": "0",
		"smtpd_peername_lookup":               "no",
		// The content is not completed or rewritten.
		"local_header_rewrite_clients": "",
		// All mail ends in one mailbox, whoever it is for; nothing leaves.
		"mydestination":        "",
		"default_transport":    "virtual",
		"virtual_mailbox_base": filepath.Join(s.dir, "mail"),
		"virtual_mailbox_maps": "static:box/",
		"virtual_uid_maps":     fmt.Sprintf("static:%d", o.nobody),
		"virtual_gid_maps":     fmt.Sprintf("static:%d", o.nogroup),
	}
	maps.Copy(set, opts.Settings)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&b, "%s = %s\n", name, set[name])
	}
	return b.String()
}

func (s *Server) writeMaster() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	//nolint:dupword // columns
	services := host + ":" + port + ` inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`
	return os.WriteFile(filepath.Join(s.etc(), "master.cf"), []byte(services), 0o644) //nolint:gosec // Postfix's users read it
}
