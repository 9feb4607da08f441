package dkimtest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verifyScript prints a line for each signature: domain, selector, algorithm,
// result, detail. The first argument names the file of records.
const verifyScript = `use strict;
use warnings;

package FileResolver;
use Net::DNS;

sub new {
    my ($class, $path) = @_;
    my %txt;
    open my $in, '<', $path or die "records: $!";
    while (my $line = <$in>) {
        chomp $line;
        my ($name, $text) = split /\t/, $line, 2;
        $txt{lc $name} = $text;
    }
    return bless { txt => \%txt }, $class;
}

sub errorstring { return 'NOERROR' }

sub send {
    my ($self, $name, $type) = @_;
    my $packet = Net::DNS::Packet->new($name, $type);
    my $text = $self->{txt}{lc $name};
    if ($type ne 'TXT' || !defined $text) {
        $packet->header->rcode('NXDOMAIN');
        return $packet;
    }
    my @strings = $text =~ /(.{1,255})/g;
    $packet->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => \@strings));
    return $packet;
}

package main;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;

Mail::DKIM::DNS::resolver(FileResolver->new($ARGV[0]));
my $verifier = Mail::DKIM::Verifier->new();
binmode STDIN;
$verifier->load(*STDIN);
for my $s ($verifier->signatures) {
    print join("\t", map { defined $_ ? $_ : '' } $s->domain, $s->selector, $s->algorithm, $s->result, $s->result_detail), "\n";
}
`

// MailDKIM verifies with Perl's Mail::DKIM (Debian's libmail-dkim-perl), all
// signatures in one run.
func MailDKIM(tb testing.TB, message []byte, records Records) []Result {
	tb.Helper()
	perl := program(tb, "perl", "libmail-dkim-perl")
	dir := tb.TempDir()
	script, keys := filepath.Join(dir, "verify.pl"), filepath.Join(dir, "keys")
	writeFile(tb, script, []byte(verifyScript))
	records.write(tb, keys, "\t")
	cmd := exec.CommandContext(tb.Context(), perl, script, keys)
	cmd.Stdin = bytes.NewReader(message)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if bytes.Contains(stderr.Bytes(), []byte("Can't locate Mail/DKIM/")) {
		missing(tb, "Mail::DKIM", "libmail-dkim-perl")
	}
	if err != nil {
		tb.Fatalf("Mail::DKIM did not run: %v\n%s", err, stderr.Bytes())
	}
	var results []Result
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 {
			tb.Fatalf("Mail::DKIM's answer has %d columns: %q", len(f), line)
		}
		r := Result{Domain: f[0], Selector: f[1], Algorithm: f[2], Status: Fail, Detail: f[4]}
		switch {
		case f[3] == "pass":
			r.Status = Pass
		case strings.Contains(f[4], "unsupported algorithm"):
			r.Status = Unsupported
		}
		results = append(results, r)
	}
	return results
}
