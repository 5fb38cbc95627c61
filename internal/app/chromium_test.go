package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"wensheng/web/console"
	"wensheng/web/widget"
)

// browserTime is how long a browser may wait for what it waits for.
const browserTime = 30 * time.Second

// inCI tells whether what is missing fails a test instead of skipping it.
func inCI() bool {
	v, _ := os.LookupEnv("CI")
	return v == "true" || v == "1"
}

// lacking skips the test loudly, or fails it where everything must be there.
func lacking(tb testing.TB, what string) {
	tb.Helper()
	if inCI() {
		tb.Fatal(what)
	}
	tb.Skip("SKIPPED, NOTHING WAS TESTED: " + what)
}

// artifacts is the folder where screenshots are kept.
func artifacts(tb testing.TB) string {
	tb.Helper()
	dir, ok := os.LookupEnv("WENSHENG_ARTIFACTS")
	if !ok || dir == "" {
		dir = filepath.Join("..", "..", "artifacts")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// chrome is a running browser; every tab opens a context of its own in it.
type chrome struct{ ctx context.Context }

// chromium starts one browser with a fresh profile.
func chromium(tb testing.TB) chrome {
	tb.Helper()
	if !widget.Built() || !console.Built() {
		lacking(tb, "the front ends are not built: make frontends")
	}
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		lacking(tb, "no chromium, chromium-browser or google-chrome on PATH")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(tb.TempDir()), chromedp.WindowSize(1366, 768),
		chromedp.Flag("headless", "new"), chromedp.Flag("lang", "zh-CN"), chromedp.Flag("force-color-profile", "srgb"),
	}
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
		"disable-sync", "disable-dev-shm-usage", "mute-audio", "hide-scrollbars", "no-default-browser-check",
		// The tabs stand behind one another: all of them are to run at full speed.
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	alloc, freeAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, free := chromedp.NewContext(alloc)
	tb.Cleanup(func() {
		end, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := chromedp.Cancel(end); err != nil {
			tb.Logf("chromium: %v", err)
		}
		free()
		freeAlloc()
	})
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("start chromium: %v", err)
	}
	return chrome{ctx}
}

// tab is one page in a browser context of its own, as another person's browser.
type tab struct {
	t    testing.TB
	ctx  context.Context // chromedp's handle of the tab
	name string
	// root is the JavaScript expression of the tree that is looked at.
	root string
}

const (
	widgetRoot = "document.querySelector('wensheng-chat')?.shadowRoot"
	pageRoot   = "document"
)

// openTab opens an address; width and height are of the viewport, in CSS pixels.
func openTab(tb testing.TB, browser chrome, name, root, address string, width, height int64, o ...chromedp.EmulateViewportOption) *tab {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext())
	b := &tab{t: tb, ctx: ctx, name: name, root: root}
	tb.Cleanup(func() {
		if tb.Failed() {
			b.capture("failed-" + name)
		}
		cancel()
	})
	// The tab lives as long as the context of its first step: no deadline on that.
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("%s: open a tab: %v", name, err)
	}
	b.do(chromedp.EmulateViewport(width, height, o...), chromedp.Navigate(address))
	return b
}

// do runs actions within the time a browser may take.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", b.name, err)
	}
}

// found is what the script of look returns.
type found struct {
	// Texts are of the visible elements that fit, without white space around.
	Texts []string
	// X and Y, where it was aimed, are the middle of the first one; Clear tells that a click there
	// reaches it, and not something that lies over it.
	X, Y  float64
	Clear bool
}

// look finds the visible elements of a CSS selector that hold a text; white
// space does not matter.
func (b *tab) look(selector, text string) found {
	b.t.Helper()
	return b.find(selector, text, false)
}

// find is look; aim brings the first element into view, to be clicked.
func (b *tab) find(selector, text string, aim bool) found {
	b.t.Helper()
	args, err := json.Marshal([]any{selector, text, aim})
	if err != nil {
		b.t.Fatal(err)
	}
	script := `((selector, text, aim) => {
		const root = ` + b.root + `, bare = (s) => s.replace(/\s+/g, "");
		const all = root ? [...root.querySelectorAll(selector)].filter((e) => e.getClientRects().length && bare(e.textContent).includes(bare(text))) : [];
		const out = { Texts: all.map((e) => (e.tagName === "TEXTAREA" ? e.value : e.innerText ?? e.textContent).trim()), X: 0, Y: 0, Clear: false };
		if (aim && all.length) {
			all[0].scrollIntoView({ block: "nearest" });
			const r = all[0].getBoundingClientRect();
			out.X = r.x + r.width / 2;
			out.Y = r.y + r.height / 2;
			const hit = root.elementFromPoint(out.X, out.Y);
			// A dialog that is still growing moves its buttons between two looks that a busy machine makes of one frame.
			const growing = all[0].closest("[class*='-appear'], [class*='-enter']");
			out.Clear = !all[0].disabled && !growing && !!hit && all[0].contains(hit);
			const aimed = (window.aimed = { pressed: false, missed: false });
			const reached = (ev) => ev.composedPath().includes(all[0]);
			window.addEventListener("mousedown", (ev) => (aimed.pressed = reached(ev)), { capture: true, once: true });
			window.addEventListener("click", (ev) => (aimed.missed = !reached(ev)), { capture: true, once: true });
		}
		return out;
	})(...` + string(args) + `)`
	return evaluate[found](b, script)
}

func evaluate[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", b.name, err)
	}
	return v
}

func (b *tab) count(selector, text string) int {
	b.t.Helper()
	return len(b.look(selector, text).Texts)
}

// sees waits until an element is visible and returns its text.
func (b *tab) sees(selector, text string) string {
	b.t.Helper()
	var f found
	eventually(b.t, fmt.Sprintf("%s sees %s %q", b.name, selector, text), func() bool {
		f = b.look(selector, text)
		return len(f.Texts) > 0
	})
	return f.Texts[0]
}

// misses waits until no such element is visible.
func (b *tab) misses(selector, text string) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%s sees no %s %q", b.name, selector, text), func() bool { return b.count(selector, text) == 0 })
}

// click presses the mouse on the first such element, once it stands still and
// nothing lies over it; again, as a person would, where the page moved under the
// mouse and the click went beside.
func (b *tab) click(selector, text string) {
	b.t.Helper()
	var last found
	eventually(b.t, fmt.Sprintf("%s can click %s %q", b.name, selector, text), func() bool {
		f := b.find(selector, text, true)
		still := f.Clear && last.Clear && f.X == last.X && f.Y == last.Y
		last = f
		if !still {
			return false
		}
		b.do(chromedp.MouseClickXY(f.X, f.Y))
		last = found{}
		return b.hit()
	})
}

// hit tells whether the last click reached what it was aimed at. A page that the
// click led away from has forgotten, or cannot be asked: it was reached.
func (b *tab) hit() bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserTime)
	defer cancel()
	reached, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.aimed || (aimed.pressed && !aimed.missed)`))
	return err != nil || reached
}

// write types a text into a field, as an input method does.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.click(selector, "")
	b.insert(text)
	b.sees(selector, "")
}

// insert types a text where the cursor is.
func (b *tab) insert(text string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// enter presses the key as a keyboard does: what its keydown prevents is not
// typed. chromedp's own key event types it all the same.
func (b *tab) enter() {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		key := input.DispatchKeyEventParams{Type: "keyDown", Key: "Enter", Code: "Enter", Text: "\r", UnmodifiedText: "\r", WindowsVirtualKeyCode: 13}
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, key); err != nil {
			return err
		}
		key.Type, key.Text, key.UnmodifiedText = "keyUp", "", ""
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, key)
		return err
	}))
}

// dark makes the page be shown as to somebody who prefers dark colours, or not.
func (b *tab) dark(on bool) {
	b.t.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	}))
}

// shot keeps a screenshot, once nothing moves any more but the halo of a button
// that was pressed, which fades for two seconds.
func (b *tab) shot(name string) {
	b.t.Helper()
	eventually(b.t, b.name+" stands still", func() bool {
		return evaluate[bool](b, `[document, `+b.root+`].every((r) => !r || r.getAnimations({ subtree: true }).every((a) => a.playState !== "running" || a.effect?.target?.classList.contains("ant-wave") || a.effect?.getTiming().iterations === Infinity))`)
	})
	b.capture(name)
}

func (b *tab) capture(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserTime)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(artifacts(b.t), name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Errorf("%s: screenshot %s: %v", b.name, name, err)
	}
}

// noCodes fails if the page shows a machine's word to a person.
func (b *tab) noCodes(words ...string) {
	b.t.Helper()
	text := evaluate[string](b, `(`+b.root+`.body ?? `+b.root+`.querySelector("div")).innerText`)
	for _, w := range append(words, "undefined", "NaN", "[object", "null") {
		if strings.Contains(text, w) {
			b.t.Errorf("%s shows %q:\n%s", b.name, w, text)
		}
	}
}
