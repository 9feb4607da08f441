package browser_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/crypt/escrow/portal"
)

func TestSpanishAndLanguagesOfTheHost(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, func(c *portal.Config) { c.Texts = french(t) })
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	b.speaks("es-MX,es;q=0.9,en;q=0.5")
	b.open(it.url)
	b.see("Riverside Clinic le ha enviado un mensaje")
	b.accessible("start in Spanish")
	b.picture("start-es")
	// The switch keeps the link.
	b.pressBeside(`nav [data-language="fr"]`)
	b.see("Riverside Clinic vous a envoyé un message")
	b.pressBeside(`nav [data-language="es"]`)
	b.see("Riverside Clinic le ha enviado un mensaje")
	b.begin()
	b.enter("passcode", it.passcode)
	b.see("lunes, 9 de marzo de 2026")
	b.accessible("message in Spanish")
	b.quiet()
}

func TestKeyboardAloneIsEnough(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	b.open(it.url)
	b.view("start")
	b.tabTo(`[data-do="begin"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.view("passcode")
	if !eval[bool](b, `document.activeElement.id === "passcode"`) {
		t.Error("the field does not have the focus")
	}
	b.do(chromedp.KeyEvent("wrong"), chromedp.KeyEvent(kb.Enter))
	b.see("Attempts left")
	if !eval[bool](b, `document.activeElement.id === "passcode"`) {
		t.Error("after a wrong passcode the field does not have the focus")
	}
	b.do(chromedp.KeyEvent(it.passcode), chromedp.KeyEvent(kb.Enter))
	b.see("your biopsy was benign")
	if !eval[bool](b, `document.activeElement.hasAttribute("data-subject")`) {
		t.Error("the message's heading does not have the focus")
	}
	b.tabTo("[data-eml]")
	b.tabTo(`[data-do="close"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.view("closed")
	b.quiet()
}

func TestPhoneAndZoomNeedNoSidewaysScrolling(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, nil)
	it := o.send(strings.Repeat("Averylongsubjectwithoutanyspace", 5), rich, crypt.Access{LinkEnough: true})
	for _, d := range []struct {
		name          string
		width, height int64
		phone         bool
		scheme        string
	}{{"phone", 360, 740, true, "light"}, {"phone-dark", 390, 844, true, "dark"}, {"zoom-200", 640, 400, false, "dark"}, {"zoom-400", 320, 256, false, "light"}} {
		b := newTab(t)
		b.device(d.width, d.height, d.phone)
		b.media(d.scheme)
		b.open(it.url)
		b.view("start")
		b.accessible(d.name + " start")
		b.begin()
		b.view("message")
		b.until(`document.querySelector("iframe").contentDocument?.body?.innerText.includes("Glucose")`)
		if w := eval[int64](b, `document.documentElement.scrollWidth`); w > d.width {
			t.Errorf("%s: the page is %d wide on a screen of %d", d.name, w, d.width)
		}
		if small := eval[int](b, `[...document.querySelectorAll("button, a")].filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24).length`); small > 0 {
			t.Errorf("%s: %d targets are lower than 24 pixels", d.name, small)
		}
		b.accessible(d.name + " message")
		b.picture(d.name)
		b.quiet()
	}
}

func TestWithoutScriptThePageSaysWhatToDo(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open(it.url)
	b.do(chromedp.WaitVisible(chromedp.CSS("noscript h1")))
	b.picture("no-script")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
}

func TestRewrittenLinksWorkOrSayWhatToDo(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	page, fragment, _ := strings.Cut(it.url, "#")
	for what, link := range map[string]string{
		"fragment escaped into the path": page + "%23" + fragment,
		"query added":                    page + "?utm_source=mail&x=1#" + fragment,
		"slash added":                    page + "/#" + fragment,
		"fragment's dot escaped":         page + "#" + strings.Replace(fragment, ".", "%2E", 1),
		"something appended":             it.url + "?utm_source=mail",
		"wrapped by a redirect":          o.server.URL + "/m/go?url=" + url.QueryEscape(it.url),
	} {
		b := newTab(t)
		b.open(link)
		b.begin()
		if b.t.Failed() {
			t.Fatal(what)
		}
		b.view("passcode")
		b.quiet()
	}
	b := newTab(t)
	b.open(page) // the fragment is gone
	b.view("broken")
	b.accessible("broken link")
	b.picture("broken")
	b.enter("broken", "https://mail.clinic.example/m/")
	b.see("That is not the whole link")
	b.accessible("broken link, wrong again")
	b.enter("broken", it.url)
	b.begin()
	b.enter("passcode", it.passcode)
	b.see("your biopsy was benign")
	b.quiet()
}

// attachment is an entity with a file of zeros.
func attachment(size int) (length int64, read func() io.Reader) {
	head := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nThe scan.\r\n" +
		"--x\r\nContent-Type: application/dicom\r\nContent-Disposition: attachment; filename=\"scan.dcm\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	line := base64.StdEncoding.EncodeToString(make([]byte, 57)) + "\r\n"
	lines := size / 57
	tail := "--x--\r\n"
	return int64(len(head) + lines*len(line) + len(tail)), func() io.Reader {
		return io.MultiReader(strings.NewReader(head), bufio.NewReader(&repeated{line: line, left: lines}), strings.NewReader(tail))
	}
}

type repeated struct {
	line string
	left int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = r.line
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestLargeFileShowsProgress(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, nil)
	const size = 25 << 20 / 57 * 57
	length, read := attachment(size)
	it := o.sendSized("Your scan", length, read, crypt.Access{LinkEnough: true})
	b := newTab(t)
	b.open(it.url)
	b.view("start")
	eval[bool](b, `(window.seen = [], new MutationObserver(() => seen.push(document.querySelector("progress").value)).observe(document.querySelector("[data-percent]"), {childList: true}), true)`)
	b.begin()
	b.see("scan.dcm")
	b.accessible("large message")
	if steps := eval[[]float64](b, "seen"); len(steps) < 10 || steps[len(steps)-1] < 0.99 {
		t.Errorf("progress had %d steps: %v", len(steps), steps)
	}
	name, content := b.save(b.downloads(), "[data-files] a")
	if name != "scan.dcm" || !bytes.Equal(content, make([]byte, size)) {
		t.Errorf("%s has %d bytes", name, len(content))
	}
	b.quiet()
}

func TestIdlePageClosesTheMessage(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, func(c *portal.Config) { c.IdleLock = 20 * time.Second })
	it := o.send("Your biopsy", plain, crypt.Access{LinkEnough: true})
	b := newTab(t)
	b.open(it.url)
	b.begin()
	b.view("message")
	b.do(chromedp.WaitVisible(chromedp.CSS("[data-idle-soon]")))
	b.do(chromedp.KeyEvent("a")) // at once: half of IdleLock later the page closes
	if !eval[bool](b, `document.querySelector("[data-idle-soon]").hidden`) {
		t.Error("a key does not keep the page open")
	}
	b.do(chromedp.WaitVisible(chromedp.CSS("[data-idle-soon]")))
	b.accessible("soon closed")
	b.view("idle")
	b.accessible("idle")
	if strings.Contains(eval[string](b, "document.documentElement.outerHTML"), "benign") {
		t.Error("the message is still in the page")
	}
	b.press(`[data-do="begin"]`)
	b.see("your biopsy was benign")
	b.quiet()
}

// A device that sleeps stops the timers; what wakes it does not count as use.
func TestMessageDoesNotOutlastTheSleepOfADevice(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, nil)
	it := o.send("Your biopsy", plain, crypt.Access{LinkEnough: true})
	for name, wake := range map[string]chromedp.Action[chromedp.Void]{
		"a key":      chromedp.KeyEvent("a"),
		"the screen": chromedp.Evaluate[chromedp.Void](`void document.dispatchEvent(new Event("visibilitychange"))`),
	} {
		b := newTab(t)
		b.open(it.url)
		b.begin()
		b.see("your biopsy was benign")
		b.do(wake)
		if !eval[bool](b, `document.body.innerText.includes("benign")`) {
			t.Errorf("%s closes a message that is in use", name)
		}
		b.do(chromedp.Evaluate[chromedp.Void](`{ const now = Date.now; Date.now = () => now() + 11 * 60 * 1000; void 0 }`), wake)
		b.view("idle")
		if strings.Contains(eval[string](b, "document.documentElement.outerHTML"), "benign") {
			t.Errorf("%s: the message is still in the page", name)
		}
		b.quiet()
	}
}

// corrupt changes what the store has of an item's ciphertext.
func (o *office) corrupt(it item, change func([]byte) []byte) {
	o.t.Helper()
	ctx := o.t.Context()
	stored, err := o.store.Items.Load(ctx, it.ID)
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := o.store.Contents.Open(ctx, stored.Content)
	if err != nil {
		o.t.Fatal(err)
	}
	sealed, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil {
		o.t.Fatal(err)
	}
	altered := change(sealed)
	if err := o.store.Contents.Put(ctx, it.ID, bytes.NewReader(altered)); err != nil {
		o.t.Fatal(err)
	}
	stored.Content, stored.Size = it.ID, int64(len(altered))
	stored.Version++
	if err := o.store.Items.Save(ctx, stored); err != nil {
		o.t.Fatal(err)
	}
}

func TestBrowserRefusesWhatWasAltered(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, nil)
	length, read := attachment(300_000)
	const header, chunk = 76, 65536 + 28
	for what, change := range map[string]func([]byte) []byte{
		"a bit":             func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"the header":        func(b []byte) []byte { b[70] ^= 1; return b },
		"cut at a chunk":    func(b []byte) []byte { return b[:header+chunk] },
		"cut in a chunk":    func(b []byte) []byte { return b[:len(b)-5] },
		"something more":    func(b []byte) []byte { return append(b, 0) },
		"two chunks change": func(b []byte) []byte { return swapped(b, header, chunk) },
	} {
		it := o.sendSized("Your scan", length, read, crypt.Access{LinkEnough: true})
		o.corrupt(it, change)
		b := newTab(t)
		b.open(it.url)
		b.begin()
		b.view("damaged")
		if strings.Contains(b.shows(), "scan") {
			t.Errorf("%s: something of the message is shown", what)
		}
		b.accessible("damaged")
		b.quiet()
	}
}

func swapped(b []byte, header, chunk int) []byte {
	first := bytes.Clone(b[header : header+chunk])
	copy(b[header:], b[header+chunk:header+2*chunk])
	copy(b[header+chunk:], first)
	return b
}

// A scanner fetches what it sees, in every way, and clicks on everything.
func TestScannersReadNothingAndSpoilNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	page, _, _ := strings.Cut(it.url, "#")
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			method := http.MethodGet
			if i%2 == 1 {
				method = http.MethodHead
			}
			req, err := http.NewRequestWithContext(t.Context(), method, page+"?n="+strconv.Itoa(i), nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Purpose", "prefetch")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
		})
	}
	group.Wait()
	if kinds := o.kinds(); len(kinds) > 0 && kinds[len(kinds)-1] != "stored" && kinds[len(kinds)-1] != "notified" {
		t.Errorf("fetching was recorded: %v", kinds)
	}
	b := newTab(t)
	b.open(it.url)
	b.view("start")
	// By script on everything, then as a mouse would on what there is to see.
	eval[bool](b, `document.querySelectorAll("a, button, input").forEach((e) => e.click()) === undefined`)
	c := newTab(t)
	c.open(it.url)
	c.begin()
	c.view("passcode")
	for range 3 {
		c.press(`button.main`)
	}
	if n := o.reads(it); n != 0 {
		t.Errorf("a scanner read it %d times", n)
	}
	d := newTab(t)
	d.open(it.url)
	d.begin()
	d.enter("passcode", it.passcode)
	d.see("your biopsy was benign")
	if n := o.reads(it); n != 1 {
		t.Errorf("read %d times, want once", n)
	}
	if left := eval[string](d, `document.querySelector("[data-left]").textContent`); !strings.Contains(left, strconv.Itoa(escrow.DefaultAttempts)) {
		t.Errorf("the scanner has cost attempts: %s", left)
	}
	d.quiet()
}
