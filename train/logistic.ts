/** Logistic regression by Newton's method, with a light ridge so that collinear features cannot run away. */
export type Row = { readonly x: readonly number[]; readonly y: boolean; readonly weight: number };

const ridge = 0.1;
const steps = 20;

export function fitLogistic(rows: readonly Row[]): number[] {
  const n = rows[0]?.x.length ?? 0;
  const beta = new Array<number>(n).fill(0);
  for (let step = 0; step < steps; step++) {
    const system = beta.map((b, i) => [...beta.map((_, j) => (i === j ? ridge : 0)), -ridge * b]);
    for (const { x, y, weight } of rows) {
      const p = 1 / (1 + Math.exp(-x.reduce((sum, xi, i) => sum + xi * beta[i]!, 0)));
      for (let i = 0; i < n; i++) {
        const row = system[i]!;
        row[n]! += weight * (Number(y) - p) * x[i]!;
        for (let j = 0; j < n; j++) row[j]! += weight * p * (1 - p) * x[i]! * x[j]!;
      }
    }
    for (const [i, delta] of solve(system).entries()) beta[i]! += delta;
  }
  return beta;
}

/** Gauss–Jordan elimination of `[matrix | right side]`. */
function solve(system: number[][]): number[] {
  const n = system.length;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(system[r]![i]!) > Math.abs(system[pivot]![i]!)) pivot = r;
    [system[i], system[pivot]] = [system[pivot]!, system[i]!];
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = system[r]![i]! / system[i]![i]!;
      for (let c = i; c <= n; c++) system[r]![c]! -= factor * system[i]![c]!;
    }
  }
  return system.map((row, i) => row[n]! / row[i]!);
}
