// When graphics start and when they are drawn anew. A graphic starts when it
// comes near the window, or when the browser has nothing better to do; it is
// drawn again when its width, the theme or the medium changes.

import { all, make } from "./dom";

export interface Drawn {
  draw(): void;
}

type Start = (e: HTMLElement) => Promise<Drawn>;

const waiting = new Map<Element, Start>();
const drawn = new Map<Element, Drawn>();
const widths = new Map<Element, number>();

const sizes = new ResizeObserver((entries) => {
  for (const e of entries) {
    const w = Math.round(e.contentRect.width);
    if (w === 0 || w === widths.get(e.target)) continue;
    widths.set(e.target, w);
    drawn.get(e.target)?.draw();
  }
});

const seen = new IntersectionObserver((entries) => {
  for (const e of entries) if (e.isIntersecting) void start(e.target as HTMLElement);
}, { rootMargin: "400px" });

export function whenSeen(selector: string, start: Start): void {
  for (const e of all(document, selector)) {
    waiting.set(e, start);
    seen.observe(e);
  }
}

async function start(e: HTMLElement): Promise<void> {
  const init = waiting.get(e);
  if (!init) return;
  waiting.delete(e);
  seen.unobserve(e);
  try {
    const d = await init(e);
    drawn.set(e, d);
    d.draw();
    widths.set(e, Math.round(e.clientWidth));
    sizes.observe(e);
  } catch (err) {
    e.append(make("p", { class: "note failed", role: "alert" }, "This graphic cannot be shown: " + (err instanceof Error ? err.message : String(err)) + "."));
    console.error(err);
  }
}

// startAll starts what nobody has scrolled to yet, so that printing shows it.
export function startAll(): void {
  const idle = window.requestIdleCallback ?? ((f: () => void) => setTimeout(f, 50));
  const next = (): void => {
    const e = waiting.keys().next().value as HTMLElement | undefined;
    if (e) void start(e).then(() => idle(next));
    else document.documentElement.dataset.ready = "true";
  };
  idle(next);
}

export function drawAll(): void {
  for (const d of drawn.values()) d.draw();
}

// widthOf is the room for a graphic, also while it is hidden.
export function widthOf(e: HTMLElement): number {
  if (document.documentElement.classList.contains("printing")) return 680;
  return e.clientWidth || 700;
}

// On paper everything is light and open.
let opened: HTMLDetailsElement[] = [];

window.addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  opened = all<HTMLDetailsElement>(document, "details:not([open])").filter((d) => d.querySelectorAll("tr").length <= 40);
  for (const d of opened) d.open = true;
  drawAll();
});

window.addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  for (const d of opened) d.open = false;
  opened = [];
  drawAll();
});
