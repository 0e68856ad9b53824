// The part of uPlot that curves use. The library itself is a script of its own,
// on pages that need it; see vendor.

export type Values = (number | null | undefined)[];

export interface Plot {
  data: (Values | ArrayLike<number>)[];
  bbox: { left: number; top: number; width: number; height: number }; // device pixels
  ctx: CanvasRenderingContext2D;
  cursor: { idx: number | null; idxs: (number | null)[] };
  over: HTMLElement;
  scales: Record<string, { min: number; max: number }>;
  setCursor(at: { left: number; top: number }): void;
  setData(data: unknown[], resetScales?: boolean): void;
  setScale(name: string, range: { min: number; max: number }): void;
  setSeries(i: number, options: { show: boolean }): void;
  setSize(size: { width: number; height: number }): void;
  valToPos(v: number, scale: string, canvas?: boolean): number;
  posToVal(px: number, scale: string): number;
  posToIdx(px: number): number;
  destroy(): void;
}

declare const uPlot: new (options: object, data: unknown[], target: HTMLElement) => Plot;

export const create = (options: object, data: unknown[], target: HTMLElement): Plot => new uPlot(options, data, target);
