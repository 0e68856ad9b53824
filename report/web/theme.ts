// Light and dark: the reader's system decides, a button overrules it for as
// long as the page is open.

import { find } from "./dom";
import { drawAll } from "./stage";

const names = ["auto", "light", "dark"];

export function theme(): void {
  const root = document.documentElement;
  const b = find<HTMLButtonElement>(document, "#theme");
  const set = (name: string): void => {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    b.textContent = "Theme: " + name;
    drawAll();
  };
  b.addEventListener("click", () => set(names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length]));
  set("auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

// Inks are the colours of canvases, from the variables of the style sheet.
export interface Inks {
  paper: string; ink: string; soft: string; line: string; accent: string; warn: string; pale: string; up: string; down: string;
}

export function inks(): Inks {
  const s = getComputedStyle(document.documentElement);
  const v = (name: string): string => s.getPropertyValue("--" + name).trim();
  return {
    paper: v("paper"), ink: v("ink"), soft: v("soft"), line: v("line"), accent: v("accent"), warn: v("warn"),
    pale: v("pale"), up: v("up"), down: v("down"),
  };
}

// series returns the colour of the i-th line.
export function series(i: number): string {
  return getComputedStyle(document.documentElement).getPropertyValue("--series-" + (i % 7 + 1)).trim();
}

// dashes tell lines apart without colour.
export const dashes: number[][] = [[], [7, 3], [2, 2], [9, 3, 2, 3], [12, 4], [4, 2, 1, 2, 1, 2], [1, 3]];
