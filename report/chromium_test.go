package report

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	protocol "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a Chromium that resolves no name and uses no proxy.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium here: the page is not tested in a browser (Debian: apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	options = append(options, more...)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Skipf("%s does not start: %v", program, err)
	}
	return ctx
}

// A watch collects what a page must not do.
type watch struct {
	mu   sync.Mutex
	seen []string
}

func (w *watch) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf(format, args...))
}

// take returns what was seen since the last call.
func (w *watch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.seen
	w.seen = nil
	return out
}

// listen reports requests, console messages, exceptions and violations of the
// policy in a tab.
func (w *watch) listen(ctx context.Context, address string) error {
	return chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			u := e.Request.URL
			if page, _, _ := strings.Cut(u, "#"); page != address && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
				w.add("request for %s", u)
			}
		case *runtime.EventConsoleAPICalled:
			var text []string
			for _, a := range e.Args {
				text = append(text, string(a.Value)+a.Description)
			}
			w.add("console %s: %s", e.Type, strings.Join(text, " "))
		case *runtime.EventExceptionThrown:
			text := e.ExceptionDetails.Text
			if x := e.ExceptionDetails.Exception; x != nil {
				text += " " + x.Description
			}
			w.add("exception: %s", text)
		case *log.EventEntryAdded:
			w.add("log %s: %s", e.Entry.Level, e.Entry.Text)
		}
	})
}

// open loads a page into a new tab, and waits until all its graphics are drawn.
func open(t *testing.T, parent context.Context, file string, before ...chromedp.Action[chromedp.Void]) (context.Context, *watch) {
	t.Helper()
	tab, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	do(t, tab)
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	address := (&url.URL{Scheme: "file", Path: file}).String()
	w := &watch{}
	if err := w.listen(ctx, address); err != nil {
		t.Fatal(err)
	}
	const violations = `addEventListener("securitypolicyviolation", (e) => console.error("policy: " + e.violatedDirective + " " + e.blockedURI));`
	call(t, ctx, network.Enable, network.EnableParams{})
	call(t, ctx, log.Enable, cdp.Empty{})
	call(t, ctx, protocol.AddScriptToEvaluateOnNewDocument, protocol.AddScriptToEvaluateOnNewDocumentParams{Source: violations})
	do(t, ctx, before...)
	do(t, ctx, chromedp.Navigate(address), chromedp.WaitReady(`html[data-ready="true"]`))
	return ctx, w
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// get runs an action and returns its value.
func get[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// call runs a command of the protocol.
func call[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], params P) R {
	t.Helper()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ask evaluates an expression that gives a text.
func ask(t *testing.T, ctx context.Context, expression string) string {
	t.Helper()
	return get(t, ctx, chromedp.Evaluate[string]("String("+expression+")"))
}

// expect compares a text on the page, which may take a moment to appear.
func expect(t *testing.T, ctx context.Context, expression, want string) {
	t.Helper()
	got := ""
	for range 200 {
		if got = ask(t, ctx, expression); got == want {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Errorf("%s is %q, want %q", expression, got, want)
}

func (w *watch) none(t *testing.T, what string) {
	t.Helper()
	for _, s := range w.take() {
		t.Errorf("%s: %s", what, s)
	}
}

// picture writes a picture of the whole page to the folder of -out.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *out == "" {
		return
	}
	b := get(t, ctx, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*out, name+".png"), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// sound is what holds on every page that has been drawn. It lists what does not.
const sound = `(() => {
	const bad = [];
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	if (wide > 0) bad.push("the page is " + wide + " pixels too wide");
	for (const e of document.querySelectorAll(".failed")) bad.push(e.textContent);
	for (const c of document.querySelectorAll("canvas")) {
		if (c.closest("[hidden]")) continue;
		const copy = document.createElement("canvas"); // a canvas that is read again and again brings a warning
		copy.width = c.width, copy.height = c.height;
		const g = copy.getContext("2d", { willReadFrequently: true });
		g.drawImage(c, 0, 0);
		const d = new Uint32Array(g.getImageData(0, 0, c.width, c.height).data.buffer);
		if (d.every((v) => v === d[0]) && !c.closest(".thumb")) bad.push("an empty canvas in " + c.closest("figure").className);
	}
	for (const e of document.querySelectorAll("[tabindex='0']:not(button)")) if (!e.getAttribute("aria-label")) bad.push("no label on " + e.tagName + " " + e.className);
	for (const b of document.querySelectorAll("button")) if (!b.textContent.trim() && !b.getAttribute("aria-label")) bad.push("a button without a name");
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	if (new Set(ids).size !== ids.length) bad.push("two elements have one id");
	return bad.join("; ");
})()`
