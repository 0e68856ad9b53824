// The part of 3Dmol that structures use. The library itself is a script of its own,
// on pages that need it; see vendor.

interface Atom { x: number; y: number; z: number }

interface GLViewer {
  addModel(data: string, format: string): { selectedAtoms(selection: object): Atom[] };
  addCylinder(spec: object): object;
  addLabel(text: string, options: object, selection?: object): object;
  addStyle(selection: object, style: object): void;
  setStyle(selection: object, style: object): void;
  setBackgroundColor(color: string, alpha?: number): void;
  removeAllShapes(): void;
  removeAllLabels(): void;
  zoomTo(): void;
  resize(): void;
  render(): void;
  pngURI(): string;
}

declare const $3Dmol: { createViewer(element: HTMLElement, options: object): GLViewer | null };

export interface Viewer {
  clear(): void;
  line(a: number, b: number, color: string, radius: number): void; // between the C-alpha atoms of two residues
  mark(residue: number, label: string): void;
  shapes(): number;
  background(color: string): void;
  zoomTo(): void;
  render(): void;
  pngURI(): string;
}

const cartoon = { cartoon: { color: "#9aa5b1", thickness: 0.35 } };

// create returns null where there is no WebGL.
export function create(element: HTMLElement, pdb: string): Viewer | null {
  const probe = document.createElement("canvas");
  if (!probe.getContext("webgl2") && !probe.getContext("webgl")) return null;
  const v = $3Dmol.createViewer(element, { backgroundColor: "white", antialias: true, disableFog: true });
  if (!v) return null;
  const model = v.addModel(pdb, "pdb");
  v.setStyle({}, cartoon);
  v.zoomTo();
  v.render();
  let shapes = 0;
  const place = (residue: number): Atom | undefined => model.selectedAtoms({ resi: residue, atom: "CA" })[0];
  new ResizeObserver(() => { v.resize(); v.render(); }).observe(element);
  return {
    clear(): void {
      v.removeAllShapes();
      v.removeAllLabels();
      v.setStyle({}, cartoon);
      shapes = 0;
    },
    line(a, b, color, radius): void {
      const start = place(a), end = place(b);
      if (!start || !end) return;
      v.addCylinder({ start: { x: start.x, y: start.y, z: start.z }, end: { x: end.x, y: end.y, z: end.z }, radius, color, fromCap: 2, toCap: 2 });
      shapes++;
    },
    mark(residue, label): void {
      v.addStyle({ resi: residue }, { stick: { radius: 0.2 } });
      v.addLabel(label, { fontSize: 13, backgroundOpacity: 0.75, inFront: true }, { resi: residue, atom: "CA" });
      shapes++;
    },
    shapes: () => shapes,
    background(color): void { v.setBackgroundColor(color); v.render(); },
    zoomTo: () => v.zoomTo(),
    render: () => v.render(),
    pngURI: () => v.pngURI(),
  };
}
