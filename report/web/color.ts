// Colours of levels. The maps themselves are data of the page, written by
// package plot.

import { find } from "./dom";

// palette returns 256 colours as little-endian RGBA.
export function palette(name: string): Uint32Array {
  const hex = find(document, "#colormaps").dataset[name]!;
  const out = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const c = parseInt(hex.slice(6 * i, 6 * i + 6), 16);
    out[i] = (0xff000000 | (c & 255) << 16 | (c & 0xff00) | c >> 16) >>> 0;
  }
  return out;
}

// paint fills a canvas with one pixel for each level.
export function paint(target: HTMLCanvasElement, levels: Uint8Array, w: number, h: number, colors: Uint32Array): void {
  target.width = w;
  target.height = h;
  const ctx = target.getContext("2d")!;
  const img = ctx.createImageData(w, h);
  const px = new Uint32Array(img.data.buffer);
  for (let i = 0; i < px.length; i++) px[i] = colors[levels[i]];
  ctx.putImageData(img, 0, 0);
}
