package browser_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a step may take on a busy machine.
const patience = 60 * time.Second

// chromium is the one browser of all tests.
var chromium struct {
	once sync.Once
	ctx  context.Context
	err  error
	end  func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.end != nil {
		chromium.end()
	}
	os.Exit(code)
}

// needs skips a test on a machine without a peer, and fails it where all peers
// have to be there.
func needs(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("PHIMAIL_REAL_PEERS") != "" {
		t.Fatalf("%s is missing", missing)
	}
	t.Skipf("%s is not here; on Debian: apt-get install chromium", missing)
}

func start() (context.Context, error) {
	chromium.once.Do(func() {
		profile, err := os.MkdirTemp("", "phimail-browser-")
		if err != nil {
			chromium.err = err
			return
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(patience),
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("lang", "en-US"), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, closeBrowser := chromedp.NewContext(allocator)
		chromium.ctx, chromium.err = ctx, chromedp.Do(ctx) //nolint:fatcontext // one browser for all tests
		chromium.end = func() {
			closeBrowser()
			stop()
			_ = os.RemoveAll(profile)
		}
	})
	return chromium.ctx, chromium.err
}

// tab is a tab of its own, with nothing of another's.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // exceptions, errors on the console
}

func newTab(t *testing.T) *tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		needs(t, "chromium")
	}
	parent, err := start()
	if err != nil {
		t.Fatal("chromium does not start: ", err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 3*patience)
	t.Cleanup(stop)
	b := &tab{t: t, ctx: ctx}
	b.must(chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.problem(fmt.Sprintf("%+v", e.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError {
				b.problem(fmt.Sprintf("console: %v", e.Args))
			}
		}
	}))
	b.media("light")
	return b
}

func (b *tab) problem(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, s)
}

// must ends the test after an error, with what the page shows.
func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%v; the page shows %q; its problems: %q", err, b.shows(), b.problems)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.must(chromedp.Do(ctx, steps...))
}

// call sends a command of the protocol to the tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, command, params)
	b.must(err)
}

// shows is the visible text of the page.
func (b *tab) shows() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return "nothing"
	}
	return text
}

// view waits until the page shows a view.
func (b *tab) view(name string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(fmt.Sprintf(`[data-view="%s"] h1`, name)))
}

// see waits until the page shows a text.
func (b *tab) see(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// until waits for an expression to become true, also on a page that the present
// one leads to.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(patience)))
		if err != nil && ctx.Err() == nil && (strings.Contains(err.Error(), "context") || strings.Contains(err.Error(), "navigat")) {
			continue
		}
		b.must(err)
		return
	}
}

func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// press clicks what the reader sees in the view that is shown.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(`[data-view]:not([hidden]) `+selector, chromedp.NodeVisible))
}

func (b *tab) begin() {
	b.t.Helper()
	b.view("start")
	b.press(`[data-do="begin"]`)
}

// enter types into the view's only field and submits.
func (b *tab) enter(view, text string) {
	b.t.Helper()
	b.view(view)
	field := fmt.Sprintf(`[data-view="%s"] input`, view)
	b.do(chromedp.WaitEnabled(fmt.Sprintf(`[data-view="%s"] button.main`, view)),
		chromedp.SendKeys(field, text), chromedp.Click(fmt.Sprintf(`[data-view="%s"] form button.main`, view)))
}

// eval evaluates an expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	b.must(err)
	return v
}

// quiet fails the test if a script of the page had a fault.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Error("the page's script: ", p)
	}
}

// device makes the tab a phone or a desktop.
func (b *tab) device(width, height int64, phone bool) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone,
	})
}

// media makes the tab light or dark.
func (b *tab) media(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// speaks makes the tab's browser prefer a language.
func (b *tab) speaks(language string) {
	b.t.Helper()
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
}

// downloads sends what the page saves into a folder, and returns it.
func (b *tab) downloads() string {
	b.t.Helper()
	dir := b.t.TempDir()
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: new(true),
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	b.must(err)
	return dir
}

// save clicks a link that downloads, and returns the file's name and content.
func (b *tab) save(dir, selector string) (name string, content []byte) {
	b.t.Helper()
	begun, done := make(chan string, 1), make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	b.must(chromedp.ListenBrowser(ctx, func(event any) {
		switch e := event.(type) {
		case *browser.EventDownloadWillBegin:
			begun <- e.SuggestedFilename
		case *browser.EventDownloadProgress:
			if e.State == browser.DownloadProgressStateCompleted {
				done <- struct{}{}
			}
		}
	}))
	b.do(chromedp.Click(chromedp.CSS(selector)))
	timeout := time.After(patience)
	select {
	case name = <-begun:
	case <-timeout:
		b.t.Fatal("nothing is saved")
	}
	select {
	case <-done:
	case <-timeout:
		b.t.Fatal("saving does not end")
	}
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return name, content
}

// accessible runs axe-core on the page as it is, by every rule that it has for
// WCAG 2.2 AA and good practice.
func (b *tab) accessible(what string) {
	b.t.Helper()
	script := os.Getenv("PHIMAIL_AXE")
	if script == "" {
		if os.Getenv("PHIMAIL_REAL_PEERS") != "" {
			b.t.Fatal("PHIMAIL_AXE must name axe.min.js of the npm package axe-core")
		}
		return
	}
	source, err := os.ReadFile(script)
	if err != nil {
		b.t.Fatal(err)
	}
	eval[bool](b, string(source)+"\n;typeof axe === 'object'")
	type violation struct {
		ID, Impact, Help string
		Nodes            []string
	}
	type report struct {
		Violations []violation
		Passes     int
	}
	got := eval[report](b, `axe.run(document, {iframes: false, runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) => ({
		Passes: r.passes.length,
		Violations: r.violations.map((v) => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => n.html)})),
	}))`)
	if got.Passes < 10 {
		b.t.Errorf("%s: axe looked at too little: %d rules passed", what, got.Passes)
	}
	for _, v := range got.Violations {
		b.t.Errorf("%s: %s (%s): %s\n%s", what, v.ID, v.Impact, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// pressBeside clicks what is beside the views.
func (b *tab) pressBeside(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// tabTo moves the focus by the tabulator until an element has it.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 30 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			return
		}
	}
	b.t.Fatalf("the tabulator does not lead to %s", selector)
}
