// The events of one patient over days, lane by lane, with the probabilities of
// a model above them and arcs between the events on which an alert rests.

import { button, canvas2d, clamp, find, font, make } from "./dom";
import { Columns, bytes, json } from "./data";
import { short, steps, tsv } from "./numbers";
import { save, saveCanvas } from "./save";
import { Drawn, widthOf } from "./stage";
import { Inks, inks } from "./theme";

interface Meta {
  name: string;
  lanes: string[];
  n: number;
  codes: string[];
  texts: string[];
  lane: number[];
  links: { from: number; to: number; text: string }[];
  scores: number;
  alerts: number[];
  threshold: number;
  data: string;
}

export async function timelines(figure: HTMLElement): Promise<Drawn> {
  const meta = await json<Meta>(figure.dataset.meta!);
  const c = new Columns(await bytes(meta.data));
  return new Timeline(figure, meta, c.float32(meta.n), c.float32(meta.n), c.float32(meta.scores), c.float32(meta.scores));
}

const right = 12, lane = 34, curve = 70, arcs = 56, axis = 38, shortest = 1 / 24;

class Timeline implements Drawn {
  private readonly canvas: HTMLCanvasElement;
  private readonly readout: HTMLElement;
  private readonly first: number;
  private readonly last: number;
  private readonly most: number; // largest weight
  private a: number;
  private b: number; // the window in days
  private cursor: number | null = null; // an event
  private drag: { from: number; to: number } | null = null;
  private left = 80;
  private inner = 1;

  constructor(figure: HTMLElement, private readonly meta: Meta, private readonly day: Float32Array, private readonly weight: Float32Array, private readonly at: Float32Array, private readonly score: Float32Array) {
    this.canvas = find<HTMLCanvasElement>(figure, "canvas");
    this.readout = find(figure, ".readout");
    const ends = [day[0], day[meta.n - 1], ...(meta.scores ? [at[0], at[meta.scores - 1]] : [])];
    const wide = Math.max(Math.max(...ends) - Math.min(...ends), 1);
    this.first = Math.min(...ends) - wide * 0.02;
    this.last = Math.max(...ends) + wide * 0.02;
    this.most = weight.reduce((m, w) => Math.max(m, Math.abs(w)), 0);
    this.a = this.first;
    this.b = this.last;
    const bar = make("div", { class: "tools", role: "group", "aria-label": "View" },
      button("+", "Zoom in (+)", () => this.zoom(0.5)),
      button("\u2212", "Zoom out (\u2212)", () => this.zoom(2)),
      button("\u2190", "Move to earlier days (Shift and left)", () => this.pan(-0.5)),
      button("\u2192", "Move to later days (Shift and right)", () => this.pan(0.5)),
      button("Reset", "Show everything (0)", () => this.look(this.first, this.last)),
      button("Save PNG", "Save as a picture", () => saveCanvas(meta.name, this.canvas)),
    );
    find(figure, ".stage").before(bar);
    find(figure, ".save").append(button("Save data (TSV)", `Save ${meta.name}.tsv`, () => save(meta.name + ".tsv", "text/tab-separated-values", tsv(this.lines()))));
    this.listen();
  }

  private *lines(): Generator<(string | number)[]> {
    yield ["day", "lane", "code", "text", "weight"];
    for (let i = 0; i < this.meta.n; i++) yield [this.day[i], this.meta.lanes[this.meta.lane[i]], this.meta.codes[i], this.meta.texts[i], this.weight[i]];
  }

  private x(day: number): number { return this.left + (day - this.a) / (this.b - this.a) * this.inner; }
  private dayAt(x: number): number { return this.a + (x - this.left) / this.inner * (this.b - this.a); }

  private look(a: number, b: number): void {
    const wide = clamp(b - a, Math.min(shortest, this.last - this.first), this.last - this.first);
    this.a = clamp((a + b - wide) / 2, this.first, this.last - wide);
    this.b = this.a + wide;
    this.draw();
  }

  private zoom(by: number, at?: number): void {
    const held = this.cursor !== null && this.day[this.cursor] >= this.a && this.day[this.cursor] <= this.b ? this.day[this.cursor] : null;
    const c = at ?? held ?? (this.a + this.b) / 2;
    this.look(c - (c - this.a) * by, c + (this.b - c) * by);
  }

  private pan(by: number): void {
    const d = by * (this.b - this.a);
    this.look(this.a + d, this.b + d);
  }

  private top(): number { return (this.meta.scores ? curve + 10 : 0) + (this.meta.links.length ? arcs : 4); }
  private y(event: number): number { return this.top() + (this.meta.lane[event] + 0.5) * lane; }

  draw(): void {
    const w = widthOf(this.canvas.parentElement!), ink = inks();
    const h = this.top() + this.meta.lanes.length * lane + axis;
    const measure = canvas2d(this.canvas, w, h);
    font(measure, 12);
    this.left = clamp(Math.max(...this.meta.lanes.map((l) => measure.measureText(l).width), this.meta.scores ? 70 : 0) + 12, 40, Math.max(40, w * 0.3));
    this.inner = Math.max(1, w - this.left - right);
    const ctx = measure;
    ctx.fillStyle = ink.paper;
    ctx.fillRect(0, 0, w, h);
    this.lanes(ctx, ink, w);
    this.axis(ctx, ink, h - axis);
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.left, 0, this.inner, h - axis);
    ctx.clip();
    if (this.meta.scores) this.curve(ctx, ink);
    this.links(ctx, ink);
    this.events(ctx, ink);
    if (this.drag) {
      ctx.fillStyle = ink.accent + "33";
      const [x0, x1] = [this.x(this.drag.from), this.x(this.drag.to)];
      ctx.fillRect(Math.min(x0, x1), 0, Math.abs(x1 - x0), h - axis);
    }
    ctx.restore();
    if (this.meta.scores) this.curveAxis(ctx, ink);
    this.tell();
  }

  private lanes(ctx: CanvasRenderingContext2D, ink: Inks, w: number): void {
    font(ctx, 12);
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    this.meta.lanes.forEach((name, k) => {
      const y = this.top() + (k + 0.5) * lane;
      ctx.strokeStyle = ink.line;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(this.left, Math.round(y) + 0.5);
      ctx.lineTo(w - right, Math.round(y) + 0.5);
      ctx.stroke();
      let text = name;
      while (text.length > 3 && ctx.measureText(text).width > this.left - 10) text = text.slice(0, -2) + "\u2026";
      ctx.fillStyle = ink.ink;
      ctx.fillText(text, this.left - 8, y);
    });
  }

  private axis(ctx: CanvasRenderingContext2D, ink: Inks, y: number): void {
    font(ctx, 11);
    ctx.fillStyle = ink.soft;
    ctx.strokeStyle = ink.line;
    ctx.textBaseline = "top";
    ctx.textAlign = "center";
    const perDay = this.inner / (this.b - this.a);
    let step = 1;
    for (const d of steps()) if ((step = d / 100) * perDay >= 70) break;
    for (let d = Math.ceil(this.a / step) * step; d <= this.b; d += step) {
      const x = this.x(d);
      ctx.fillRect(Math.round(x), y, 1, 4);
      ctx.fillText(short(Math.round(d * 100) / 100), x, y + 6);
    }
    ctx.fillText("day", this.left + this.inner / 2, y + 21);
  }

  private scoreY(p: number): number { return 6 + (1 - p) * curve; }

  // curve draws the probabilities as steps, and a mark at each alert.
  private curve(ctx: CanvasRenderingContext2D, ink: Inks): void {
    ctx.strokeStyle = ink.warn;
    ctx.setLineDash([5, 4]);
    ctx.beginPath();
    ctx.moveTo(this.left, this.scoreY(this.meta.threshold));
    ctx.lineTo(this.left + this.inner, this.scoreY(this.meta.threshold));
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.strokeStyle = ink.accent;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    for (let i = 0; i < this.meta.scores; i++) {
      const y = this.scoreY(this.score[i]);
      if (i === 0) ctx.moveTo(this.x(this.at[0]), y);
      else ctx.lineTo(this.x(this.at[i]), this.scoreY(this.score[i - 1]));
      ctx.lineTo(this.x(this.at[i]), y);
    }
    ctx.lineTo(this.x(this.last), this.scoreY(this.score[this.meta.scores - 1]));
    ctx.stroke();
    ctx.fillStyle = ink.warn;
    for (const i of this.meta.alerts) {
      const x = this.x(this.at[i]), y = this.scoreY(this.score[i]);
      ctx.beginPath();
      ctx.moveTo(x, y - 6);
      ctx.lineTo(x + 6, y + 5);
      ctx.lineTo(x - 6, y + 5);
      ctx.fill();
    }
  }

  private curveAxis(ctx: CanvasRenderingContext2D, ink: Inks): void {
    font(ctx, 11);
    ctx.fillStyle = ink.soft;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (const p of [0, 1]) ctx.fillText(String(p), this.left - 8, this.scoreY(p));
    ctx.fillText("probability", this.left - 8, this.scoreY(0.5));
  }

  // links draws arcs above the lanes, from event to event.
  private links(ctx: CanvasRenderingContext2D, ink: Inks): void {
    font(ctx, 12, true);
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    for (const l of this.meta.links) {
      const x0 = this.x(this.day[l.from]), y0 = this.y(l.from), x1 = this.x(this.day[l.to]), y1 = this.y(l.to);
      const peak = this.top() - arcs + 14;
      ctx.strokeStyle = ink.up;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.bezierCurveTo(x0, peak, x1, peak, x1, y1);
      ctx.stroke();
      // The middle of the curve is an eighth of its ends and three of its handles.
      const mid = clamp((x0 + x1) / 2, this.left + 30, this.left + this.inner - 30), y = (y0 + y1) / 8 + 0.75 * peak;
      const wide = ctx.measureText(l.text).width;
      ctx.fillStyle = ink.paper;
      ctx.fillRect(mid - wide / 2 - 3, y - 17, wide + 6, 15);
      ctx.fillStyle = ink.ink;
      ctx.fillText(l.text, mid, y - 3);
    }
  }

  // events draws those that moved the output last, on top.
  private events(ctx: CanvasRenderingContext2D, ink: Inks): void {
    const order = Array.from({ length: this.meta.n }, (_, i) => i).filter((i) => this.day[i] >= this.a && this.day[i] <= this.b);
    order.sort((i, j) => Math.abs(this.weight[i]) - Math.abs(this.weight[j]));
    for (const i of order) {
      const share = this.most > 0 ? Math.abs(this.weight[i]) / this.most : 0;
      ctx.fillStyle = share === 0 ? ink.pale : this.weight[i] > 0 ? ink.up : ink.down;
      ctx.globalAlpha = share === 0 ? 0.6 : 1;
      ctx.beginPath();
      ctx.arc(this.x(this.day[i]), this.y(i), 2.5 + 6 * Math.sqrt(share), 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.globalAlpha = 1;
    if (this.cursor !== null) {
      ctx.strokeStyle = ink.ink;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.arc(this.x(this.day[this.cursor]), this.y(this.cursor), 10, 0, 2 * Math.PI);
      ctx.stroke();
    }
  }

  private tell(): void {
    const i = this.cursor;
    if (i === null) {
      this.readout.textContent = "Point at an event, or step through them with the arrow keys. Drag to zoom, 0 shows everything.";
      return;
    }
    const m = this.meta;
    let text = `Day ${short(Math.round(10 * this.day[i]) / 10)}, ${m.lanes[m.lane[i]]}: ${m.codes[i]}${m.texts[i] ? " " + m.texts[i] : ""}`;
    if (this.weight[i] !== 0) text += `; moved the output by ${short(this.weight[i])}`;
    for (const l of m.links) {
      if (l.from !== i && l.to !== i) continue;
      const other = l.from === i ? l.to : l.from;
      text += `; with ${m.codes[other]} on day ${short(Math.round(10 * this.day[other]) / 10)} (${l.text})`;
    }
    this.readout.textContent = text + ".";
  }

  // nearest returns the event close to a point of the canvas, if any.
  private nearest(x: number, y: number): number | null {
    let best: number | null = null, distance = 14;
    for (let i = 0; i < this.meta.n; i++) {
      const d = Math.hypot(this.x(this.day[i]) - x, this.y(i) - y);
      if (d < distance) [best, distance] = [i, d];
    }
    return best;
  }

  private point(i: number | null): void {
    if (i === this.cursor) return;
    this.cursor = i;
    if (i !== null && (this.day[i] < this.a || this.day[i] > this.b)) {
      const wide = this.b - this.a;
      this.look(this.day[i] - wide / 2, this.day[i] + wide / 2);
    } else this.draw();
  }

  private listen(): void {
    const c = this.canvas;
    const place = (e: MouseEvent): [number, number] => {
      const r = c.getBoundingClientRect(), s = r.width / (this.left + this.inner + right);
      return [(e.clientX - r.left) / s, (e.clientY - r.top) / s];
    };
    c.addEventListener("pointerdown", (e) => {
      if (e.button !== 0) return;
      const d = this.dayAt(place(e)[0]);
      this.drag = { from: d, to: d };
      c.setPointerCapture(e.pointerId);
    });
    c.addEventListener("pointermove", (e) => {
      const [x, y] = place(e);
      if (this.drag) {
        this.drag.to = clamp(this.dayAt(x), this.a, this.b);
        this.draw();
      } else this.point(this.nearest(x, y));
    });
    c.addEventListener("pointerup", (e) => {
      const d = this.drag;
      this.drag = null;
      if (d && Math.abs(this.x(d.to) - this.x(d.from)) > 6) this.look(Math.min(d.from, d.to), Math.max(d.from, d.to));
      else {
        c.focus({ preventScroll: true });
        this.point(this.nearest(...place(e)));
        this.draw();
      }
    });
    c.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
    c.addEventListener("wheel", (e) => {
      if (!(e.ctrlKey || document.activeElement === c)) return;
      e.preventDefault();
      this.zoom(Math.exp(clamp(e.deltaY, -200, 200) / 300), this.dayAt(place(e)[0]));
    }, { passive: false });
    c.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
      if (step && e.shiftKey) this.pan(step / 2);
      else if (step) this.point(this.cursor === null ? (step > 0 ? 0 : this.meta.n - 1) : clamp(this.cursor + step, 0, this.meta.n - 1));
      else if (e.key === "+" || e.key === "=") this.zoom(0.5);
      else if (e.key === "-") this.zoom(2);
      else if (e.key === "0") this.look(this.first, this.last);
      else if (e.key === "Escape") this.point(null);
      else return;
      e.preventDefault();
    });
  }
}
