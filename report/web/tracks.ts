// Signed rows over the positions of one example, with one crosshair and one
// window for all of them, and the sequence as a logo.

import { button, canvas2d, clamp, find, font, make } from "./dom";
import { Columns, bytes, json } from "./data";
import { fillNumbers } from "./fulltable";
import { drawLetter, letterColor } from "./logo";
import { coordinate, short, ticks, tsv } from "./numbers";
import { save, saveCanvas } from "./save";
import { Drawn, widthOf } from "./stage";
import { Inks, inks } from "./theme";

interface Row { name: string; unit: string; line: boolean; faithful: boolean }
interface Span { from: number; to: number; name: string } // indices, both included

interface Meta {
  name: string;
  xLabel: string;
  n: number;
  positions: number[];
  labels: string[] | null;
  rows: Row[];
  spans: Span[] | null;
  data: string;
}

export async function tracks(figure: HTMLElement): Promise<Drawn> {
  const meta = await json<Meta>(figure.dataset.meta!);
  const columns = new Columns(await bytes(meta.data));
  return new Tracks(figure, meta, meta.rows.map(() => columns.float32(meta.n)));
}

const left = 54, right = 10, title = 19, body = 58, logoHeight = 64, fewest = 8;

class Tracks implements Drawn {
  private readonly canvas: HTMLCanvasElement;
  private readonly readout: HTMLElement;
  private readonly lows: number[];
  private readonly highs: number[];
  private readonly signed: boolean;
  private readonly single: boolean; // labels are letters
  private readonly nucleic: boolean;
  private a = 0;
  private b: number; // the window in indices, b not included
  private cursor: number | null = null;
  private drag: { from: number; to: number; x: number } | null = null;
  private inner = 1; // width of the data

  constructor(figure: HTMLElement, private readonly meta: Meta, private readonly values: Float32Array[]) {
    this.canvas = find<HTMLCanvasElement>(figure, "canvas");
    this.readout = find(figure, ".readout");
    this.b = meta.n;
    // Every row contains zero.
    this.lows = values.map((v) => v.reduce((m, x) => (x < m ? x : m), 0));
    this.highs = values.map((v) => v.reduce((m, x) => (x > m ? x : m), 0));
    this.signed = meta.positions.some((p) => p < 0);
    this.single = meta.labels?.every((l) => [...l].length <= 1) ?? false;
    this.nucleic = this.single && meta.labels!.every((l) => "ACGTUNacgtun-".includes(l));
    const heads = ["position", ...(meta.labels ? ["label"] : []), ...meta.rows.map((r) => r.name + (r.unit ? ` (${r.unit})` : ""))];
    const bar = make("div", { class: "tools", role: "group", "aria-label": "View" },
      button("+", "Zoom in (+)", () => this.zoom(0.5)),
      button("\u2212", "Zoom out (\u2212)", () => this.zoom(2)),
      button("\u2190", "Move to the left (Shift and left)", () => this.pan(-0.5)),
      button("\u2192", "Move to the right (Shift and right)", () => this.pan(0.5)),
      button("Reset", "Show everything (0)", () => this.look(0, meta.n)),
      button("Save PNG", "Save as a picture", () => saveCanvas(meta.name, this.canvas)),
    );
    find(figure, ".stage").before(bar);
    find(figure, ".save").append(button("Save data (TSV)", `Save ${meta.name}.tsv`, () => save(meta.name + ".tsv", "text/tab-separated-values", tsv(this.lines(heads)))));
    fillNumbers(figure, heads, meta.n, (i) => [
      coordinate(meta.positions[i], this.signed), ...(meta.labels ? [meta.labels[i]] : []), ...this.values.map((v) => (Number.isNaN(v[i]) ? "" : short(v[i]))),
    ]);
    this.listen();
  }

  private *lines(heads: string[]): Generator<(string | number)[]> {
    yield heads;
    for (let i = 0; i < this.meta.n; i++) yield [this.meta.positions[i], ...(this.meta.labels ? [this.meta.labels[i]] : []), ...this.values.map((v) => v[i])];
  }

  private scale(): number { return this.inner / (this.b - this.a); }
  private x(i: number): number { return left + (i - this.a) * this.scale(); }

  private look(a: number, wide: number): void {
    wide = clamp(wide, Math.min(fewest, this.meta.n), this.meta.n);
    this.a = clamp(a, 0, this.meta.n - wide);
    this.b = this.a + wide;
    this.draw();
  }

  private zoom(by: number, at?: number): void {
    const wide = this.b - this.a, next = clamp(wide * by, Math.min(fewest, this.meta.n), this.meta.n);
    const inside = this.cursor !== null && this.cursor + 0.5 >= this.a && this.cursor + 0.5 <= this.b;
    const c = at ?? (inside ? this.cursor! + 0.5 : this.a + wide / 2);
    this.look(c - (c - this.a) * next / wide, next);
  }

  private pan(by: number): void {
    this.look(this.a + by * (this.b - this.a), this.b - this.a);
  }

  draw(): void {
    const { rows, labels } = this.meta;
    const w = widthOf(this.canvas.parentElement!), top = this.meta.spans?.length ? 18 : 2;
    const step = title + body + 8;
    const bottom = top + rows.length * step;
    const h = bottom + (labels ? logoHeight + title : 0) + 40;
    this.inner = w - left - right;
    const ctx = canvas2d(this.canvas, w, h), ink = inks();
    ctx.fillStyle = ink.paper;
    ctx.fillRect(0, 0, w, h);
    this.spans(ctx, ink, bottom);
    rows.forEach((r, k) => this.row(ctx, ink, r, k, top + k * step));
    if (labels) this.letters(ctx, ink, bottom);
    this.axis(ctx, ink, h - 40);
    if (this.drag && Math.abs(this.drag.to - this.drag.from) > 0) {
      ctx.fillStyle = ink.accent + "33";
      const [x0, x1] = [this.x(this.drag.from), this.x(this.drag.to)];
      ctx.fillRect(Math.min(x0, x1), top, Math.abs(x1 - x0), h - 40 - top);
    }
    if (this.cursor !== null && this.cursor >= Math.floor(this.a) && this.cursor < this.b) {
      const x = Math.round(clamp(this.x(this.cursor + 0.5), left, left + this.inner)) + 0.5;
      ctx.strokeStyle = ink.ink;
      ctx.lineWidth = 1;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, h - 40);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    this.tell();
  }

  // spans shades stretches and names them at the top.
  private spans(ctx: CanvasRenderingContext2D, ink: Inks, bottom: number): void {
    font(ctx, 12);
    ctx.textBaseline = "top";
    ctx.textAlign = "center";
    let free = left;
    for (const s of this.meta.spans ?? []) {
      const x0 = Math.max(this.x(s.from), left), x1 = Math.min(this.x(s.to + 1), left + this.inner);
      if (x1 <= x0) continue;
      ctx.fillStyle = ink.pale + "40";
      ctx.fillRect(x0, 0, Math.max(x1 - x0, 1.5), bottom);
      const wide = ctx.measureText(s.name).width;
      const mid = clamp((x0 + x1) / 2, left + wide / 2, left + this.inner - wide / 2);
      if (mid - wide / 2 < free) continue; // the name before takes the room
      ctx.fillStyle = ink.ink;
      ctx.fillText(s.name, mid, 2);
      free = mid + wide / 2 + 8;
    }
  }

  private row(ctx: CanvasRenderingContext2D, ink: Inks, r: Row, k: number, top: number): void {
    const low = this.lows[k], high = this.highs[k], range = high - low || 1;
    const y0 = top + title, y = (v: number): number => y0 + (high - v) / range * body;
    font(ctx, 12, true);
    ctx.fillStyle = r.faithful ? ink.ink : ink.soft;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    let name = r.name + (r.unit ? ` (${r.unit})` : "") + (r.faithful ? "" : ", not faithful here");
    const value = this.cursor === null ? "" : short(this.values[k][this.cursor]);
    const room = this.inner - (value ? ctx.measureText(value).width + 8 : 0);
    if (ctx.measureText(name).width > room) {
      while (name.length > 4 && ctx.measureText(name + "\u2026").width > room) name = name.slice(0, -1);
      name += "\u2026";
    }
    ctx.fillText(name, left, top + title / 2);
    ctx.textAlign = "right";
    if (value) ctx.fillText(value, left + this.inner, top + title / 2);
    ctx.strokeStyle = ink.line;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(left, y(0));
    ctx.lineTo(left + this.inner, y(0));
    ctx.stroke();
    font(ctx, 11);
    ctx.fillStyle = ink.soft;
    const places = [high, low].filter((v) => v !== 0).map((v) => ({ v, at: clamp(y(v), y0 + 4, y0 + body - 4) }));
    if (places.every((p) => Math.abs(p.at - y(0)) > 13)) places.push({ v: 0, at: y(0) });
    for (const p of places) ctx.fillText(short(p.v), left - 5, p.at);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, y0 - 1, this.inner, body + 2);
    ctx.clip();
    const up = r.faithful ? ink.up : ink.pale, down = r.faithful ? ink.down : ink.pale;
    if (r.line) this.line(ctx, this.values[k], y, r.faithful ? ink.up : ink.pale);
    else this.bars(ctx, this.values[k], y, up, down);
    ctx.restore();
  }

  // bars draws a bar for each position or, where they are narrower than a
  // pixel, the extremes of each pixel.
  private bars(ctx: CanvasRenderingContext2D, v: Float32Array, y: (v: number) => number, up: string, down: string): void {
    const s = this.scale(), zero = y(0);
    const bar = (x: number, w: number, value: number): void => {
      ctx.fillStyle = value > 0 ? up : down;
      const to = y(value);
      ctx.fillRect(x, Math.min(zero, to), w, Math.max(Math.abs(zero - to), 0.7));
    };
    if (s >= 1) {
      const gap = s > 4 ? 1 : 0;
      for (let i = Math.floor(this.a); i < this.b && i < v.length; i++) if (v[i]) bar(this.x(i) + gap / 2, s - gap, v[i]);
      return;
    }
    this.pixels(v, (x, low, high) => {
      if (high > 0) bar(x, 1, high);
      if (low < 0) bar(x, 1, low);
    });
  }

  // pixels calls f with the extremes of each column of pixels.
  private pixels(v: Float32Array, f: (x: number, low: number, high: number) => void): void {
    const s = this.scale();
    for (let px = 0; px < this.inner; px++) {
      let low = Infinity, high = -Infinity;
      const to = Math.min(Math.ceil(this.a + (px + 1) / s), v.length);
      for (let i = Math.floor(this.a + px / s); i < to; i++) {
        if (v[i] < low) low = v[i];
        if (v[i] > high) high = v[i];
      }
      if (low <= high) f(left + px, low, high);
    }
  }

  private line(ctx: CanvasRenderingContext2D, v: Float32Array, y: (v: number) => number, color: string): void {
    ctx.strokeStyle = color;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    if (this.scale() >= 1) {
      let gap = true;
      for (let i = Math.max(0, Math.floor(this.a) - 1); i <= this.b && i < v.length; i++) {
        if (Number.isNaN(v[i])) { gap = true; continue; }
        if (gap) ctx.moveTo(this.x(i + 0.5), y(v[i]));
        else ctx.lineTo(this.x(i + 0.5), y(v[i]));
        gap = false;
      }
    } else {
      this.pixels(v, (x, low, high) => { ctx.moveTo(x, y(low) + 0.5); ctx.lineTo(x, y(high) - 0.5); });
    }
    ctx.stroke();
  }

  // letters draws the sequence as a logo of the first row.
  private letters(ctx: CanvasRenderingContext2D, ink: Inks, top: number): void {
    const s = this.scale(), labels = this.meta.labels!;
    const low = this.lows[0], high = this.highs[0], range = high - low || 1;
    const y0 = top + title;
    font(ctx, 12, true);
    ctx.fillStyle = ink.ink;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ctx.fillText(!this.single ? "labels" : s >= 6 ? "logo of " + this.meta.rows[0].name : "sequence", left, top + title / 2);
    const wanted = this.single ? 6 : 13;
    if (s < wanted) {
      font(ctx, 12);
      ctx.fillStyle = ink.soft;
      ctx.fillText(`zoom in to ${Math.floor(this.inner / wanted)} positions or fewer to read it`, left, y0 + 10);
      return;
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, y0, this.inner, logoHeight);
    ctx.clip();
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    for (let i = Math.floor(this.a); i < this.b && i < labels.length; i++) {
      if (this.single) {
        const v = this.values[0][i], zero = y0 + high / range * (logoHeight - 4) + 2;
        ctx.fillStyle = this.meta.rows[0].faithful ? letterColor(labels[i], dark, this.nucleic, ink.ink) : ink.pale;
        if (v) drawLetter(ctx, labels[i], this.x(i) + s * 0.04, zero, s * 0.92, v / range * (logoHeight - 4));
        continue;
      }
      font(ctx, 11);
      ctx.fillStyle = ink.ink;
      ctx.save();
      ctx.translate(this.x(i + 0.5), y0);
      ctx.rotate(Math.PI / 2);
      ctx.textAlign = "left";
      ctx.fillText(labels[i], 0, 0, logoHeight);
      ctx.restore();
    }
    ctx.restore();
  }

  private axis(ctx: CanvasRenderingContext2D, ink: Inks, top: number): void {
    ctx.strokeStyle = ctx.fillStyle = ink.ink;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(left, top + 0.5);
    ctx.lineTo(left + this.inner, top + 0.5);
    const a = Math.floor(this.a), b = Math.min(Math.ceil(this.b), this.meta.n);
    const marks = ticks(this.meta.positions, a, b, this.scale(), 64).filter((i) => this.x(i + 0.5) >= left && this.x(i + 0.5) <= left + this.inner);
    for (const i of marks) {
      const x = Math.round(this.x(i + 0.5)) + 0.5;
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + 5);
    }
    ctx.stroke();
    font(ctx, 12);
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    for (const i of marks) ctx.fillText(coordinate(this.meta.positions[i], this.signed), this.x(i + 0.5), top + 7);
    if (this.meta.xLabel) ctx.fillText(this.meta.xLabel, left + this.inner / 2, top + 23);
  }

  // tell writes the values under the crosshair.
  private tell(): void {
    const m = this.meta, i = this.cursor;
    const first = coordinate(m.positions[Math.floor(this.a)], this.signed), last = coordinate(m.positions[Math.min(Math.ceil(this.b), m.n) - 1], this.signed);
    this.readout.textContent = i === null
      ? `Positions ${first} to ${last}. Drag across to zoom, double-click or 0 to show everything; arrow keys read values, Shift and arrows move.`
      : `Position ${coordinate(m.positions[i], this.signed)}${m.labels ? ` (${m.labels[i]})` : ""}: ${m.rows.map((r, k) => `${r.name} ${short(this.values[k][i])}`).join("; ")}`;
  }

  // at returns the place under a pointer, in indices.
  private at(e: MouseEvent): number | null {
    const r = this.canvas.getBoundingClientRect();
    const px = (e.clientX - r.left) * (left + this.inner + right) / r.width - left;
    return px < 0 || px >= this.inner ? null : this.a + px / this.scale();
  }

  private point(i: number): void {
    this.cursor = clamp(i, 0, this.meta.n - 1);
    const wide = this.b - this.a;
    this.look(clamp(this.a, this.cursor + 1 - wide, this.cursor), wide);
  }

  private listen(): void {
    const c = this.canvas;
    c.style.touchAction = "pan-y";
    c.addEventListener("pointerdown", (e) => {
      const at = this.at(e);
      if (e.button !== 0 || at === null) return;
      this.drag = { from: at, to: at, x: e.clientX };
      c.setPointerCapture(e.pointerId);
    });
    c.addEventListener("pointermove", (e) => {
      const at = this.at(e);
      if (this.drag) {
        if (at !== null) this.drag.to = at;
        else this.drag.to = e.clientX < this.drag.x ? this.a : this.b;
        this.draw();
      } else if (at !== null) {
        this.cursor = Math.floor(at);
        this.draw();
      }
    });
    c.addEventListener("pointerup", (e) => {
      const d = this.drag;
      this.drag = null;
      if (!d) return;
      c.focus({ preventScroll: true });
      if (Math.abs(e.clientX - d.x) > 5) {
        const from = Math.floor(Math.min(d.from, d.to)), to = Math.ceil(Math.max(d.from, d.to));
        this.look(from, to - from);
      } else this.point(Math.floor(d.from));
    });
    c.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    c.addEventListener("pointerleave", () => {
      if (this.drag || document.activeElement === c) return;
      this.cursor = null;
      this.draw();
    });
    c.addEventListener("dblclick", () => this.look(0, this.meta.n));
    c.addEventListener("wheel", (e) => {
      if (!(e.ctrlKey || document.activeElement === c)) return;
      e.preventDefault();
      this.zoom(Math.exp(clamp(e.deltaY, -200, 200) / 300), this.at(e) ?? undefined);
    }, { passive: false });
    c.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (step && e.shiftKey) this.pan(0.5 * step);
      else if (step) this.point(this.cursor === null ? Math.floor(this.a) : this.cursor + step);
      else if (e.key === "+" || e.key === "=") this.zoom(0.5);
      else if (e.key === "-") this.zoom(2);
      else if (e.key === "0") this.look(0, this.meta.n);
      else if (e.key === "Escape") {
        this.cursor = null;
        this.draw();
      } else return;
      e.preventDefault();
    });
  }
}
