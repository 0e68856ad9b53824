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
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	protocol "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a Chromium that resolves no name and uses no proxy.
func browser(t *testing.T) context.Context {
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
		const d = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer);
		if (d.every((v) => v === d[0]) && !c.closest(".thumb")) bad.push("an empty canvas in " + c.closest("figure").className);
	}
	for (const e of document.querySelectorAll("[tabindex='0']:not(button)")) if (!e.getAttribute("aria-label")) bad.push("no label on " + e.tagName + " " + e.className);
	for (const b of document.querySelectorAll("button")) if (!b.textContent.trim() && !b.getAttribute("aria-label")) bad.push("a button without a name");
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	if (new Set(ids).size !== ids.length) bad.push("two elements have one id");
	return bad.join("; ");
})()`

// TestBrowser opens a page with every block from disk, in each theme and size,
// and looks for anything that it should not do.
func TestBrowser(t *testing.T) {
	ctx := browser(t)
	file := write(t, htmlOf(t, full(t)))
	for _, c := range []struct {
		name, scheme, media string
		width, height       int64
	}{
		{"light-wide", "light", "screen", 1280, 900},
		{"dark-wide", "dark", "screen", 1280, 900},
		{"light-phone", "light", "screen", 390, 844},
		{"dark-phone", "dark", "screen", 390, 844},
		{"print-wide", "dark", "print", 794, 1123},
		{"print-phone", "light", "print", 390, 844},
	} {
		t.Run(c.name, func(t *testing.T) {
			scheme := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}}
			media := func(name string) chromedp.Action[chromedp.Void] {
				return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
					_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name, Features: scheme})
					return err
				})
			}
			tab, w := open(t, ctx, file, chromedp.EmulateViewport(c.width, c.height), media(""))
			if c.media == "print" {
				do(t, tab, media("print"))
				ask(t, tab, `dispatchEvent(new Event("beforeprint"))`)
			}
			if c.media != "print" {
				expect(t, tab, sound, "")
			}
			want := map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[c.scheme]
			if c.media == "print" {
				want = "rgb(255, 255, 255)"
				expect(t, tab, `[...document.querySelectorAll(".example, .option")].filter((e) => getComputedStyle(e).display === "none").length`, "0")
				expect(t, tab, `[...document.querySelectorAll("button:not(.sort, .thumb, .key *), select")].filter((e) => e.offsetParent).map((e) => e.outerHTML).join()`, "")
				pdf := get(t, tab, chromedp.PrintToPDF())
				if len(pdf) < 10_000 {
					t.Errorf("the printed page holds %d bytes", len(pdf))
				}
				if *out != "" {
					os.WriteFile(filepath.Join(*out, c.name+".pdf"), pdf, 0o644)
				}
			}
			expect(t, tab, `getComputedStyle(document.documentElement).backgroundColor`, want)
			picture(t, tab, c.name)
			w.none(t, c.name)
		})
	}
}

// TestBrowserActs presses what can be pressed.
func TestBrowserActs(t *testing.T) {
	ctx := browser(t)
	tab, w := open(t, ctx, write(t, htmlOf(t, full(t))), chromedp.EmulateViewport(1280, 900))
	key := func(selector, key string, shift bool) {
		t.Helper()
		ask(t, tab, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.dispatchEvent(new KeyboardEvent("keydown", { key: %q, shiftKey: %t, bubbles: true, cancelable: true })); })()`, selector, key, shift))
	}
	click := func(expression string) { t.Helper(); ask(t, tab, "("+expression+").click()") }

	// A table sorts by value, in both directions, and goes back.
	const column = `[...document.querySelectorAll("table.sortable")[0].tBodies[0].rows].map((r) => r.cells[2].textContent).join()`
	sn := `document.querySelectorAll("table.sortable")[0].querySelectorAll(".sort")[2]`
	expect(t, tab, column, "0.962,,0.83,0.70")
	click(sn)
	expect(t, tab, column, "0.70,0.83,0.962,")
	click(sn)
	expect(t, tab, column, "0.962,0.83,0.70,")
	expect(t, tab, sn+`.closest("th").getAttribute("aria-sort")`, "descending")
	click(sn)
	expect(t, tab, column, "0.962,,0.83,0.70")

	// Arrow keys read the weight that the report was given.
	const maps = `document.querySelector(".maps")`
	weights := attentionOf(58, 2, 4, 1)
	reads := func(weight float32) {
		t.Helper()
		got := ask(t, tab, maps+`.querySelector(".readout").textContent`)
		var about float64
		if _, err := fmt.Sscanf(got, "query T at −50, key T at −50: weight about %g", &about); err != nil {
			t.Errorf("the read-out says %q", got)
		} else if d := about - float64(weight); d > 0.001 || d < -0.001 {
			t.Errorf("weight %g is shown as %g", weight, about)
		}
	}
	key(".maps .stage canvas", "ArrowDown", false)
	key(".maps .stage canvas", "ArrowRight", false)
	reads(weights[58+1])
	for range 3 {
		key(".maps .stage canvas", "+", false)
	}
	click(maps + `.querySelectorAll(".thumb")[5]`)
	expect(t, tab, maps+`.querySelector(".facts").textContent`, "Layer 2, head 2. ")
	reads(weights[5*58*58+58+1]) // the crosshair stays, and reads the new map
	expect(t, tab, maps+`.querySelectorAll("[aria-pressed=true]").length`, "1")
	picture(t, tab, "acts-map")

	// The other sequence.
	ask(t, tab, `(() => { const s = `+maps+`.querySelector(".sequence"); s.selectedIndex = 1; s.dispatchEvent(new Event("change")); })()`)
	expect(t, tab, maps+`.querySelector("canvas[tabindex]").getAttribute("aria-label").split(".")[0]`, "Attention of LEU1_TRNA, layer 2, head 2: 58 query by 58 key tokens")

	// Curves: keys read values, the axis turns logarithmic, zoom and back.
	key(".curves .plot", "ArrowRight", false)
	if got := ask(t, tab, `document.querySelector(".curves .readout").textContent`); !strings.HasPrefix(got, "step 0.5: training 0.7") || !strings.Contains(got, "validation, 95 % interval 0.69") {
		t.Errorf("the curves read %q", got)
	}
	click(`[...document.querySelectorAll(".curves .tools button")].find((b) => b.textContent === "Log scale")`)
	expect(t, tab, `[...document.querySelectorAll(".curves .tools button")].find((b) => b.textContent === "Log scale").getAttribute("aria-pressed")`, "true")
	key(".curves .plot", "+", false)
	ask(t, tab, `document.querySelector(".curves details").open = true`)
	expect(t, tab, `document.querySelectorAll(".curves details tbody")[1].rows.length`, "500")

	// Examples: next, address, and the way back.
	click(`document.querySelectorAll(".examples .step")[1]`)
	expect(t, tab, `[...document.querySelectorAll(".example")].filter((e) => !e.hidden).map((e) => e.id).join()`, "example-LEU1_TRNA")
	ask(t, tab, `location.hash = "#example-a-name-with--markup----spaces"`)
	expect(t, tab, `document.querySelector(".examples .count").textContent`, "3 of 3")
	key("body", "p", false)
	expect(t, tab, `document.querySelector(".examples .count").textContent`, "2 of 3")

	// Tracks: a value under the crosshair, a closer look, the numbers.
	tracks := ".example:not([hidden]) .tracks "
	key(tracks+"canvas", "ArrowRight", false)
	if got := ask(t, tab, `document.querySelector("`+tracks+`.readout").textContent`); !strings.HasPrefix(got, "Position −50 (T): occlusion ") || !strings.Contains(got, "; attention rollout 0.") {
		t.Errorf("the tracks read %q", got)
	}
	key(tracks+"canvas", "+", false)
	key(tracks+"canvas", "ArrowRight", true)
	ask(t, tab, `document.querySelector("`+tracks+`details").open = true`)
	expect(t, tab, `document.querySelectorAll("`+tracks+`details tbody")[1].rows.length`, "57")

	// The theme can be forced.
	click(`document.querySelector("#theme")`)
	click(`document.querySelector("#theme")`)
	expect(t, tab, `document.documentElement.dataset.theme`, "dark")
	expect(t, tab, sound, "")
	picture(t, tab, "acts")
	w.none(t, "acts")
}

// TestBrowserDeepLink opens the file at an example.
func TestBrowserDeepLink(t *testing.T) {
	ctx := browser(t)
	tab, w := open(t, ctx, write(t, htmlOf(t, full(t))))
	address := ask(t, tab, `location.href`)
	do(t, tab, chromedp.Navigate("about:blank"), chromedp.Navigate(address+"#example-LEU1_TRNA"), chromedp.WaitReady(`html[data-ready="true"]`))
	expect(t, tab, `[...document.querySelectorAll(".example")].filter((e) => !e.hidden).map((e) => e.id).join()`, "example-LEU1_TRNA")
	for _, s := range w.take() {
		if s != "request for about:blank" {
			t.Error(s)
		}
	}
}

// TestBrowserRefuses shows that the tests above would notice: a page that reaches
// out, and one with a script that the policy does not name.
func TestBrowserRefuses(t *testing.T) {
	ctx := browser(t)
	good := string(htmlOf(t, full(t)))
	for evil, want := range map[string]string{
		`<img src="http://example.invalid/x.png" alt="">`: "policy: img-src",
		`<script>window.evil = 1</script>`:                "policy: script-src-elem",
		`<p style="color: red">x</p>`:                     "policy: style-src-attr",
	} {
		tab, w := open(t, ctx, write(t, []byte(strings.Replace(good, "</main>", evil+"</main>", 1))))
		expect(t, tab, `typeof window.evil`, "undefined")
		if seen := strings.Join(w.take(), "\n"); !strings.Contains(seen, want) {
			t.Errorf("%s: seen %q, want %q", evil, seen, want)
		}
	}
}

// TestBrowserLarge opens the page at the limits; with -v it says how long the
// browser took, which is no promise.
func TestBrowserLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 144 maps of 1024 x 1024")
	}
	ctx := browser(t)
	file := write(t, htmlOf(t, large(0)))
	tab, w := open(t, ctx, file, chromedp.EmulateViewport(1280, 900))
	expect(t, tab, sound, "")
	expect(t, tab, `document.querySelectorAll(".thumb").length`, "144")
	expect(t, tab, `document.querySelectorAll(".thumb.summary").length > 100`, "true")
	t.Logf("all drawn %s ms after the navigation", ask(t, tab, `Math.round(performance.now())`))
	click := `document.querySelectorAll(".thumb")[143].click()`
	ask(t, tab, click)
	expect(t, tab, `document.querySelector(".facts").textContent.split(":")[0]`, "Layer 12, head 12. Only a summary of this head is in the file, 64 x 64")
	picture(t, tab, "large")
	w.none(t, "large")
}

// TestBrowserWithoutScripts finds text, tables and drawings, and no dead control.
func TestBrowserWithoutScripts(t *testing.T) {
	ctx := browser(t)
	tab, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, tab, chromedp.EmulateViewport(1280, 900))
	call(t, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	do(t, tab, chromedp.Navigate((&url.URL{Scheme: "file", Path: write(t, htmlOf(t, full(t)))}).String()))
	expect(t, tab, `document.documentElement.dataset.ready`, "undefined")
	expect(t, tab, `[...document.querySelectorAll("button, select, canvas")].filter((e) => e.offsetParent).length`, "0")
	expect(t, tab, `[...document.querySelectorAll(".example, .option, .drawing svg, table.sortable, details")].filter((e) => !e.getClientRects().length && !e.closest("details")).length`, "0")
	expect(t, tab, `document.querySelector("noscript").textContent.includes("Scripts are switched off")`, "true")
	picture(t, tab, "without-scripts")
}
