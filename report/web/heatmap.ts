// One matrix of weights on a canvas: zoom, pan, a crosshair with the profiles
// of its row and column, and the value under it.

import { button, canvas2d, clamp, find, font, make, ratio } from "./dom";
import { paint } from "./color";
import { Levels, cross, first, means, pool, weight } from "./levels";
import { coordinate, short, ticks } from "./numbers";
import { widthOf } from "./stage";
import { inks } from "./theme";

// An Axis names the rows or the columns.
export interface Axis {
  name: string;         // "query"
  tokens: string[];
  positions: number[];  // coordinates; 0 for tokens that have none
}

const margin = 60, profile = 44, gap = 8;

export class Heatmap {
  private map: Levels | null = null;
  private rows!: Axis;
  private cols!: Axis;
  private colors!: Uint32Array;
  private label = "";
  // The window in cells of the map.
  private x0 = 0; private x1 = 1; private y0 = 0; private y1 = 1;
  private cursor: [number, number] | null = null; // row, column
  private pinned = false;
  private w = 1; private h = 1; // of the map on the canvas
  private drag: { x: number; y: number; x0: number; y0: number; moved: boolean } | null = null;
  private readonly small = document.createElement("canvas");
  private smallKey = "";
  private serial = 0; // of the map
  private mean: [Float64Array, Float64Array] | null = null;
  private readonly canvas: HTMLCanvasElement;
  private readonly tip: HTMLElement;

  constructor(private readonly stage: HTMLElement, private readonly readout: HTMLElement) {
    this.canvas = find<HTMLCanvasElement>(stage, "canvas");
    this.tip = find(stage, ".tip");
    const bar = make("div", { class: "tools", role: "group", "aria-label": "Zoom" },
      button("+", "Zoom in (+)", () => this.zoom(0.5)),
      button("\u2212", "Zoom out (\u2212)", () => this.zoom(2)),
      button("Reset", "Show the whole map (0)", () => this.reset()),
    );
    stage.before(bar);
    this.listen();
  }

  get element(): HTMLCanvasElement { return this.canvas; }

  // show replaces the map; a map of the same shape keeps window and crosshair.
  show(map: Levels, rows: Axis, cols: Axis, colors: Uint32Array, label: string): void {
    const same = this.map && this.map.rows === map.rows && this.map.cols === map.cols && this.rows === rows;
    this.map = map;
    this.rows = rows;
    this.cols = cols;
    this.colors = colors;
    this.label = label;
    this.serial++;
    this.mean = null;
    if (same && this.cursor) this.point(...this.cursor, !this.tip.hidden);
    else if (same) this.draw();
    else {
      this.cursor = null;
      this.pinned = false;
      this.reset();
    }
  }

  private reset(): void {
    if (!this.map) return;
    this.x0 = this.y0 = 0;
    this.x1 = this.map.cols;
    this.y1 = this.map.rows;
    this.draw();
  }

  // zoom scales the window about the crosshair, or its middle.
  private zoom(by: number, row?: number, col?: number): void {
    if (!this.map) return;
    const at = (v: number | undefined, c: number | undefined, a: number, b: number): number => v ?? (c !== undefined && c + 0.5 >= a && c + 0.5 <= b ? c + 0.5 : (a + b) / 2);
    const cx = at(col, this.cursor?.[1], this.x0, this.x1), cy = at(row, this.cursor?.[0], this.y0, this.y1);
    const wide = clamp((this.x1 - this.x0) * by, Math.min(8, this.map.cols), this.map.cols);
    const high = clamp((this.y1 - this.y0) * by, Math.min(8, this.map.rows), this.map.rows);
    this.move(cx - (cx - this.x0) * wide / (this.x1 - this.x0), cy - (cy - this.y0) * high / (this.y1 - this.y0), wide, high);
  }

  private move(x0: number, y0: number, wide: number, high: number): void {
    this.x0 = clamp(x0, 0, this.map!.cols - wide);
    this.y0 = clamp(y0, 0, this.map!.rows - high);
    this.x1 = this.x0 + wide;
    this.y1 = this.y0 + high;
    this.draw();
  }

  private zoomed(): boolean {
    return this.x1 - this.x0 < this.map!.cols || this.y1 - this.y0 < this.map!.rows;
  }

  // name says which token or tokens a cell stands for.
  private name(a: Axis, i: number, size: number): string {
    const n = a.tokens.length, from = first(i, n, size), to = first(i + 1, n, size) - 1;
    const one = (t: number): string => {
      const p = a.positions[t];
      return a.tokens[t] + (p ? " at " + coordinate(p, a.positions.some((v) => v < 0)) : "");
    };
    return from >= to ? one(from) : `${one(from)} to ${one(to)}`;
  }

  draw(): void {
    const m = this.map;
    if (!m) return;
    const room = widthOf(this.stage) - margin - profile - gap - 2;
    // A small map has cells of whole pixels, a large one takes the width.
    const longest = Math.max(m.rows, m.cols);
    let cell = Math.min(room / longest, 40);
    if (cell > 3) cell = Math.floor(cell);
    cell = Math.min(cell, 620 / longest);
    this.w = Math.max(cell * m.cols, 120);
    this.h = Math.max(cell * m.rows, 120);
    const ink = inks();
    const ctx = canvas2d(this.canvas, margin + this.w + gap + profile, margin + this.h + gap + profile);
    ctx.fillStyle = ink.paper;
    ctx.fillRect(0, 0, margin + this.w + gap + profile, margin + this.h + gap + profile);
    this.image(ctx);
    ctx.strokeStyle = ink.line;
    ctx.lineWidth = 1;
    ctx.strokeRect(margin - 0.5, margin - 0.5, this.w + 1, this.h + 1);
    this.axis(ctx, this.cols, m.cols, this.x0, this.x1, this.w, false, ink.ink);
    this.axis(ctx, this.rows, m.rows, this.y0, this.y1, this.h, true, ink.ink);
    this.profiles(ctx, ink);
    if (this.cursor) this.crosshair(ctx);
    this.canvas.style.touchAction = this.zoomed() ? "none" : "pan-y";
    this.canvas.setAttribute("aria-label", `${this.label}: ${this.rows.tokens.length} ${this.rows.name} by ${this.cols.tokens.length} ${this.cols.name} tokens. Arrow keys read single weights, plus and minus zoom, 0 shows all.`);
    if (!this.cursor) {
      this.readout.textContent = "Point at a cell, or use the arrow keys, to read a weight. Click to hold it; then wheel, + and \u2212 zoom, dragging moves, 0 shows all, Esc lets go.";
    }
  }

  // image draws what the window shows.
  private image(ctx: CanvasRenderingContext2D): void {
    const m = this.map!;
    const cx0 = Math.floor(this.x0), cx1 = Math.min(Math.ceil(this.x1), m.cols);
    const cy0 = Math.floor(this.y0), cy1 = Math.min(Math.ceil(this.y1), m.rows);
    const nx = cx1 - cx0, ny = cy1 - cy0;
    const px = Math.min(nx, Math.ceil(this.w * ratio())), py = Math.min(ny, Math.ceil(this.h * ratio()));
    const key = [this.serial, cx0, cx1, cy0, cy1, px, py].join();
    if (key !== this.smallKey) {
      const out = pool(m, cx0, cx1, cy0, cy1, px, py);
      paint(this.small, out, px, py, this.colors);
      this.smallKey = key;
    }
    const sx = this.w / (this.x1 - this.x0), sy = this.h / (this.y1 - this.y0);
    ctx.save();
    ctx.beginPath();
    ctx.rect(margin, margin, this.w, this.h);
    ctx.clip();
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.small, margin + (cx0 - this.x0) * sx, margin + (cy0 - this.y0) * sy, nx * sx, ny * sy);
    ctx.restore();
  }

  // axis writes letters where there is room, and round positions.
  private axis(ctx: CanvasRenderingContext2D, a: Axis, size: number, from: number, to: number, length: number, upright: boolean, color: string): void {
    const cell = length / (to - from), i0 = Math.floor(from), i1 = Math.min(Math.ceil(to), size);
    const n = a.tokens.length, whole = n === size;
    const mid = (i: number): number => margin + (i + 0.5 - from) * cell;
    const inside = (v: number): boolean => v >= margin && v <= margin + length;
    const letters = whole && cell >= 9;
    ctx.fillStyle = color;
    // text writes beside the axis, on end along the columns when it is long.
    const text = (s: string, at: number, off: number, turned: boolean): void => {
      ctx.save();
      if (upright) {
        ctx.textAlign = "right"; ctx.textBaseline = "middle";
        ctx.fillText(s, margin - off, at);
      } else if (turned) {
        ctx.translate(at, margin - off);
        ctx.rotate(-Math.PI / 2);
        ctx.textAlign = "left"; ctx.textBaseline = "middle";
        ctx.fillText(s, 0, 0);
      } else {
        ctx.textAlign = "center"; ctx.textBaseline = "alphabetic";
        ctx.fillText(s, at, margin - off);
      }
      ctx.restore();
    };
    const wordy = (i: number): boolean => letters && i >= 0 && i < n && a.tokens[i].length > 1;
    if (letters) {
      font(ctx, Math.min(cell + 1, 13));
      for (let i = i0; i < i1; i++) if (inside(mid(i))) text(a.tokens[i].slice(0, 6), mid(i), 4, wordy(i));
    }
    font(ctx, 12);
    const signed = a.positions.some((p) => p < 0);
    const at = whole ? a.positions : Array.from({ length: size }, (_, i) => a.positions[first(i, n, size)]);
    const marks = whole ? ticks(at, i0, i1, cell, 46) : at.map((_, i) => i).filter((i) => i >= i0 && i < i1 && at[i] !== 0 && i % Math.max(1, Math.ceil(46 / cell)) === 0);
    for (const i of marks) {
      if (!inside(mid(i)) || [i - 1, i, i + 1].some(wordy)) continue;
      text(coordinate(at[i], signed), mid(i), letters ? 18 : 7, false);
      if (letters) continue;
      if (upright) ctx.fillRect(margin - 5, mid(i) - 0.5, 4, 1);
      else ctx.fillRect(mid(i) - 0.5, margin - 5, 1, 4);
    }
    ctx.save();
    ctx.textAlign = "center"; ctx.textBaseline = "top";
    if (upright) ctx.rotate(-Math.PI / 2);
    const what = upright ? `${a.name} (reads)` : `${a.name} (is read)`;
    ctx.fillText(what, (upright ? -1 : 1) * (margin + length / 2), 3);
    ctx.restore();
  }

  // profiles draws the row and the column of the crosshair as curves at the
  // edges; without a crosshair the means over all rows and columns.
  private profiles(ctx: CanvasRenderingContext2D, ink: ReturnType<typeof inks>): void {
    const m = this.map!;
    const bottom = margin + this.h + gap, right = margin + this.w + gap;
    const [row, col] = this.cursor ? cross(m, ...this.cursor) : (this.mean ??= means(m));
    const curve = (values: Float64Array, from: number, to: number, length: number, upright: boolean, color: string): void => {
      let top = 0;
      for (const v of values) top = Math.max(top, Math.abs(v));
      ctx.strokeStyle = ink.line;
      const zero = m.signed ? profile / 2 : profile;
      const point = (a: number, v: number): [number, number] => {
        const d = top > 0 ? v / top * (m.signed ? profile / 2 : profile) : 0;
        return upright ? [right + (profile - zero) + d, margin + a] : [margin + a, bottom + zero - d];
      };
      ctx.beginPath();
      ctx.moveTo(...point(0, 0));
      ctx.lineTo(...point(length, 0));
      ctx.stroke();
      ctx.strokeStyle = color;
      ctx.lineWidth = 1.2;
      ctx.beginPath();
      const scale = length / (to - from);
      const end = Math.min(Math.ceil(to), values.length);
      const step = (end - Math.floor(from)) / length > 2 ? Math.floor((end - Math.floor(from)) / length) : 1;
      let started = false;
      for (let i = Math.floor(from); i < end; i += step) {
        let v = values[i];
        for (let k = i; k < Math.min(i + step, end); k++) if (Math.abs(values[k]) > Math.abs(v)) v = values[k];
        for (const e of [i, i + step]) {
          const a = clamp((e - from) * scale, 0, length);
          if (started) ctx.lineTo(...point(a, v));
          else { ctx.moveTo(...point(a, v)); started = true; }
        }
      }
      ctx.stroke();
    };
    curve(row, this.x0, this.x1, this.w, false, ink.warn);
    curve(col, this.y0, this.y1, this.h, true, ink.accent);
    ctx.fillStyle = ink.soft;
    font(ctx, 11);
    ctx.textAlign = "right"; ctx.textBaseline = "top";
    ctx.fillText(this.cursor ? "row" : "mean row", margin - 5, bottom + profile / 2 - 6);
    ctx.textBaseline = "bottom";
    ctx.fillText(this.cursor ? "column" : "mean", right + profile, margin + this.h + gap + 14);
  }

  private crosshair(ctx: CanvasRenderingContext2D): void {
    const [q, k] = this.cursor!;
    const sx = this.w / (this.x1 - this.x0), sy = this.h / (this.y1 - this.y0);
    const x = margin + (k - this.x0) * sx, y = margin + (q - this.y0) * sy;
    ctx.save();
    ctx.beginPath();
    ctx.rect(margin, margin, this.w, this.h);
    ctx.clip();
    // Two tones, of which one shows on any ground.
    for (const [color, width] of [["rgba(0,0,0,.65)", 2.5], ["rgba(255,255,255,.9)", 1]] as const) {
      ctx.strokeStyle = color;
      ctx.lineWidth = width;
      ctx.beginPath();
      for (const [a, b, c, d] of [
        [margin, y + sy / 2, x - 3, y + sy / 2], [x + sx + 3, y + sy / 2, margin + this.w, y + sy / 2],
        [x + sx / 2, margin, x + sx / 2, y - 3], [x + sx / 2, y + sy + 3, x + sx / 2, margin + this.h],
      ]) { ctx.moveTo(a, b); ctx.lineTo(c, d); }
      ctx.rect(x - 1, y - 1, sx + 2, sy + 2);
      ctx.stroke();
    }
    ctx.restore();
  }

  // point puts the crosshair on a cell, which comes into the window, and tells
  // its weight.
  private point(q: number, k: number, tip = true): void {
    const m = this.map!;
    this.cursor = [q, k];
    const wide = this.x1 - this.x0, high = this.y1 - this.y0;
    this.move(clamp(this.x0, k + 1 - wide, k), clamp(this.y0, q + 1 - high, q), wide, high);
    const v = short(weight(m, m.levels[q * m.cols + k]));
    const pooled = m.rows < this.rows.tokens.length || m.cols < this.cols.tokens.length;
    const from = this.name(this.rows, q, m.rows), to = this.name(this.cols, k, m.cols);
    this.tip.textContent = `${this.rows.name}  ${from}\n${this.cols.name}    ${to}\n${pooled ? "largest" : "weight"} ${v}`;
    this.tip.hidden = !tip;
    const x = margin + (k + 1 - this.x0) * this.w / wide, y = margin + (q + 1 - this.y0) * this.h / high;
    const room = this.stage.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = clamp(x + 10, 0, Math.max(0, room)) + "px";
    this.tip.style.top = y + 10 + "px";
    this.readout.textContent = `${this.rows.name} ${from}, ${this.cols.name} ${to}: ${pooled ? "largest weight" : "weight"} about ${v}${this.pinned ? " (held; click or press Esc to let go)" : ""}.`;
  }

  private leave(): void {
    this.tip.hidden = true;
    if (this.pinned || !this.cursor) return;
    this.cursor = null;
    this.draw();
  }

  // cellAt returns the cell under a pointer.
  private cellAt(e: MouseEvent): { q: number; k: number; row: number; col: number } | null {
    const r = this.canvas.getBoundingClientRect();
    const scale = r.width / (margin + this.w + gap + profile); // 1 unless a style shrinks the canvas
    const col = this.x0 + ((e.clientX - r.left) / scale - margin) * (this.x1 - this.x0) / this.w;
    const row = this.y0 + ((e.clientY - r.top) / scale - margin) * (this.y1 - this.y0) / this.h;
    if (!(row >= this.y0 && row < this.y1 && col >= this.x0 && col < this.x1)) return null;
    return { q: Math.floor(row), k: Math.floor(col), row, col };
  }

  private listen(): void {
    const c = this.canvas;
    c.addEventListener("pointerdown", (e) => {
      if (e.button === 0 && this.map && this.cellAt(e)) this.drag = { x: e.clientX, y: e.clientY, x0: this.x0, y0: this.y0, moved: false };
    });
    c.addEventListener("pointermove", (e) => {
      if (!this.map) return;
      const d = this.drag;
      if (d && (d.moved || Math.hypot(e.clientX - d.x, e.clientY - d.y) > 4) && this.zoomed()) {
        if (!d.moved) c.setPointerCapture(e.pointerId);
        d.moved = true;
        this.tip.hidden = true;
        const wide = this.x1 - this.x0, high = this.y1 - this.y0;
        this.move(d.x0 - (e.clientX - d.x) * wide / this.w, d.y0 - (e.clientY - d.y) * high / this.h, wide, high);
        return;
      }
      if (this.pinned) return;
      const at = this.cellAt(e);
      if (at) this.point(at.q, at.k);
      else this.leave();
    });
    c.addEventListener("pointerup", (e) => {
      const moved = this.drag?.moved;
      this.drag = null;
      const at = this.map && this.cellAt(e);
      if (moved || !at) return;
      c.focus({ preventScroll: true });
      this.pinned = !this.pinned || e.pointerType === "touch";
      this.point(at.q, at.k);
    });
    c.addEventListener("pointercancel", () => { this.drag = null; });
    c.addEventListener("pointerleave", () => this.leave());
    c.addEventListener("blur", () => { this.tip.hidden = true; });
    c.addEventListener("dblclick", (e) => {
      const at = this.cellAt(e);
      if (at) this.zoom(0.5, at.row, at.col);
    });
    c.addEventListener("wheel", (e) => {
      // The wheel belongs to the page until the reader has chosen the map.
      if (!this.map || !(e.ctrlKey || document.activeElement === c)) return;
      const at = this.cellAt(e);
      if (!at) return;
      e.preventDefault();
      this.zoom(Math.exp(clamp(e.deltaY, -200, 200) / 300), at.row, at.col);
    }, { passive: false });
    c.addEventListener("keydown", (e) => this.key(e));
  }

  private key(e: KeyboardEvent): void {
    const m = this.map;
    if (!m || e.ctrlKey || e.metaKey || e.altKey) return;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
    if (step) {
      const [q, k] = this.cursor ?? [Math.floor(this.y0), Math.floor(this.x0)];
      const by = e.shiftKey ? 10 : 1;
      this.pinned = true;
      this.point(clamp(q + by * step[0], 0, m.rows - 1), clamp(k + by * step[1], 0, m.cols - 1));
    } else if (e.key === "+" || e.key === "=") this.zoom(0.5);
    else if (e.key === "-") this.zoom(2);
    else if (e.key === "0") this.reset();
    else if (e.key === "Escape") {
      this.pinned = false;
      this.leave();
    } else return;
    e.preventDefault();
  }
}
