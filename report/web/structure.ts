// A contact map and the structure beside it: a pair that is pressed on the map, or
// reached by keys, is drawn in the structure.

import { button, canvas2d, clamp, find, font, make } from "./dom";
import { json } from "./data";
import { create, Viewer } from "./mol";
import { save, saveCanvas } from "./save";
import { Drawn } from "./stage";
import { inks, series } from "./theme";

type Pair = [i: number, j: number, score: number, verdict: number, distance: number];

interface Meta {
  name: string;
  pdb: string;
  residues: number[];
  labels: string[];
  pairs: Pair[];
  contacts: [number, number][];
  positions: number;
}

const verdicts = ["not known", "contact", "no contact"];

export async function structures(figure: HTMLElement): Promise<Drawn> {
  return new Linked(figure, await json<Meta>(figure.dataset.meta!));
}

class Linked implements Drawn {
  private readonly canvas: HTMLCanvasElement;
  private readonly readout: HTMLElement;
  private readonly viewer: Viewer | null;
  private readonly pairs = new Map<number, Pair>();
  private readonly contacts = new Set<number>();
  private at: [number, number] | null = null; // row and column of the map
  private all = false;                        // all predicted pairs are drawn
  private side = 0;

  constructor(private readonly figure: HTMLElement, private readonly meta: Meta) {
    this.canvas = find(figure, ".stage canvas");
    this.readout = find(figure, ".readout");
    for (const p of meta.pairs) this.pairs.set(p[0] * meta.positions + p[1], p);
    for (const [i, j] of meta.contacts) this.contacts.add(i * meta.positions + j);
    this.canvas.addEventListener("click", (e) => {
      const k = (v: number): number => clamp(Math.floor((v - this.left()) / this.cell()), 0, meta.positions - 1);
      const r = this.canvas.getBoundingClientRect();
      this.pick(...this.nearest(k(e.clientY - r.top), k(e.clientX - r.left)));
    });
    this.canvas.addEventListener("keydown", (e) => this.key(e));
    const molecule = find(figure, ".molecule");
    this.viewer = create(molecule, meta.pdb);
    const tools = find(figure, ".save");
    tools.append(button("Save map (PNG)", "Save the map as a picture", () => saveCanvas(meta.name + "-map", this.canvas)));
    if (this.viewer) {
      const v = this.viewer;
      tools.append(
        button("Save structure (PNG)", "Save the structure as it is turned", () => {
          const a = make("a", { href: v.pngURI(), download: meta.name + "-structure.png" });
          a.click();
        }),
        button("All pairs", "Draw all predicted pairs in the structure, or the chosen one alone", () => { this.all = !this.all; this.link(); }),
        button("Reset view", "Turn the structure back", () => { v.zoomTo(); v.render(); }));
    } else {
      molecule.classList.add("flat");
      molecule.append(make("p", { class: "note" }, "This browser has no WebGL: the structure is not drawn. The map, its read-out and the table work without; the scripts for PyMOL and ChimeraX show the same pairs."));
    }
    tools.append(button("Save structure (PDB)", "Save the atoms that the page carries", () => save(meta.name + ".pdb", "chemical/x-pdb", meta.pdb)));
    this.readout.textContent = "Press a cell of the map, or move with the arrow keys (n and p step through the predicted pairs).";
  }

  private left(): number { return 34; }
  private cell(): number { return (this.side - this.left()) / this.meta.positions; }

  // nearest returns a marked cell within some pixels, or the cell itself.
  private nearest(row: number, col: number): [number, number] {
    const reach = Math.ceil(5 / this.cell());
    let best: [number, number] = [row, col], least = Infinity;
    for (let r = Math.max(0, row - reach); r <= Math.min(this.meta.positions - 1, row + reach); r++) {
      for (let c = Math.max(0, col - reach); c <= Math.min(this.meta.positions - 1, col + reach); c++) {
        const d = (r - row) ** 2 + (c - col) ** 2;
        if (d < least && this.marked(r, c)) { least = d; best = [r, c]; }
      }
    }
    return best;
  }

  private marked(row: number, col: number): boolean {
    const n = this.meta.positions;
    return row < col ? this.pairs.has(row * n + col) : this.contacts.has(col * n + row);
  }

  private key(e: KeyboardEvent): void {
    const n = this.meta.positions;
    const step = ({ ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] } as Record<string, [number, number]>)[e.key];
    if (step) {
      const [r, c] = this.at ?? [0, 0];
      this.pick(clamp(r + step[0], 0, n - 1), clamp(c + step[1], 0, n - 1));
    } else if ((e.key === "n" || e.key === "p") && this.meta.pairs.length > 0) {
      const k = this.at ? this.meta.pairs.findIndex((p) => p[0] === this.at![0] && p[1] === this.at![1]) : -1;
      const m = this.meta.pairs.length;
      const p = this.meta.pairs[e.key === "n" ? (k + 1) % m : (Math.max(k, 0) + m - 1) % m];
      this.pick(p[0], p[1]);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }

  // pick chooses a cell: it is marked on the map, read out and drawn.
  private pick(row: number, col: number): void {
    this.at = [row, col];
    const i = Math.min(row, col), j = Math.max(row, col), m = this.meta;
    let text = `${m.labels[i]} and ${m.labels[j]}, separation ${j - i}`;
    const p = this.pairs.get(i * m.positions + j);
    if (p) text += `: predicted, score ${p[2].toPrecision(3)}; in the structure: ${verdicts[p[3]]}` + (p[4] > 0 ? `, ${p[4].toFixed(1)} Å` : "");
    else text += this.contacts.has(i * m.positions + j) ? ": a contact of the structure that is not among the predicted pairs" : ": not among the predicted pairs, and no contact known";
    if (m.residues[i] === 0 || m.residues[j] === 0) text += ". The structure lacks one of them";
    this.readout.textContent = text + ".";
    this.draw();
    this.link();
  }

  private color(verdict: number): string { return [series(3), series(0), series(1)][verdict]; }

  // link draws the chosen pair, and all others if they are wanted, in the structure.
  private link(): void {
    const v = this.viewer, m = this.meta;
    if (!v) return;
    v.clear();
    const line = (i: number, j: number, verdict: number, thick: number): void => {
      if (m.residues[i] > 0 && m.residues[j] > 0) v.line(m.residues[i], m.residues[j], this.color(verdict), thick);
    };
    if (this.all) for (const p of m.pairs) line(p[0], p[1], p[3], 0.12);
    if (this.at && this.at[0] !== this.at[1]) {
      const i = Math.min(...this.at), j = Math.max(...this.at);
      const p = this.pairs.get(i * m.positions + j);
      const verdict = p ? p[3] : this.contacts.has(i * m.positions + j) ? 1 : 0;
      line(i, j, verdict, 0.35);
      for (const k of [i, j]) if (m.residues[k] > 0) v.mark(m.residues[k], m.labels[k].split(" ")[0]);
    }
    v.render();
    this.figure.dataset.shapes = String(v.shapes());
  }

  draw(): void {
    const stage = this.canvas.parentElement!;
    this.side = clamp(stage.clientWidth || 340, 200, 480);
    const ctx = canvas2d(this.canvas, this.side, this.side), ink = inks(), n = this.meta.positions, c = this.cell(), left = this.left();
    ctx.fillStyle = ink.paper;
    ctx.fillRect(0, 0, this.side, this.side);
    font(ctx, 11);
    ctx.fillStyle = ctx.strokeStyle = ink.soft;
    ctx.lineWidth = 1;
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((s) => s * c >= 34) ?? 1000;
    ctx.textBaseline = "middle";
    for (let k = step; k <= n; k += step) {
      const at = left + (k - 0.5) * c;
      ctx.textAlign = "right";
      ctx.fillText(String(k), left - 4, at);
      ctx.textAlign = "center";
      ctx.fillText(String(k), at, left - 10);
    }
    ctx.strokeRect(left - 0.5, left - 0.5, n * c, n * c);
    ctx.beginPath();
    ctx.moveTo(left, left);
    ctx.lineTo(left + n * c, left + n * c);
    ctx.stroke();
    const size = Math.max(c, 2.5);
    const cell = (row: number, col: number, color: string): void => {
      ctx.fillStyle = color;
      ctx.fillRect(left + (col + 0.5) * c - size / 2, left + (row + 0.5) * c - size / 2, size, size);
    };
    for (const [i, j] of this.meta.contacts) cell(j, i, ink.soft);
    for (const p of [...this.meta.pairs].reverse()) cell(p[0], p[1], this.color(p[3]));
    if (this.at) {
      ctx.strokeStyle = ink.ink;
      ctx.lineWidth = 2;
      ctx.strokeRect(left + (this.at[1] + 0.5) * c - size / 2 - 2, left + (this.at[0] + 0.5) * c - size / 2 - 2, size + 4, size + 4);
    }
    const legend = find(this.figure, ".kinds");
    legend.replaceChildren(...[["predicted, a contact", this.color(1)], ["predicted, no contact", this.color(2)], ["predicted, not known", this.color(0)], ["below the diagonal: contacts of the structure", ink.soft]].map(([text, color]) => {
      const swatch = make("canvas", { width: "12", height: "12", "aria-hidden": "true" });
      const s = swatch.getContext("2d")!;
      s.fillStyle = color;
      s.fillRect(0, 0, 12, 12);
      return make("span", {}, swatch, text);
    }));
    this.viewer?.background(ink.paper);
  }
}
