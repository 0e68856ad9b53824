// One of several figures, by a menu.

import { all, find } from "./dom";

export function choices(): void {
  for (const choice of all(document, ".choice")) {
    const options = all(choice, ".option");
    const select = find<HTMLSelectElement>(choice, "select");
    const show = (): void => options.forEach((o, i) => { o.hidden = i !== select.selectedIndex; });
    choice.classList.add("chosen");
    select.selectedIndex = 0; // some browsers restore the last one
    select.addEventListener("change", show);
    show();
  }
}
