package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
)

func TestPasscodeOpensAMessage(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	b.open(it.url)
	b.view("start")
	b.accessible("start")
	b.picture("start")
	if n := o.recorded("opened"); n != 0 {
		t.Errorf("loading the page recorded %d openings", n)
	}
	if url := eval[string](b, "location.href"); strings.Contains(url, "s1.") {
		t.Error("the secret stays in the address bar")
	}
	b.begin()
	b.view("passcode")
	b.accessible("passcode")
	b.picture("passcode")
	b.enter("passcode", strings.ToLower(it.passcode))
	b.view("message")
	b.see("your biopsy was benign")
	b.accessible("message")
	b.picture("message-text")
	if got := eval[string](b, `document.querySelector("[data-subject]").textContent`); got != "Your biopsy" {
		t.Errorf("the subject is %q", got)
	}
	if got := eval[string](b, `document.querySelector("[data-text] a").href`); got != "https://portal.clinic.example/images?id=7" {
		t.Errorf("the link in the text is %q", got)
	}
	if o.reads(it) != 1 {
		t.Errorf("read %d times", o.reads(it))
	}
	dir := b.downloads()
	name, eml := b.save(dir, "[data-eml]")
	if name != "message.eml" || !strings.HasPrefix(string(eml), "From: Riverside Clinic") || !strings.HasSuffix(string(eml), strings.SplitN(plain, "\r\n", 2)[1]) {
		t.Errorf("%s holds %q", name, eml)
	}
	b.press(`[data-do="close"]`)
	b.view("closed")
	b.accessible("closed")
	if strings.Contains(eval[string](b, "document.documentElement.outerHTML"), "benign") {
		t.Error("the closed page still holds the message")
	}
	// A reload needs the link no more than the tab has it.
	b.do(chromedp.Reload())
	b.begin()
	b.view("passcode")
	b.quiet()
}

func TestHTMLIsShownWithoutHarm(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, nil)
	it := o.send("=?utf-8?q?R=C3=A9sultats?=", rich, crypt.Access{LinkEnough: true})
	b := newTab(t)
	b.open(it.url)
	b.begin()
	b.view("message")
	inside := `document.querySelector("iframe").contentDocument`
	b.until(inside + `.querySelector("img") && ` + inside + `.querySelector("img").naturalWidth === 1`)
	b.accessible("message with HTML")
	b.picture("message-html")
	for what, expression := range map[string]string{
		"the subject is decoded":         `document.querySelector("[data-subject]").textContent === "Résultats"`,
		"text is shown":                  inside + `.body.innerText.includes("Glucose: 92 mg/dL – normal")`,
		"styles of the message hold":     `getComputedStyle(` + inside + `.querySelector("h2")).color === "rgb(11, 83, 148)"`,
		"nothing ran":                    `window.stolen === undefined`,
		"no script, frame or form":       inside + `.body.querySelectorAll("script,iframe,form,input,button,svg,math,link,meta[http-equiv]").length === 0`,
		"no handler":                     `!/\son\w+=/.test(` + inside + `.body.outerHTML)`,
		"no link that runs":              inside + `.querySelectorAll("a[href]").length === 1`,
		"links open apart":               inside + `.querySelector("a[href]").rel === "noopener noreferrer"`,
		"nothing is loaded from outside": `![...performance.getEntriesByType("resource")].some((e) => e.name.includes("evil"))`,
		"no remote picture":              inside + `.querySelectorAll('img[src^="http"]').length === 0`,
		"the reader is told of them":     `!document.querySelector("[data-remote]").hidden`,
		"the frame is as high as needed": `Math.abs(document.querySelector("iframe").clientHeight - ` + inside + `.body.scrollHeight - 24) < 3`,
		"the frame may not run scripts":  `!document.querySelector("iframe").sandbox.contains("allow-scripts")`,
		"the inline picture is no file":  `document.querySelectorAll("[data-files] li").length === 2`,
	} {
		if !eval[bool](b, expression) {
			t.Errorf("not so: %s", what)
		}
	}
	dir := b.downloads()
	name, content := b.save(dir, "[data-files] li:first-child a")
	if name != "résultats.html" || string(content) != "<script>alert(1)</script>" {
		t.Errorf("%q holds %q", name, content)
	}
	b.quiet()
}

// Many mail templates ask for all the height there is. The frame, whose height
// follows its content, must not grow with it.
func TestHTMLThatFillsTheFrameDoesNotMakeItGrow(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.LinkOnly, nil)
	for name, body := range map[string]string{
		"percent": `<html><head><style>html, body { margin: 0 auto !important; height: 100% !important }</style></head><body><p>Your results</p></body></html>`,
		"view":    `<html><body><div style="min-height: 100vh"><p>Your results</p></div></body></html>`,
	} {
		b := newTab(t)
		b.open(o.send("Results", "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"+body, crypt.Access{LinkEnough: true}).url)
		b.begin()
		b.view("message")
		b.until(`document.querySelector("iframe").contentDocument?.body?.innerText.includes("Your results")`)
		// Each frame of the screen is a chance to grow.
		b.do(chromedp.Evaluate[chromedp.Void](`window.screens = 0; (function count() { if (++window.screens < 60) requestAnimationFrame(count) })()`))
		b.until(`window.screens === 60`)
		if h := eval[int](b, `document.querySelector("iframe").clientHeight`); h < 60 || h > 200 {
			t.Errorf("%s: the frame is %d pixels high for one line", name, h)
		}
		b.quiet()
	}
}

func TestWrongPasscodesLockAndTheSenderUnlocks(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	b.open(it.url)
	b.begin()
	for left := escrow.DefaultAttempts - 1; left > 0; left-- {
		b.enter("passcode", "AAAA-AAAA-AAAA")
		b.see("Attempts left: " + string(rune('0'+left)))
		if left == 3 {
			b.accessible("wrong passcode")
			b.picture("passcode-wrong")
			if !eval[bool](b, `document.querySelector("#passcode").getAttribute("aria-describedby").includes("passcode-note")`) {
				t.Error("the field does not name what is wrong")
			}
		}
	}
	b.enter("passcode", "AAAA-AAAA-AAAA")
	b.view("locked")
	b.accessible("locked")
	b.picture("locked")
	// Also for whoever has the right one, until the sender lifts it.
	b.press(`[data-do="begin"]`)
	b.view("locked")
	if _, err := o.desk.Unlock(t.Context(), escrow.Actor{ID: "nurse-7"}, "riverside", it.ID); err != nil {
		t.Fatal(err)
	}
	b.press(`[data-do="begin"]`)
	b.enter("passcode", it.passcode)
	b.see("your biopsy was benign")
	b.quiet()
}

func TestOneTimeCodeOpens(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Code, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	b.open(it.url)
	b.begin()
	b.view("code")
	b.accessible("code")
	b.picture("code")
	first := o.lastCode()
	b.enter("code", "my code") // costs no attempt, and no code
	b.see("That is not the code")
	if n := o.recorded("denied"); n != 0 || o.lastCode() != first {
		t.Errorf("%d denied for what is no code", n)
	}
	b.enter("code", "00000000")
	b.until(`document.querySelector('[data-view="code"] [data-left]').textContent.includes("4")`)
	b.see("That is not the code")
	b.press(`[data-do="again-code"]`)
	b.see("A new code is on its way")
	b.enter("code", first)
	b.see("That is not the code")
	code := o.lastCode()
	b.enter("code", code[:4]+" "+code[4:]) // as people type it
	b.see("your biopsy was benign")
	b.quiet()
}

func TestHostsLoginOpens(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Login, nil)
	it := o.send("Your biopsy", plain, crypt.Access{})
	b := newTab(t)
	b.open(it.url)
	b.begin()
	b.view("login")
	b.accessible("login")
	b.picture("login")
	b.press("[data-login]")
	b.begin() // back on the page, which still knows the link
	b.see("your biopsy was benign")
	o.signIn("portal-of-somebody-else")
	b.press(`[data-do="close"]`)
	b.press(`[data-do="begin"]`)
	b.view("wrong")
	b.accessible("wrong account")
	b.quiet()
}

func TestEndsAreTold(t *testing.T) {
	t.Parallel()
	o := newOffice(t, escrow.Passcode, nil)
	recalled := o.send("Your biopsy", plain, crypt.Access{})
	expired := o.send("Your biopsy", plain, crypt.Access{})
	if _, err := o.desk.Recall(t.Context(), escrow.Actor{ID: "nurse-7"}, "riverside", recalled.ID); err != nil {
		t.Fatal(err)
	}
	other, _, _ := strings.Cut(expired.url, "#")
	stranger := other + "#s1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	noItem := o.server.URL + "/m/00000000000000000000000000000000#s1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct{ name, url, view string }{
		{"recalled", recalled.url, "recalled"},
		{"wrong-link", stranger, "unknown"}, {"no-item", noItem, "unknown"},
	} {
		b := newTab(t)
		b.open(c.url)
		b.begin()
		b.view(c.view)
		b.accessible(c.name)
		if c.name != "no-item" { // it looks like wrong-link
			b.picture(c.name)
		}
		b.quiet()
	}
	b := newTab(t)
	o.advance(escrow.DefaultExpires)
	b.open(expired.url)
	b.begin()
	b.view("expired")
	b.accessible("expired")
	b.picture("expired")
	b.quiet()
}
