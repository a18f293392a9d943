type Typed = Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;
type TypedClass<T extends Typed> = { new (buffer: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number };

/** A typed array that both threads may read. */
export function shared<T extends Typed>(of: TypedClass<T>, length: number): T {
  return new of(new SharedArrayBuffer(length * of.BYTES_PER_ELEMENT));
}
