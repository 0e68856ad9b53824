// Saving drawings and numbers. Files are made from what the page shows or
// carries, so that nothing is stored twice.

import { all, button } from "./dom";
import { bytes } from "./data";

export function save(name: string, type: string, content: BlobPart): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// saving gives each figure its buttons.
export function saving(): void {
  for (const s of all(document, ".save")) {
    const name = s.dataset.name ?? "figure";
    const figure = s.closest("figure")!;
    const svg = figure.querySelector(".drawing svg");
    if (svg) s.append(button("Save SVG", `Save ${name}.svg`, () => save(name + ".svg", "image/svg+xml", new XMLSerializer().serializeToString(svg))));
    const img = figure.querySelector<HTMLImageElement>("img.pixels");
    if (img) {
      s.append(button("Save PNG", `Save ${name}.png`, () => {
        const raw = atob(img.src.slice(img.src.indexOf(",") + 1));
        save(name + ".png", "image/png", Uint8Array.from(raw, (c) => c.charCodeAt(0)));
      }));
    }
    const data = s.dataset.tsv;
    if (data) s.append(button("Save data (TSV)", `Save ${name}.tsv`, () => void bytes(data).then((b) => save(name + ".tsv", "text/tab-separated-values", b as BlobPart))));
  }
}

export function saveCanvas(name: string, c: HTMLCanvasElement): void {
  c.toBlob((b) => { if (b) save(name + ".png", "image/png", b); });
}
