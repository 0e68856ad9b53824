// Numbers of the page: base64 of gzip inside <script type="text/plain">, which
// the browser itself inflates.

export function has(id: string): boolean {
  return document.getElementById(id) !== null;
}

export async function bytes(id: string): Promise<Uint8Array> {
  const text = document.getElementById(id)?.textContent;
  if (!text) throw new Error("the page lacks its data " + id);
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to unpack the data; any of 2023 or later can");
  const raw = atob(text);
  const packed = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) packed[i] = raw.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function json<T>(id: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await bytes(id)));
}

// Columns reads numbers of which first all lowest bytes are stored, then all
// second ones, and so on: bytes of one significance resemble each other and pack
// better.
export class Columns {
  private at = 0;
  constructor(private readonly from: Uint8Array) {}

  private planes(n: number, size: number): ArrayBuffer {
    const out = new Uint8Array(n * size);
    for (let p = 0; p < size; p++) {
      const plane = this.from.subarray(this.at + p * n, this.at + (p + 1) * n);
      for (let i = 0; i < n; i++) out[i * size + p] = plane[i];
    }
    this.at += n * size;
    return out.buffer;
  }

  uint16(n: number): Uint16Array { return new Uint16Array(this.planes(n, 2)); }
  float32(n: number): Float32Array { return new Float32Array(this.planes(n, 4)); }
  float64(n: number): Float64Array { return new Float64Array(this.planes(n, 8)); }
}
