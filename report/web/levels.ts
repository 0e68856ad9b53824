// Maps as bytes, which is how the page carries them.

// Levels are a map of rows x cols bytes. When it has fewer rows than there are
// tokens, each cell is the strongest weight of a block.
export interface Levels {
  rows: number;
  cols: number;
  levels: Uint8Array;
  max: number;     // weight of the highest level
  signed: boolean; // level 128 is zero, else 0 is
}

// weight undoes the square root by which levels grow.
export function weight(m: Levels, level: number): number {
  if (!m.signed) return (level / 255) ** 2 * m.max;
  const t = (level - 128) / 127;
  return Math.sign(t) * t * t * m.max;
}

// first returns the first of n tokens in block i of size.
export const first = (i: number, n: number, size: number): number => Math.ceil(i * n / size);

// cross returns the weights of one row and of one column.
export function cross(m: Levels, row: number, col: number): [Float64Array, Float64Array] {
  return [
    Float64Array.from({ length: m.cols }, (_, x) => weight(m, m.levels[row * m.cols + x])),
    Float64Array.from({ length: m.rows }, (_, y) => weight(m, m.levels[y * m.cols + col])),
  ];
}

// means returns the mean row and the mean column.
export function means(m: Levels): [Float64Array, Float64Array] {
  const row = new Float64Array(m.cols), col = new Float64Array(m.rows);
  const values = Float64Array.from({ length: 256 }, (_, i) => weight(m, i));
  for (let y = 0; y < m.rows; y++) {
    for (let x = 0; x < m.cols; x++) {
      const v = values[m.levels[y * m.cols + x]];
      row[x] += v / m.rows;
      col[y] += v / m.cols;
    }
  }
  return [row, col];
}

// pool shrinks a window of the map, columns x0 to x1 and rows y0 to y1, to w x h
// levels by the strongest of each block, so that a single strong cell stays
// visible.
export function pool(m: Levels, x0: number, x1: number, y0: number, y1: number, w: number, h: number): Uint8Array {
  const out = new Uint8Array(w * h), nx = x1 - x0, ny = y1 - y0;
  if (m.signed) out.fill(128);
  const column = Uint32Array.from({ length: nx }, (_, i) => Math.floor(i * w / nx));
  for (let y = 0; y < ny; y++) {
    const from = (y0 + y) * m.cols + x0, to = Math.floor(y * h / ny) * w;
    for (let x = 0; x < nx; x++) {
      const v = m.levels[from + x], at = to + column[x];
      if (m.signed ? Math.abs(v - 128) > Math.abs(out[at] - 128) : v > out[at]) out[at] = v;
    }
  }
  return out;
}
