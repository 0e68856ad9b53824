// Attention of all layers and heads: a grid of small maps, of which one is
// enlarged, for a sequence chosen by the reader.

import { all, button, clamp, find, make } from "./dom";
import { paint, palette } from "./color";
import { bytes, has, json } from "./data";
import { Axis, Heatmap } from "./heatmap";
import { Levels } from "./levels";
import { short } from "./numbers";
import { saveCanvas } from "./save";
import { Drawn } from "./stage";

interface Sequence {
  name: string;
  queries: string[];
  keys: string[] | null; // null: the same as queries
  queryPositions: number[];
  keyPositions: number[] | null;
  max: number[];         // (layers·heads) weight of the highest level
  facts: string[] | null;
  rows: number;          // of a small map
  cols: number;
  small: string;         // small maps of all heads
  full: string[];        // maps at full resolution; "" where the small one is that
}

interface Meta {
  name: string;
  layers: number;
  heads: number;
  signed: boolean;
  sequences: Sequence[];
}

export async function maps(figure: HTMLElement): Promise<Drawn> {
  const grid = new Grid(figure, await json<Meta>(figure.dataset.meta!));
  await grid.open(0);
  return grid;
}

class Grid implements Drawn {
  private readonly heatmap: Heatmap;
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly select: HTMLSelectElement;
  private readonly colors: HTMLSelectElement;
  private readonly facts: HTMLElement;
  private readonly legend: { low: HTMLElement; mid: HTMLElement; high: HTMLElement; bar: HTMLCanvasElement };
  private chosen = 0; // layer * heads + head
  private seq = 0;
  private small: Uint8Array = new Uint8Array();
  private axes!: [Axis, Axis];
  private request = 0; // the latest wish of the reader, for maps that arrive late

  constructor(private readonly figure: HTMLElement, private readonly meta: Meta) {
    this.select = find<HTMLSelectElement>(figure, ".sequence");
    this.select.selectedIndex = 0;
    this.select.addEventListener("change", () => void this.open(this.select.selectedIndex));
    this.facts = find(figure, ".facts");
    this.heatmap = new Heatmap(find(figure, ".stage"), find(figure, ".readout"));
    this.colors = make("select", {});
    for (const name of meta.signed ? ["diverging"] : ["viridis", "cividis", "greys"]) this.colors.append(make("option", {}, name));
    this.colors.addEventListener("change", () => this.repaint());
    const bar = make("canvas", { role: "img" });
    this.legend = { low: make("span"), mid: make("span"), high: make("span"), bar };
    const legend = make("span", { class: "legend" }, bar, make("span", { class: "scale" }, this.legend.low, this.legend.mid, this.legend.high));
    const tools = find(figure, ".tools");
    tools.append(button("Save PNG", "Save the enlarged map as a picture", () => saveCanvas(`${meta.name}-layer-${this.layer() + 1}-head-${this.head() + 1}`, this.heatmap.element)));
    if (!meta.signed) tools.append(make("label", {}, "Colours ", this.colors));
    tools.append(legend);
    this.grid(find(figure, ".thumbs"));
  }

  private layer(): number { return Math.floor(this.chosen / this.meta.heads); }
  private head(): number { return this.chosen % this.meta.heads; }

  private grid(thumbs: HTMLElement): void {
    const { layers, heads } = this.meta;
    // Many heads stand in a table of layers, few flow.
    const table = layers > 1 && heads > 1;
    thumbs.classList.toggle("table-of-heads", table);
    if (table) {
      thumbs.style.gridTemplateColumns = `max-content repeat(${heads}, minmax(${heads > 8 ? 40 : 56}px, 96px))`;
      thumbs.append(make("span", {}));
      for (let h = 0; h < heads; h++) thumbs.append(make("span", { class: "label", "aria-hidden": "true" }, `head ${h + 1}`));
      if (heads > 8) all(thumbs, ".label").forEach((e, h) => { e.textContent = (h === 0 ? "head " : "") + (h + 1); });
    }
    for (let k = 0; k < layers * heads; k++) {
      if (table && k % heads === 0) thumbs.append(make("span", { class: "label side", "aria-hidden": "true" }, `layer ${Math.floor(k / heads) + 1}`));
      const b = make("button", { type: "button", class: "thumb" }, make("canvas", { "aria-hidden": "true" }));
      if (!table) b.append(make("span", {}, `layer ${Math.floor(k / heads) + 1}, head ${k % heads + 1}`));
      b.addEventListener("click", () => void this.pick(k));
      this.buttons.push(b);
      thumbs.append(b);
    }
    thumbs.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -heads, ArrowDown: heads }[e.key];
      if (!step) return;
      e.preventDefault();
      const k = clamp(this.chosen + step, 0, this.buttons.length - 1);
      this.buttons[k].focus();
      void this.pick(k);
    });
  }

  // open shows another sequence.
  async open(i: number): Promise<void> {
    const s = this.meta.sequences[i];
    const small = await bytes(s.small);
    this.seq = i;
    this.small = small;
    this.axes = [
      { name: "query", tokens: s.queries, positions: s.queryPositions },
      { name: "key", tokens: s.keys ?? s.queries, positions: s.keyPositions ?? s.queryPositions },
    ];
    this.buttons.forEach((b, k) => {
      const thumb = s.full[k] !== "" && !has(s.full[k]);
      b.classList.toggle("summary", thumb);
      const label = `layer ${Math.floor(k / this.meta.heads) + 1}, head ${k % this.meta.heads + 1}` + (thumb ? ", summary only" : "") + (s.facts ? ": " + s.facts[k] : "");
      b.title = label;
      b.setAttribute("aria-label", label);
    });
    await this.pick(this.chosen);
    this.repaint();
  }

  private thumb(k: number): Levels {
    const s = this.meta.sequences[this.seq], n = s.rows * s.cols;
    return { rows: s.rows, cols: s.cols, levels: this.small.subarray(k * n, (k + 1) * n), max: s.max[k], signed: this.meta.signed };
  }

  // pick enlarges a head.
  private async pick(k: number): Promise<void> {
    this.chosen = k;
    const s = this.meta.sequences[this.seq], mine = ++this.request;
    this.buttons.forEach((b, i) => {
      b.setAttribute("aria-pressed", String(i === k));
      b.tabIndex = i === k ? 0 : -1;
    });
    let m = this.thumb(k), note = "";
    if (s.full[k] !== "") {
      if (has(s.full[k])) {
        const levels = await bytes(s.full[k]);
        if (mine !== this.request) return; // the reader has gone on
        m = { ...m, rows: this.axes[0].tokens.length, cols: this.axes[1].tokens.length, levels };
      } else note = `Only a summary of this head is in the file, ${s.rows} x ${s.cols}: each cell is the strongest weight of a block. `;
    }
    const where = `layer ${this.layer() + 1}, head ${this.head() + 1}`;
    this.facts.textContent = where[0].toUpperCase() + where.slice(1) + (s.facts ? ": " + s.facts[k] : "") + ". " + note;
    const max = s.max[k], low = m.signed ? -max : 0, mid = m.signed ? 0 : max / 4;
    this.legend.low.textContent = short(low);
    this.legend.mid.textContent = short(mid);
    this.legend.high.textContent = short(max);
    this.legend.bar.setAttribute("aria-label", `Colours from ${short(low)} through ${short(mid)} to ${short(max)}`);
    this.heatmap.show(m, this.axes[0], this.axes[1], this.colorMap(), `Attention of ${s.name}, ${where}`);
  }

  private colorMap(): Uint32Array {
    if (this.colors.value !== "greys") return palette(this.colors.value);
    return Uint32Array.from({ length: 256 }, (_, i) => (0xff000000 | (255 - i) * 0x10101) >>> 0);
  }

  private repaint(): void {
    const colors = this.colorMap(), s = this.meta.sequences[this.seq];
    this.buttons.forEach((b, k) => paint(find<HTMLCanvasElement>(b, "canvas"), this.thumb(k).levels, s.cols, s.rows, colors));
    paint(this.legend.bar, Uint8Array.from({ length: 256 }, (_, i) => i), 256, 1, colors);
    void this.pick(this.chosen);
  }

  draw(): void {
    if (this.figure.isConnected) this.heatmap.draw();
  }
}
