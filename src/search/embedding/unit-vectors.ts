/** Vectors are padded with zeros to a length that the scan takes. */
export function paddedDims(length: number): number {
  return Math.ceil(length / 64) * 64;
}

/** Rows of any numbers as unit vectors, one after the other, padded with zeros to `dims`. */
export function unitVectors(rows: readonly (readonly number[])[], dims: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows.length * dims);
  for (const [i, row] of rows.entries()) {
    let square = 0;
    for (const x of row) square += x * x;
    const by = square > 0 && Number.isFinite(square) ? 1 / Math.sqrt(square) : 0;
    for (let d = 0; d < row.length && d < dims; d++) out[i * dims + d] = (row[d] ?? 0) * by;
  }
  return out;
}

/** Brings a vector to unit length, in place; one of zeros stays. */
export function toUnit(vector: Float32Array): void {
  let square = 0;
  for (const x of vector) square += x * x;
  const by = 1 / (Math.sqrt(square) || 1);
  for (let i = 0; i < vector.length; i++) vector[i]! *= by;
}
