// Numbers as text: on axes, in read-outs and in tables.

const minus = (s: string): string => s.replace(/-/g, "\u2212");

// short writes a number with three digits.
export function short(v: number): string {
  if (!Number.isFinite(v)) return "\u2013";
  if (v === 0) return "0";
  const a = Math.abs(v);
  if (a >= 1e6 || a < 1e-4) return minus(v.toExponential(2));
  if (a >= 1000) return minus(String(Math.round(v)));
  return minus(String(Number(v.toPrecision(3))));
}

// coordinate writes a position; beside negative ones a positive has its sign.
export function coordinate(p: number, signed: boolean): string {
  return p < 0 ? "\u2212" + -p : (signed && p > 0 ? "+" : "") + p;
}

// steps are the distances of ticks.
export function* steps(): Generator<number> {
  for (let d = 1; ; d *= 10) { yield d; yield 2 * d; yield 5 * d; }
}

// ticks returns indices from a to b (not included) whose coordinates are round
// and at least room pixels apart when each takes cell pixels.
export function ticks(positions: ArrayLike<number>, a: number, b: number, cell: number, room: number): number[] {
  for (const d of steps()) {
    if (d * cell < room) continue;
    const out: number[] = [];
    for (let i = a; i < b; i++) if (positions[i] !== 0 && (positions[i] % d === 0 || d > 1 && positions[i] === 1)) out.push(i);
    // The 1 that stands beside a round one gives way.
    return out.filter((i, k) => k === 0 || positions[out[k - 1]] !== 1 || (i - out[k - 1]) * cell >= room);
  }
  return [];
}

// tsv joins rows of cells; a cell can hold neither tab nor line break.
export function tsv(rows: Iterable<(string | number)[]>): string {
  let out = "";
  for (const r of rows) out += r.map((c) => (typeof c === "number" ? (Number.isFinite(c) ? String(c) : "") : c.replace(/[\t\r\n]/g, " "))).join("\t") + "\n";
  return out;
}
