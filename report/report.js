
"use strict";
(() => {
  // One of several figures.
  for (const choice of document.querySelectorAll(".choice")) {
    const options = [...choice.querySelectorAll(".option")];
    const select = choice.querySelector("select");
    const show = () => options.forEach((o, i) => { o.hidden = i !== select.selectedIndex; });
    choice.classList.add("chosen");
    choice.querySelector(".controls").hidden = false;
    select.selectedIndex = 0; // some browsers restore the last one
    select.addEventListener("change", show);
    show();
  }

  // Attention maps.
  for (const figure of document.querySelectorAll(".maps")) attention(figure);

  function attention(figure) {
    const layers = +figure.dataset.layers, heads = +figure.dataset.heads;
    const palette = new Uint32Array(256); // little-endian RGBA
    for (let i = 0; i < 256; i++) {
      const c = parseInt(figure.dataset.colors.slice(6 * i, 6 * i + 6), 16);
      palette[i] = (0xff000000 | (c & 255) << 16 | (c & 0xff00) | c >> 16) >>> 0;
    }
    const select = figure.querySelector("select");
    const thumbs = figure.querySelector(".thumbs");
    const stage = figure.querySelector(".stage");
    const canvas = figure.querySelector(".map");
    const tip = figure.querySelector(".tip");
    const readout = figure.querySelector(".readout");
    const sources = [...figure.querySelectorAll(".attention")];
    const buttons = [];
    let seq = null;     // the selected sequence, decoded
    let chosen = 0;     // map: layer * heads + head
    let layout = null;  // where the enlarged map lies
    let cursor = null;  // [query, key] under the pointer or the arrow keys

    const small = document.createElement("canvas"); // the chosen map, unscaled

    const bar = document.createElement("canvas");
    bar.width = 256; bar.height = 12;
    bar.setAttribute("role", "img");
    const low = document.createElement("span"), high = document.createElement("span");
    const legend = document.createElement("span");
    legend.append(low, bar, high);
    legend.className = "legend";
    figure.querySelector(".controls").append(legend);
    paint(bar, Uint8Array.from({ length: 256 * 12 }, (_, i) => i % 256), 256, 12);
    bar.style.width = "120px"; bar.style.margin = "0 .4em"; bar.style.verticalAlign = "middle";

    for (let k = 0; k < layers * heads; k++) {
      const b = document.createElement("button");
      b.type = "button";
      b.append(document.createElement("canvas"), `layer ${Math.floor(k / heads) + 1}, head ${k % heads + 1}`);
      b.addEventListener("click", () => { chosen = k; draw(); });
      thumbs.append(b);
      buttons.push(b);
    }

    function decode(source) {
      const text = atob(source.dataset.levels.replace(/-/g, "+").replace(/_/g, "/"));
      const levels = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) levels[i] = text.charCodeAt(i);
      return {
        name: source.dataset.name,
        tokens: JSON.parse(source.dataset.tokens),
        positions: JSON.parse(source.dataset.positions),
        max: JSON.parse(source.dataset.max),
        levels,
      };
    }

    function matrix(k) {
      const n = seq.tokens.length;
      return seq.levels.subarray(k * n * n, (k + 1) * n * n);
    }

    // pool shrinks an n x n map to at most size x size by the largest weight of
    // each block, so that a single strong cell stays visible.
    function pool(m, n, size) {
      if (n <= size) return [m, n];
      const out = new Uint8Array(size * size);
      for (let q = 0; q < n; q++) {
        const row = Math.floor(q * size / n) * size;
        for (let k = 0; k < n; k++) {
          const at = row + Math.floor(k * size / n);
          if (m[q * n + k] > out[at]) out[at] = m[q * n + k];
        }
      }
      return [out, size];
    }

    function paint(target, levels, w, h) {
      target.width = w; target.height = h;
      const ctx = target.getContext("2d");
      const img = ctx.createImageData(w, h);
      const px = new Uint32Array(img.data.buffer);
      for (let i = 0; i < px.length; i++) px[i] = palette[levels[i]];
      ctx.putImageData(img, 0, 0);
    }

    function positionText(i) {
      const p = seq.positions[i];
      if (p === 0) return "";
      if (p < 0) return "\u2212" + -p;
      return (seq.positions.some((x) => x < 0) ? "+" : "") + p;
    }

    function token(i) {
      const p = positionText(i);
      return seq.tokens[i] + (p ? " at " + p : "");
    }

    function wordy(i) {
      return i >= 0 && i < seq.tokens.length && seq.tokens[i].length > 1;
    }

    function weight(q, k) {
      const n = seq.tokens.length;
      return matrix(chosen)[q * n + k] / 255 * seq.max[chosen];
    }

    function selectSequence() {
      seq = decode(sources[select.selectedIndex]);
      cursor = null;
      buttons.forEach((b, k) => {
        const [m, n] = pool(matrix(k), seq.tokens.length, 128);
        paint(b.querySelector("canvas"), m, n, n);
      });
      draw();
    }

    // ticks returns the indices whose position is written out: the finest of
    // some round distances that leaves room for the text.
    function ticks(cell) {
      for (const d of [5, 10, 20, 50, 100, 200, 500]) {
        if (d * cell < 40) continue;
        return seq.positions.map((p, i) => [p, i]).filter(([p]) => p !== 0 && (p % d === 0 || p === 1)).map(([, i]) => i);
      }
      return [];
    }

    function draw() {
      const n = seq.tokens.length;
      const ratio = window.devicePixelRatio || 1;
      const wide = Math.max(200, Math.min(stage.clientWidth || 640, 700));
      const margin = 62, right = 8;
      // Whole pixels for each cell where there is room for that.
      let cell = (wide - margin - right) / n;
      if (cell >= 1) cell = Math.floor(cell);
      cell = Math.min(cell, 40);
      const side = cell * n;
      layout = { x: margin, y: margin, cell, n };
      const w = margin + side + right, h = margin + side + right;
      canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio);
      canvas.style.width = w + "px"; canvas.style.height = h + "px";
      const ctx = canvas.getContext("2d");
      ctx.scale(ratio, ratio);
      ctx.fillStyle = "#fff";
      ctx.fillRect(0, 0, w, h);

      const key = [select.selectedIndex, chosen, side * ratio].join();
      if (small.key !== key) {
        const [m, size] = pool(matrix(chosen), n, Math.ceil(side * ratio));
        paint(small, m, size, size);
        small.key = key;
      }
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(small, margin, margin, side, side);

      ctx.fillStyle = "#222";
      ctx.strokeStyle = "#666";
      const font = (px) => { ctx.font = px + 'px "Liberation Sans", Arial, Helvetica, sans-serif'; };
      const letters = cell >= 8;
      if (letters) {
        font(Math.min(cell + 1, 13));
        for (let i = 0; i < n; i++) {
          const t = seq.tokens[i].slice(0, 6);
          const mid = margin + (i + 0.5) * cell;
          ctx.textAlign = "right"; ctx.textBaseline = "middle";
          ctx.fillText(t, margin - 3, mid);
          if (wordy(i)) { // stands on end
            ctx.save();
            ctx.translate(mid, margin - 3);
            ctx.rotate(-Math.PI / 2);
            ctx.textAlign = "left";
            ctx.fillText(t, 0, 0);
            ctx.restore();
          } else {
            ctx.textAlign = "center"; ctx.textBaseline = "alphabetic";
            ctx.fillText(t, mid, margin - 3);
          }
        }
      }
      font(12);
      const gap = letters ? 17 : 5;
      for (const i of ticks(cell)) {
        if (letters && [i - 1, i, i + 1].some(wordy)) continue; // their names need the room
        const mid = (i + 0.5) * cell;
        ctx.textAlign = "center"; ctx.textBaseline = "alphabetic";
        ctx.fillText(positionText(i), margin + mid, margin - gap);
        ctx.textAlign = "right"; ctx.textBaseline = "middle";
        ctx.fillText(positionText(i), margin - gap, margin + mid);
        if (!letters) {
          ctx.fillRect(margin + mid - 0.5, margin - 4, 1, 4);
          ctx.fillRect(margin - 4, margin + mid - 0.5, 4, 1);
        }
      }
      ctx.textAlign = "center"; ctx.textBaseline = "top";
      ctx.fillText("key (attended to)", margin + side / 2, 2);
      ctx.save();
      ctx.rotate(-Math.PI / 2);
      ctx.fillText("query (attends)", -(margin + side / 2), 2);
      ctx.restore();
      if (cursor) {
        ctx.strokeStyle = "#fff"; ctx.lineWidth = 3;
        const box = () => ctx.strokeRect(margin + cursor[1] * cell, margin + cursor[0] * cell, cell, cell);
        box();
        ctx.strokeStyle = "#d55e00"; ctx.lineWidth = 1.5;
        box();
      }

      buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(k === chosen)));
      const where = `Layer ${Math.floor(chosen / heads) + 1}, head ${chosen % heads + 1}`;
      canvas.setAttribute("aria-label", `Attention of ${seq.name}, ${where}: ${n} by ${n} tokens. Arrow keys read single weights.`);
      low.textContent = `${where}:  0`;
      high.textContent = seq.max[chosen].toPrecision(3);
      bar.setAttribute("aria-label", `Colours from weight 0 to ${seq.max[chosen].toPrecision(3)}`);
      if (!cursor) readout.textContent = "Point at a cell, or use the arrow keys, to read a weight.";
    }

    function point(q, k, x, y) {
      cursor = [q, k];
      draw();
      const v = weight(q, k);
      const text = `query  ${token(q)}\nkey    ${token(k)}\nweight ${v.toPrecision(3)}`;
      tip.textContent = text;
      tip.hidden = false;
      const room = stage.clientWidth - tip.offsetWidth - 4;
      tip.style.left = Math.max(0, Math.min(x + 14, room)) + "px";
      tip.style.top = y + 14 + "px";
      readout.textContent = `Query ${token(q)} gives ${v.toPrecision(3)} of its attention to key ${token(k)}.`;
    }

    canvas.addEventListener("pointermove", (e) => {
      const r = canvas.getBoundingClientRect();
      const x = e.clientX - r.left, y = e.clientY - r.top;
      const k = Math.floor((x - layout.x) / layout.cell), q = Math.floor((y - layout.y) / layout.cell);
      if (q < 0 || k < 0 || q >= layout.n || k >= layout.n) { tip.hidden = true; return; }
      point(q, k, x, y);
    });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
      if (!step) return;
      e.preventDefault();
      const [q, k] = cursor || [0, 0];
      const at = (v) => Math.max(0, Math.min(layout.n - 1, v));
      const nq = at(q + step[0]), nk = at(k + step[1]);
      point(nq, nk, layout.x + (nk + 1) * layout.cell, layout.y + (nq + 1) * layout.cell);
    });
    canvas.addEventListener("blur", () => { tip.hidden = true; });
    select.addEventListener("change", selectSequence);
    window.addEventListener("resize", draw);
    select.selectedIndex = 0;
    selectSequence();
  }
})();
