// A scan in three planes with one cross-hair: windows, maps laid over it, and
// the attention of the place under the cross-hair.

import { button, canvas2d, clamp, find, font, make } from "./dom";
import { palette } from "./color";
import { Columns, bytes, json } from "./data";
import { short } from "./numbers";
import { saveCanvas } from "./save";
import { Drawn, widthOf } from "./stage";

type Triple = [number, number, number];

interface Meta {
  name: string;
  unit: string;
  shape: Triple;
  affine: number[][];     // voxel indices to mm, 3 x 4
  offset: number;         // of a value: offset + scale * step
  scale: number;
  windows: { name: string; low: number; high: number }[];
  start: Triple;
  values: string;
  overlays: { name: string; unit: string; shape: Triple; signed: boolean; faithful: boolean; max: number; levels: string }[] | null;
  heads: { name: string; shape: Triple; max: number; levels: string }[] | null;
}

// A Layer is what is laid over the scan at the moment.
interface Layer {
  name: string;
  unit: string;
  shape: Triple;
  signed: boolean;
  faithful: boolean;
  max: number;
  levels: Uint8Array;     // of the whole map, or of all rows of attention
  row: boolean;           // levels belong to the cell under the cross-hair
}

// A Plane says which axes run right and up on the screen, as radiologists see
// them: from the feet and from the front.
interface Plane { name: string; across: number; up: number; through: number; mirrored: boolean; sides: string[] }

const planes: Plane[] = [
  { name: "axial", across: 0, up: 1, through: 2, mirrored: true, sides: ["R", "L", "P", "A"] },
  { name: "coronal", across: 0, up: 2, through: 1, mirrored: true, sides: ["R", "L", "I", "S"] },
  { name: "sagittal", across: 1, up: 2, through: 0, mirrored: true, sides: ["A", "P", "I", "S"] },
];

export async function volumes(figure: HTMLElement): Promise<Drawn> {
  const meta = await json<Meta>(figure.dataset.meta!);
  const n = meta.shape[0] * meta.shape[1] * meta.shape[2];
  const view = new Volume(figure, meta, new Columns(await bytes(meta.values)).uint16(n));
  await view.choose(meta.overlays?.length ? 1 : 0);
  return view;
}

class Volume implements Drawn {
  private readonly canvases: HTMLCanvasElement[] = [];
  private readonly slices: HTMLCanvasElement[] = planes.map(() => document.createElement("canvas"));
  private readonly readout: HTMLElement;
  private readonly stage: HTMLElement;
  private readonly at: Triple;
  private readonly mm: Triple; // size of a voxel along each axis
  private window = 0;
  private strength = 0.6;
  private layer: Layer | null = null;
  private request = 0;

  constructor(private readonly figure: HTMLElement, private readonly meta: Meta, private readonly steps: Uint16Array) {
    this.at = [...meta.start] as Triple;
    this.mm = [0, 1, 2].map((a) => Math.hypot(meta.affine[0][a], meta.affine[1][a], meta.affine[2][a])) as Triple;
    this.readout = find(figure, ".readout");
    this.stage = find(figure, ".planes");
    planes.forEach((p, k) => this.stage.append(this.plane(p, k)));
    this.stage.before(this.tools());
  }

  private tools(): HTMLElement {
    const bar = make("div", { class: "tools", role: "group", "aria-label": "Window and map" });
    const windows = make("select", {});
    for (const w of this.meta.windows) windows.append(make("option", {}, `${w.name} (${short(w.low)} to ${short(w.high)}${this.meta.unit ? " " + this.meta.unit : ""})`));
    windows.addEventListener("change", () => { this.window = windows.selectedIndex; this.draw(); });
    bar.append(make("label", {}, "Window ", windows));
    const maps = this.meta.overlays ?? [], heads = this.meta.heads ?? [];
    if (maps.length + heads.length > 0) {
      const layers = make("select", { class: "layer" }, make("option", {}, "none"));
      for (const o of maps) layers.append(make("option", {}, o.name + (o.faithful ? "" : " (not faithful)")));
      for (const h of heads) layers.append(make("option", {}, `attention of the cross-hair, ${h.name}`));
      layers.selectedIndex = maps.length > 0 ? 1 : 0;
      layers.addEventListener("change", () => void this.choose(layers.selectedIndex));
      const strength = make("input", { type: "range", min: "0", max: "1", step: "0.05", value: String(this.strength) });
      strength.addEventListener("input", () => { this.strength = Number(strength.value); this.draw(); });
      bar.append(make("label", {}, "Map ", layers), make("label", {}, "Strength ", strength));
    }
    bar.append(button("Centre", "Put the cross-hair back (0)", () => this.go(this.meta.start)));
    return bar;
  }

  private plane(p: Plane, k: number): HTMLElement {
    const c = make("canvas", { tabindex: "0", role: "img" });
    this.canvases[k] = c;
    const point = (e: PointerEvent): void => {
      const r = c.getBoundingClientRect(), to = [...this.at] as Triple;
      let x = (e.clientX - r.left) / r.width;
      if (p.mirrored) x = 1 - x;
      to[p.across] = Math.floor(x * this.meta.shape[p.across]);
      to[p.up] = Math.floor((1 - (e.clientY - r.top) / r.height) * this.meta.shape[p.up]);
      this.go(to);
    };
    c.addEventListener("pointerdown", (e) => { c.setPointerCapture(e.pointerId); c.focus({ preventScroll: true }); point(e); });
    c.addEventListener("pointermove", (e) => { if (e.buttons & 1) point(e); });
    c.addEventListener("wheel", (e) => {
      // The wheel belongs to the page until the reader has chosen the plane.
      if (!(e.ctrlKey || document.activeElement === c)) return;
      e.preventDefault();
      this.step(p.through, e.deltaY > 0 ? -1 : 1);
    }, { passive: false });
    c.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      const by = e.shiftKey ? 10 : 1, side = p.mirrored ? -by : by;
      if (e.key === "ArrowLeft") this.step(p.across, -side);
      else if (e.key === "ArrowRight") this.step(p.across, side);
      else if (e.key === "ArrowUp") this.step(p.up, by);
      else if (e.key === "ArrowDown") this.step(p.up, -by);
      else if (e.key === "PageUp" || e.key === "+") this.step(p.through, by);
      else if (e.key === "PageDown" || e.key === "-") this.step(p.through, -by);
      else if (e.key === "0") this.go(this.meta.start);
      else return;
      e.preventDefault();
    });
    const label = make("span", {}, p.name + " ");
    label.append(button("Save PNG", `Save the ${p.name} plane as a picture`, () => saveCanvas(`${this.meta.name}-${p.name}`, c)));
    return make("div", { class: "plane" }, label, c);
  }

  // choose lays a map, or the attention of a head, over the scan; 0 takes it off.
  async choose(i: number): Promise<void> {
    const mine = ++this.request, maps = this.meta.overlays ?? [];
    let layer: Layer | null = null;
    if (i > 0 && i <= maps.length) {
      const o = maps[i - 1];
      layer = { ...o, levels: await bytes(o.levels), row: false };
    } else if (i > maps.length) {
      const h = this.meta.heads![i - 1 - maps.length];
      layer = { ...h, unit: "", signed: false, faithful: true, levels: await bytes(h.levels), row: true };
    }
    if (mine !== this.request) return; // the reader has gone on
    this.layer = layer;
    this.draw();
  }

  private step(axis: number, by: number): void {
    const to = [...this.at] as Triple;
    to[axis] += by;
    this.go(to);
  }

  private go(to: Triple): void {
    for (let a = 0; a < 3; a++) this.at[a] = clamp(to[a], 0, this.meta.shape[a] - 1);
    this.draw();
  }

  // cell returns the cell of a map that holds a voxel.
  private cell(shape: Triple, at: Triple): number {
    const c = [0, 1, 2].map((a) => Math.min(shape[a] - 1, Math.floor((at[a] + 0.5) * shape[a] / this.meta.shape[a])));
    return (c[2] * shape[1] + c[1]) * shape[0] + c[0];
  }

  private value(at: Triple): number {
    const s = this.meta.shape;
    return this.meta.offset + this.meta.scale * this.steps[(at[2] * s[1] + at[1]) * s[0] + at[0]];
  }

  // under returns the levels that belong to the cross-hair, and the strongest.
  private under(l: Layer): { levels: Uint8Array; most: number } {
    if (!l.row) return { levels: l.levels, most: 255 };
    const n = l.shape[0] * l.shape[1] * l.shape[2], from = this.cell(l.shape, this.at) * n;
    const levels = l.levels.subarray(from, from + n);
    return { levels, most: Math.max(1, levels.reduce((a, b) => Math.max(a, b), 0)) };
  }

  draw(): void {
    const s = this.meta.shape, room = widthOf(this.figure) - 18;
    const across = planes.map((p) => s[p.across] * this.mm[p.across]), up = planes.map((p) => s[p.up] * this.mm[p.up]);
    // Three side by side where they fit, else each as wide as there is room.
    const narrow = room < 520;
    const scale = narrow ? Math.min(room / Math.max(...across), 300 / Math.max(...up)) : Math.min(room / (across[0] + across[1] + across[2]), 420 / Math.max(...up));
    const layer = this.layer, under = layer ? this.under(layer) : null;
    planes.forEach((p, k) => {
      this.slice(p, this.slices[k], layer, under);
      const w = across[k] * scale, h = up[k] * scale, c = this.canvases[k];
      const ctx = canvas2d(c, w, h);
      ctx.imageSmoothingEnabled = true;
      ctx.drawImage(this.slices[k], 0, 0, w, h);
      const f = (a: number): number => (this.at[a] + 0.5) / s[a];
      const x = (p.mirrored ? 1 - f(p.across) : f(p.across)) * w, y = (1 - f(p.up)) * h;
      ctx.strokeStyle = "rgba(255, 214, 10, 0.75)";
      ctx.lineWidth = 1;
      ctx.beginPath();
      for (const [x0, y0, x1, y1] of [[0, y, x - 6, y], [x + 6, y, w, y], [x, 0, x, y - 6], [x, y + 6, x, h]]) {
        ctx.moveTo(x0, y0);
        ctx.lineTo(x1, y1);
      }
      ctx.stroke();
      font(ctx, 11, true);
      ctx.fillStyle = "#ffd60a";
      ctx.textBaseline = "middle";
      ctx.textAlign = "left"; ctx.fillText(p.sides[0], 3, h / 2);
      ctx.textAlign = "right"; ctx.fillText(p.sides[1], w - 3, h / 2);
      ctx.textAlign = "center"; ctx.fillText(p.sides[2], w / 2, h - 8); ctx.fillText(p.sides[3], w / 2, 8);
      c.setAttribute("aria-label", `${p.name} plane, ${p.sides[0]} on the left. Arrow keys move the cross-hair, + and \u2212 go through the planes, 0 puts it back.`);
    });
    this.read(layer);
  }

  // slice paints one plane, a pixel for each voxel.
  private slice(p: Plane, to: HTMLCanvasElement, layer: Layer | null, under: { levels: Uint8Array; most: number } | null): void {
    const s = this.meta.shape, nx = s[p.across], ny = s[p.up], w = this.meta.windows[this.window];
    to.width = nx;
    to.height = ny;
    const ctx = to.getContext("2d")!, img = ctx.createImageData(nx, ny);
    const colors = layer ? palette(layer.signed ? "diverging" : "viridis") : null;
    const stride = [1, s[0], s[0] * s[1]], at = [...this.at] as Triple;
    at[p.across] = at[p.up] = 0;
    const from = at[0] + at[1] * stride[1] + at[2] * stride[2];
    const gain = this.meta.scale * 255 / (w.high - w.low), zero = (this.meta.offset - w.low) * 255 / (w.high - w.low);
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const g = clamp(Math.round(zero + gain * this.steps[from + i * stride[p.across] + j * stride[p.up]]), 0, 255);
        let r = g, gg = g, b = g;
        if (layer) {
          at[p.across] = i;
          at[p.up] = j;
          const level = under!.levels[this.cell(layer.shape, at)];
          // Levels grow with the root of the weight.
          const t = layer.signed ? Math.abs(level - 128) / 127 : level / under!.most;
          const alpha = this.strength * t;
          const c = colors![layer.signed ? level : Math.round(255 * t)];
          const [cr, cg, cb] = layer.faithful ? [c & 255, c >> 8 & 255, c >> 16 & 255] : [160, 160, 160];
          r += (cr - r) * alpha;
          gg += (cg - gg) * alpha;
          b += (cb - b) * alpha;
        }
        const o = 4 * ((ny - 1 - j) * nx + (p.mirrored ? nx - 1 - i : i));
        img.data[o] = r;
        img.data[o + 1] = gg;
        img.data[o + 2] = b;
        img.data[o + 3] = 255;
      }
    }
    ctx.putImageData(img, 0, 0);
  }

  private read(layer: Layer | null): void {
    const m = this.meta.affine.map((r) => r[3] + r[0] * this.at[0] + r[1] * this.at[1] + r[2] * this.at[2]);
    const side = (v: number, plus: string, minus: string): string => `${short(Math.abs(Math.round(10 * v) / 10))} mm ${v < 0 ? minus : plus}`;
    let text = `${side(m[0], "right", "left")}, ${side(m[1], "front", "back")}, ${side(m[2], "up", "down")} of the origin; voxel ${this.at.map((v) => v + 1).join(", ")}: ${short(this.value(this.at))}${this.meta.unit ? " " + this.meta.unit : ""}.`;
    if (layer) {
      const level = this.under(layer).levels[this.cell(layer.shape, this.at)];
      const t = layer.signed ? (level - 128) / 127 : level / 255;
      const v = Math.sign(t) * t * t * layer.max;
      text += layer.row ? ` ${layer.name}: attention to its own cell ${short(v)}; the colours are scaled to the strongest cell that it attends to.` : ` ${layer.name}: ${short(v)}${layer.unit ? " " + layer.unit : ""}.`;
    }
    this.readout.textContent = text;
  }
}
