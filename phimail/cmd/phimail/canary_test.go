package main

import (
	"strings"
	"testing"

	tt "github.com/phimail/sdk/transport/transporttest"
)

// canary stands in everything that must stay where it is: addresses (but for
// their domain, which is on record), names, the subject, the body, a header, the
// password and what the relay says.
const canary = "zq9canary"

const canaryMessage = "From: no-reply@clinic.example\n" +
	"To: " + canary + " Doe <" + canary + "@example.org>\n" +
	"Cc: " + canary + "-cc@example.com\n" +
	"Bcc: " + canary + "-bcc@example.net\n" +
	"Subject: " + canary + " results\n" +
	"X-Chart: " + canary + "\n" +
	"\n" +
	canary + " is positive\n"

// canaryScripts are relays that fail in every way and repeat what they heard.
func canaryScripts() map[string]tt.Script {
	scripts := map[string]tt.Script{
		"accepts": {},
		"no TLS":  {Clear: []string{"PIPELINING", canary}},
	}
	echo := canary + " <" + canary + "@example.org> \x1b[31m" + canary
	for _, p := range []tt.Point{
		tt.AtGreeting, tt.AtHello, tt.AtStartTLS, tt.AtHelloTLS, tt.AtAuth, tt.AtMail, tt.AtRcpt, tt.AtData, tt.AtDot,
	} {
		for name, step := range map[string]tt.Step{
			"5xx":       {Say: "554 5.7.1 " + echo + "\r\n"},
			"4xx":       {Say: "451 4.3.0 " + echo + "\r\n"},
			"malformed": {Say: echo + "\r\n"},
			"binary":    {Say: "250-" + canary + "\x00\xff\r\n25", Then: tt.Cut},
			"cut":       {Say: "250-" + echo, Then: tt.Cut},
			"drop":      {Then: tt.Reset},
		} {
			scripts[name+" at "+string(p)] = tt.Script{At: map[tt.Point][]tt.Step{p: {step}}}
		}
	}
	scripts["5xx for one"] = tt.Script{At: map[tt.Point][]tt.Step{tt.AtRcpt: {{Nth: 2, Say: "550 5.1.1 " + echo + "\r\n"}}}}
	scripts["plaintext in place of the handshake"] = tt.Script{At: map[tt.Point][]tt.Step{tt.AtHandshake: {{Raw: "250 " + echo + "\r\n", Then: tt.Close}}}}
	return scripts
}

func TestCanaryNeverReachesDiagnosticsOrTheLog(t *testing.T) {
	t.Parallel()
	for name, script := range canaryScripts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOffice(t, officeOptions{scripts: []tt.Script{script}, relay: "    username_env: U\n    password_env: P"})
			w := world{stdin: canaryMessage, env: map[string]string{"U": canary + "-user", "P": canary + "-password"}, txtErr: errCanary{}}
			for _, args := range [][]string{
				{"send", "-config", f.config, "-t", "-patient", canary, "-key", canary},
				{"plan", "-config", f.config, "-t", "-patient", canary, "-key", canary},
				{"doctor", "-config", f.config},
				{"audit", "verify", f.log()},
			} {
				r := w.run(t, args...)
				wantNoCanary(t, args[0]+": standard error", r.stderr)
				switch args[0] {
				case "send", "plan":
					// The receipt may hold addresses, and the key that it was given.
					wantNoCanary(t, args[0]+": the receipt", withoutAddresses(t, r))
				default:
					wantNoCanary(t, args[0]+": standard output", r.stdout)
				}
			}
			wantNoCanary(t, "the log", string(f.everything(t)))
		})
	}
}

// errCanary is a failing DNS that repeats what it was asked.
type errCanary struct{}

func (errCanary) Error() string { return canary }

func wantNoCanary(t *testing.T, where, s string) {
	t.Helper()
	if i := strings.Index(strings.ToLower(s), canary); i >= 0 {
		t.Errorf("%s holds the canary: …%s", where, s[max(0, i-80):min(len(s), i+40)])
	}
	if strings.Contains(s, "\x1b") {
		t.Errorf("%s holds an escape", where)
	}
}

func withoutAddresses(t *testing.T, r result) string {
	t.Helper()
	receipt := r.receipt(t)
	s := strings.Replace(r.stdout, `"idempotency_key":"`+canary+`"`, "", 1)
	for _, x := range receipt.Recipients {
		s = strings.Replace(s, `"address":"`+x.Address+`"`, "", 1)
	}
	return s
}

func TestCanaryInMalformedInputIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := newOffice(t, officeOptions{})
	for name, stdin := range map[string]string{
		"no colon":          canary + "\n\n" + canary,
		"bad address":       "To: " + canary + "@@example.org\n\nx\n",
		"two subjects":      "To: a@b.example\nSubject: " + canary + "\nSubject: " + canary + "\n\nx\n",
		"unknown field":     "To: a@b.example\n" + canary + ": " + canary + "\n\nx\n",
		"bare CR":           "To: a@b.example\nSubject: " + canary + "\r" + canary + "\n\nx\n",
		"NUL":               "To: a@b.example\n\n" + canary + "\x00\n",
		"foreign sender":    "From: " + canary + "@example.org\nTo: a@b.example\n\nx\n",
		"broken multipart":  "To: a@b.example\nContent-Type: multipart/mixed; boundary=" + canary + "\n\n" + canary + "\n",
		"unknown transfer":  "To: a@b.example\nContent-Transfer-Encoding: " + canary + "\n\n" + canary + "\n",
		"resent":            "To: a@b.example\nResent-To: " + canary + "@example.org\n\nx\n",
		"bad date":          "To: a@b.example\nDate: " + canary + "\n\nx\n",
		"address literal":   "To: " + canary + "@[192.0.2.1]\n\nx\n",
		"overlong address":  "To: " + strings.Repeat(canary, 20) + "@example.org\n\nx\n",
		"overlong header":   "To: a@b.example\nX-A: " + strings.Repeat(canary, 100_000) + "\n\nx\n",
		"control character": "To: a@b.example\nSubject: " + canary + "\x1b[31m\n\nx\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := world{stdin: stdin}.run(t, "send", "-config", f.config, "-t")
			wantNoCanary(t, "standard error", r.stderr)
		})
	}
	for _, args := range [][]string{
		{"send", "-config", f.config, "-f", canary, "a@b.example"},
		{"send", "-config", f.config, "-actor", canary + " x", "a@b.example"},
		{"send", "-config", f.config, canary + " x"},
		{"send", "-" + canary + "@x.example", "-config", f.config},
	} {
		r := world{stdin: "Subject: x\n\nhello\n"}.run(t, args...)
		r.want(t, exitUsage, "")
		wantNoCanary(t, "standard error", r.stderr)
	}
}
