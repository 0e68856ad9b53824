// Short names for what every block does with the document. Text only ever
// becomes text: nothing here parses markup.

type Child = Node | string;

// make returns a new element with attributes and children.
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

// find returns the one element that the template has put there.
export function find<T extends Element = HTMLElement>(root: ParentNode, selector: string): T {
  const e = root.querySelector<T>(selector);
  if (!e) throw new Error("no " + selector);
  return e;
}

export function all<T extends Element = HTMLElement>(root: ParentNode, selector: string): T[] {
  return [...root.querySelectorAll<T>(selector)];
}

// button returns a button that acts.
export function button(text: string, label: string, act: () => void): HTMLButtonElement {
  const b = make("button", { type: "button", title: label, "aria-label": label }, text);
  b.addEventListener("click", act);
  return b;
}

export const clamp = (v: number, low: number, high: number): number => Math.max(low, Math.min(high, v));

// canvas2d gives a canvas a size in CSS pixels and returns a context in them.
export function canvas2d(c: HTMLCanvasElement, w: number, h: number): CanvasRenderingContext2D {
  const r = ratio();
  c.width = Math.round(w * r);
  c.height = Math.round(h * r);
  c.style.width = w + "px";
  c.style.height = h + "px";
  const ctx = c.getContext("2d")!;
  ctx.setTransform(r, 0, 0, r, 0, 0);
  return ctx;
}

// ratio is the number of device pixels for each CSS pixel; paper deserves two.
export const ratio = (): number => clamp(window.devicePixelRatio || 1, document.documentElement.classList.contains("printing") ? 2 : 1, 3);

export function font(ctx: CanvasRenderingContext2D, px: number, bold = false): void {
  ctx.font = `${bold ? "600 " : ""}${px}px system-ui, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif`;
}
