// Letters that fill boxes, as in a sequence logo.

interface Glyph { left: number; right: number; up: number; down: number }

const size = 100; // of the type that is measured
const glyphs = new Map<string, Glyph>();

// drawLetter fills the box from (x, y) with a letter; upside down for negative
// heights.
export function drawLetter(ctx: CanvasRenderingContext2D, letter: string, x: number, y: number, w: number, h: number): void {
  if (Math.abs(h) < 0.5) return;
  ctx.save();
  ctx.font = `bold ${size}px "Liberation Sans", Arial, Helvetica, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  let g = glyphs.get(letter);
  if (!g) {
    const m = ctx.measureText(letter);
    g = { left: m.actualBoundingBoxLeft, right: m.actualBoundingBoxRight, up: m.actualBoundingBoxAscent, down: m.actualBoundingBoxDescent };
    glyphs.set(letter, g);
  }
  // From the baseline of the box upwards, or downwards.
  ctx.translate(x, y);
  const sy = Math.abs(h) / (g.up + g.down);
  // A narrow letter (I) keeps its shape in the middle of the box.
  const sx = Math.min(w / (g.left + g.right), w / (size * 0.5));
  const pad = (w - sx * (g.left + g.right)) / 2;
  ctx.scale(sx, h > 0 ? sy : -sy);
  ctx.fillText(letter, pad / sx + g.left, -g.down);
  ctx.restore();
}

// letterColor follows the custom of logos: bases by name, residues by kind.
// Letters differ in shape, so nothing hangs on the colours.
export function letterColor(letter: string, dark: boolean, nucleic: boolean, ink: string): string {
  const kinds: [string, string, string][] = nucleic
    ? [["A", "#00805c", "#35c79a"], ["C", "#0072b2", "#5aaee6"], ["G", "#9a6a00", "#f0b73c"], ["TU", "#c24a00", "#ff8f4d"]]
    : [["DE", "#c24a00", "#ff8f4d"], ["KRH", "#0072b2", "#5aaee6"], ["NQSTGCY", "#00805c", "#35c79a"], ["P", "#a8507f", "#e39ac4"]];
  for (const [letters, light, night] of kinds) if (letters.includes(letter.toUpperCase())) return dark ? night : light;
  return ink;
}
