// The numbers behind a graphic, put below it when the reader asks: the page
// itself holds only what is largest, and the packed data.

import { find, make } from "./dom";
import { sortable } from "./table";

const most = 500;

// fillNumbers adds a table of up to 500 rows when the disclosure opens for the
// first time. row returns the cells of row i.
export function fillNumbers(figure: HTMLElement, heads: string[], n: number, row: (i: number) => string[]): void {
  const d = find<HTMLDetailsElement>(figure, "details.numbers");
  const printing = (): boolean => document.documentElement.classList.contains("printing");
  const fill = (): void => {
    if (!d.open || printing()) return;
    d.removeEventListener("toggle", fill);
    const body = make("tbody");
    for (let i = 0; i < Math.min(n, most); i++) body.append(make("tr", {}, ...row(i).map((c, k) => make(k ? "td" : "th", k ? {} : { scope: "row" }, c))));
    const t = make("table", { class: "sortable" }, make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))), body);
    d.append(make("div", { class: "table", tabindex: "0", role: "region", "aria-label": "All values" }, t));
    if (n > most) d.append(make("p", { class: "note" }, `The first ${most} of ${n} rows; all of them are in the file that can be saved.`));
    sortable(t);
  };
  d.addEventListener("toggle", fill);
}
