package report

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

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

	// A scan: keys move the cross-hair, and maps change.
	const scan = `document.querySelector(".volume")`
	key(".volume canvas", "ArrowRight", false) // to the patient's left
	expect(t, tab, scan+`.querySelector(".readout").textContent`, "72.5 mm left, 7.5 mm back, 27 mm up of the origin; voxel 16, 21, 25: 60 HU. occlusion: 1.78 logit.")
	key(".volume canvas", "+", true)
	expect(t, tab, scan+`.querySelector(".readout").textContent.split(";")[1].split(":")[0]`, " voxel 16, 21, 35")
	ask(t, tab, `(() => { const s = `+scan+`.querySelector("select.layer"); s.selectedIndex = 3; s.dispatchEvent(new Event("change")); })()`)
	key(".volume canvas", "0", false)
	expect(t, tab, scan+`.querySelector(".readout").textContent.split(": ")[2].split(";")[0]`, "attention to its own cell 0.000886")
	picture(t, tab, "acts-volume")

	// A timeline: keys step from event to event.
	const patient = `document.querySelector(".timeline")`
	key(".timeline canvas", "ArrowRight", false)
	expect(t, tab, patient+`.querySelector(".readout").textContent`, "Day 1, drugs: warfarin 5 mg; moved the output by 1.9; with INR on day 512 (511 days).")
	key(".timeline canvas", "Escape", false)
	key(".timeline canvas", "+", false)
	key(".timeline canvas", "ArrowLeft", false)
	expect(t, tab, patient+`.querySelector(".readout").textContent`, "Day 530, visits: visit.")
	key(".timeline canvas", "0", false)
	picture(t, tab, "acts-timeline")

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
