// Tables sort by the column whose heading is pressed: upwards, downwards, and as
// they were.

import { all, make } from "./dom";

export function tables(): void {
  for (const t of all<HTMLTableElement>(document, "table.sortable")) sortable(t);
}

export function sortable(t: HTMLTableElement): void {
  const body = t.tBodies[0];
  const original = [...body.rows];
  if (original.length < 3) return;
  const heads = [...t.tHead!.rows[0].cells];
  heads.forEach((th, column) => {
    const b = make("button", { type: "button", class: "sort", title: "Sort by " + th.textContent });
    b.append(...th.childNodes, make("span", { class: "arrow", "aria-hidden": "true" }));
    th.append(b);
    b.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[th.getAttribute("aria-sort") ?? "none"] ?? "none";
      for (const h of heads) h.removeAttribute("aria-sort");
      if (next === "none") {
        body.append(...original);
        return;
      }
      th.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const keyed = original.map((row) => ({ row, text: row.cells[column].textContent!.trim() }));
      // Cells without a value come last in both directions.
      keyed.sort((a, b) => Number(empty(a.text)) - Number(empty(b.text)) || sign * compare(a.text, b.text));
      body.append(...keyed.map((k) => k.row));
    });
  });
}

const empty = (s: string): boolean => s === "" || s === "-" || s === "\u2013";

// compare orders numbers by value, also those with something behind them ("0.92
// (0.85 to 0.98)"), and everything else as words.
function compare(a: string, b: string): number {
  const x = leading(a), y = leading(b);
  if (x !== null && y !== null && x !== y) return x - y;
  if ((x === null) !== (y === null)) return x === null ? 1 : -1;
  return a.localeCompare(b, "en", { numeric: true });
}

function leading(s: string): number | null {
  const m = /^[<>\u2248~]?\s*([+\-\u2212]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][+\-\u2212]?\d+)?)/.exec(s);
  return m ? Number(m[1].replace(/\u2212/g, "-").replace(/,/g, "")) : null;
}
