// Pages inside the page: one example at a time, by a menu, by buttons, by the
// keys n and p, and by the address (#example-NAME).

import { all, clamp, find } from "./dom";

export function examples(): void {
  const sets = all(document, ".examples").map((root) => new Examples(root));
  const follow = (): void => {
    const id = decodeURIComponent(location.hash.slice(1));
    for (const s of sets) s.open(id);
  };
  window.addEventListener("hashchange", follow);
  follow();
}

class Examples {
  private readonly pages: HTMLElement[];
  private readonly select: HTMLSelectElement;
  private readonly buttons: HTMLButtonElement[];
  private readonly count: HTMLElement;

  constructor(private readonly root: HTMLElement) {
    this.pages = all(root, ":scope > .example");
    this.select = find<HTMLSelectElement>(root, "select");
    this.buttons = all<HTMLButtonElement>(root, ".step");
    this.count = find(root, ".count");
    root.classList.add("chosen");
    this.buttons[0].addEventListener("click", () => this.step(-1));
    this.buttons[1].addEventListener("click", () => this.step(1));
    this.select.addEventListener("change", () => this.go(this.select.selectedIndex));
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.altKey || e.metaKey || !this.listens()) return;
      if (e.key === "n") this.step(1);
      else if (e.key === "p") this.step(-1);
    });
    this.show(0);
  }

  // listens says whether keys are meant for this block: the focus is inside it,
  // or nowhere.
  private listens(): boolean {
    const f = document.activeElement;
    if (f instanceof HTMLSelectElement || f instanceof HTMLInputElement) return false;
    return !f || f === document.body || this.root.contains(f);
  }

  // open shows the page that has, or holds, the element of this id.
  open(id: string): void {
    const i = this.pages.findIndex((p) => p.id === id || (id !== "" && p.querySelector("#" + CSS.escape(id)) !== null));
    if (i < 0) return;
    this.show(i);
    document.getElementById(id)!.scrollIntoView();
  }

  private step(d: number): void {
    this.go(clamp(this.select.selectedIndex + d, 0, this.pages.length - 1));
  }

  // go shows a page and leaves its address, without a jump of the window.
  private go(i: number): void {
    this.show(i);
    try {
      history.replaceState(null, "", "#" + this.pages[i].id);
    } catch {
      // A browser may forbid this for files; the page is shown all the same.
    }
  }

  private show(i: number): void {
    this.pages.forEach((p, k) => { p.hidden = k !== i; });
    this.select.selectedIndex = i;
    this.buttons[0].disabled = i === 0;
    this.buttons[1].disabled = i === this.pages.length - 1;
    this.count.textContent = `${i + 1} of ${this.pages.length}`;
  }
}
