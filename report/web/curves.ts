// Named lines over one axis, drawn by uPlot.

import { button, clamp, find, font, make } from "./dom";
import { Columns, bytes, json } from "./data";
import { fillNumbers } from "./fulltable";
import { short, tsv } from "./numbers";
import { save, saveCanvas } from "./save";
import { Drawn, widthOf } from "./stage";
import { dashes, inks, series } from "./theme";
import { Plot, Values, create } from "./uplot";

interface Meta {
  name: string;
  xLabel: string;
  yLabel: string;
  log: boolean;
  n: number;
  regular: boolean;
  start: number;
  step: number;
  series: { name: string; band: boolean }[];
  marks: { x: number; name: string }[] | null;
  data: string;
}

// A Line knows the columns of a series among those of the plot.
interface Line {
  name: string;
  at: number;            // of y
  band: [number, number] | null; // of low and high
  shown: boolean;
}

export async function curves(figure: HTMLElement): Promise<Drawn> {
  const meta = await json<Meta>(figure.dataset.meta!);
  return new Curves(figure, meta, new Columns(await bytes(meta.data)));
}

class Curves implements Drawn {
  private readonly data: [Float64Array, ...Values[]];
  private readonly lines: Line[] = [];
  private readonly box: HTMLElement;
  private readonly readout: HTMLElement;
  private plot: Plot | null = null;
  private log: boolean;
  private readonly whole: { min: number; max: number };

  constructor(private readonly figure: HTMLElement, private readonly meta: Meta, from: Columns) {
    this.box = find(figure, ".plot");
    this.readout = find(figure, ".readout");
    this.log = meta.log;
    const n = meta.n;
    this.data = [meta.regular ? Float64Array.from({ length: n }, (_, i) => meta.start + i * meta.step) : from.float64(n)];
    for (const s of meta.series) {
      const column = (): number => {
        // Infinity stands where another series has a point, NaN for a gap.
        this.data.push(Array.from(from.float32(n), (v) => (v === Infinity ? undefined : Number.isNaN(v) ? null : v)));
        return this.data.length - 1;
      };
      this.lines.push({ name: s.name, at: column(), band: s.band ? [column(), column()] : null, shown: true });
    }
    const x = this.data[0];
    this.whole = n > 1 ? { min: x[0], max: x[n - 1] } : { min: x[0] - 1, max: x[0] + 1 };
    this.controls();
    this.keys();
    const heads = [meta.xLabel || "x"];
    for (const l of this.lines) heads.push(l.name, ...(l.band ? [l.name + ", low", l.name + ", high"] : []));
    find(figure, ".save").append(button("Save data (TSV)", `Save ${meta.name}.tsv`, () => save(meta.name + ".tsv", "text/tab-separated-values", tsv(this.rows(heads)))));
    fillNumbers(figure, heads, n, (i) => this.data.map((c) => (c[i] == null ? "" : short(c[i] as number))));
  }

  private *rows(heads: string[]): Generator<(string | number)[]> {
    yield heads;
    for (let i = 0; i < this.meta.n; i++) yield this.data.map((c) => c[i] ?? NaN);
  }

  private controls(): void {
    const log = button("Log scale", "Logarithmic y axis", () => {
      this.log = !this.log;
      log.setAttribute("aria-pressed", String(this.log));
      this.draw();
    });
    log.setAttribute("aria-pressed", String(this.log));
    const bar = make("div", { class: "tools", role: "group", "aria-label": "View" },
      button("+", "Zoom in (+)", () => this.zoom(0.5)),
      button("\u2212", "Zoom out (\u2212)", () => this.zoom(2)),
      button("Reset", "Show everything (0)", () => this.plot?.setScale("x", this.whole)),
      log,
      button("Save PNG", "Save as a picture", () => { if (this.plot) saveCanvas(this.meta.name, this.plot.ctx.canvas); }),
    );
    this.box.before(bar);
    const key = find(this.figure, ".key");
    this.lines.forEach((l) => {
      const b = make("button", { type: "button", "aria-pressed": "true" }, make("canvas", { "aria-hidden": "true" }), l.name);
      b.addEventListener("click", () => {
        l.shown = !l.shown;
        b.setAttribute("aria-pressed", String(l.shown));
        for (const i of [l.at, ...(l.band ?? [])]) this.plot?.setSeries(i, { show: l.shown });
      });
      key.append(b);
    });
  }

  // swatches repeats colour and dashes of the lines on their buttons.
  private swatches(): void {
    this.figure.querySelectorAll<HTMLCanvasElement>(".key canvas").forEach((c, i) => {
      c.width = 56; c.height = 20;
      c.style.width = "28px"; c.style.height = "10px";
      const ctx = c.getContext("2d")!;
      ctx.scale(2, 2);
      ctx.strokeStyle = series(i);
      ctx.lineWidth = 2;
      ctx.setLineDash(dashes[i % dashes.length]);
      ctx.beginPath();
      ctx.moveTo(0, 5);
      ctx.lineTo(28, 5);
      ctx.stroke();
    });
  }

  draw(): void {
    const view = this.plot?.scales.x;
    const range = view && view.min !== undefined && view.min !== null ? { min: view.min, max: view.max } : this.whole;
    this.plot?.destroy();
    this.swatches();
    const data = this.log ? [this.data[0], ...this.data.slice(1).map((c) => (c as Values).map((v) => (v != null && v <= 0 ? null : v)))] : this.data;
    this.plot = create(this.options(), data, this.box);
    this.lines.forEach((l) => { if (!l.shown) for (const i of [l.at, ...(l.band ?? [])]) this.plot!.setSeries(i, { show: false }); });
    this.plot.setScale("x", range);
    this.hint();
  }

  private hint(): void {
    const hidden = this.log && this.data.slice(1).some((c) => (c as Values).some((v) => v != null && v <= 0));
    this.readout.textContent = "Drag across to zoom, double-click or 0 to show everything; arrow keys read values." + (hidden ? " Values of 0 and less have no place on a logarithmic axis and are left out." : "");
  }

  private options(): object {
    const ink = inks(), width = widthOf(this.box);
    const lines: object[] = [{}], bands: object[] = [];
    this.lines.forEach((l, i) => {
      const color = series(i);
      lines.push({ label: l.name, stroke: color, width: 1.8, dash: dashes[i % dashes.length], points: { show: this.meta.n < 2 } });
      if (!l.band) return;
      for (let k = 0; k < 2; k++) lines.push({ label: l.name, width: 0, stroke: "transparent", points: { show: false } });
      bands.push({ series: [l.band[1], l.band[0]], fill: color + "30" });
    });
    const axis = (label: string, size: number, space: number): object => ({
      label, labelSize: 20, labelGap: 2, size, space, stroke: ink.ink, font: '12px system-ui, "Liberation Sans", Arial, sans-serif', labelFont: '12px system-ui, "Liberation Sans", Arial, sans-serif',
      grid: { stroke: ink.line, width: 1 }, ticks: { stroke: ink.line, width: 1, size: 5 },
    });
    return {
      width, height: width < 480 ? 260 : 320, bands, series: lines,
      scales: { x: { time: false }, y: { distr: this.log ? 3 : 1 } },
      axes: [axis(this.meta.xLabel, 36, 60), axis(this.meta.yLabel, 52, 34)],
      legend: { show: false },
      cursor: {
        drag: { x: true, y: false },
        points: { size: 7 },
        // Each line answers with its own point that is nearest.
        dataIdx: (u: Plot, i: number, at: number) => nearest(u.data[i] as Values, at, i === 0),
      },
      hooks: { draw: [(u: Plot) => this.marks(u)], setCursor: [(u: Plot) => this.read(u)] },
    };
  }

  private marks(u: Plot): void {
    const { ctx, bbox } = u, ink = inks(), r = window.devicePixelRatio || 1;
    for (const m of this.meta.marks ?? []) {
      const x = u.valToPos(m.x, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = ink.soft;
      ctx.lineWidth = r;
      ctx.setLineDash([4 * r, 3 * r]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      font(ctx, 11 * r);
      const left = x > bbox.left + bbox.width / 2;
      ctx.textAlign = left ? "right" : "left";
      ctx.textBaseline = "top";
      ctx.fillText(m.name, x + (left ? -4 : 4) * r, bbox.top + 3 * r);
      ctx.restore();
    }
  }

  // read writes the values under the crosshair.
  private read(u: Plot): void {
    const i = u.cursor.idx;
    if (i === null || i === undefined) return this.hint();
    const parts = this.lines.filter((l) => l.shown).map((l) => {
      const at = u.cursor.idxs[l.at], v = at == null ? null : this.data[l.at][at];
      if (at == null || v == null) return `${l.name} \u2013`;
      const b = l.band?.map((k) => short(this.data[k][at] ?? NaN));
      return `${l.name} ${short(v)}${b ? ` (${b[0]} to ${b[1]})` : ""}${at === i ? "" : ` at ${this.data[0][at]}`}`;
    });
    this.readout.textContent = `${this.meta.xLabel || "x"} ${this.data[0][i]}: ${parts.join("; ")}`;
  }

  private zoom(by: number): void {
    const u = this.plot;
    if (!u) return;
    const { min, max } = u.scales.x, all = this.whole.max - this.whole.min;
    const i = u.cursor.idx, c = i == null ? (min + max) / 2 : this.data[0][i];
    const wide = clamp((max - min) * by, all / this.meta.n * 4, all);
    const low = clamp(c - (c - min) * wide / (max - min), this.whole.min, this.whole.max - wide);
    u.setScale("x", { min: low, max: low + wide });
  }

  private keys(): void {
    this.box.addEventListener("dblclick", () => this.plot?.setScale("x", this.whole));
    this.box.addEventListener("wheel", (e) => {
      if (!(e.ctrlKey || document.activeElement === this.box)) return;
      e.preventDefault();
      this.zoom(Math.exp(clamp(e.deltaY, -200, 200) / 300));
    }, { passive: false });
    this.box.addEventListener("keydown", (e) => {
      const u = this.plot;
      if (!u || e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === "ArrowLeft" || e.key === "ArrowRight") {
        const now = u.cursor.idx ?? u.posToIdx(0);
        const i = clamp(now + (e.key === "ArrowLeft" ? -1 : 1) * (e.shiftKey ? 10 : 1), 0, this.meta.n - 1);
        u.setCursor({ left: u.valToPos(this.data[0][i], "x"), top: u.over.clientHeight / 2 });
      } else if (e.key === "+" || e.key === "=") this.zoom(0.5);
      else if (e.key === "-") this.zoom(2);
      else if (e.key === "0") u.setScale("x", this.whole);
      else if (e.key === "Escape") u.setCursor({ left: -10, top: -10 });
      else return;
      e.preventDefault();
    });
  }
}

// nearest returns the index of the value that is nearest to at; a series of few
// points among many is searched only so far.
function nearest(c: Values, at: number, exact: boolean): number | null {
  if (exact) return at;
  for (let d = 0; d < 2000; d++) {
    if (c[at - d] != null) return at - d;
    if (c[at + d] != null) return at + d;
  }
  return null;
}
