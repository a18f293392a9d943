/**
 * A value of typed arrays and texts as one file: a head of JSON, in which each array and long text is a place, then their
 * bytes one after the other. What is read back lies in shared memory, as after a build.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** Behind it: the head's length and the checksum of all that follows the first sixteen bytes, as 32-bit numbers. */
const magic = Buffer.from('MCPRIDX1');
const prefixBytes = 16;
/** A text beyond this is a place, too. */
const longChars = 1_000;
/** Bytes written or checked at a time, so that nobody waits for long. */
const pieceBytes = 1_048_576;

const arrays = { Uint8Array, Int8Array, Uint16Array, Uint32Array, Float32Array, Float64Array } as const;
type ArrayName = keyof typeof arrays;
type Place = { readonly $: ArrayName | 'text' | 'memory'; readonly bytes: number };

/** Writes beside the file first: it is whole, or the one before. Rejects where the folder or the disk is full or refuses. */
export async function writeValueFile(path: string, value: unknown): Promise<void> {
  const parts: Uint8Array[] = [];
  const head = Buffer.from(JSON.stringify(toPlaces(value, parts)));
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.write(Buffer.alloc(prefixBytes));
    let sum = 0;
    for (const part of [head, ...parts])
      for (let at = 0; at < part.length; at += pieceBytes) {
        const piece = part.subarray(at, at + pieceBytes);
        sum = crc32(piece, sum);
        for (let written = 0; written < piece.length; )
          written += (await file.write(piece, written)).bytesWritten;
      }
    const prefix = Buffer.concat([magic, Buffer.alloc(prefixBytes - magic.length)]);
    prefix.writeUInt32LE(head.length, magic.length);
    prefix.writeUInt32LE(sum, magic.length + 4);
    await file.write(prefix, 0, prefixBytes, 0);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * The value, if `isWanted` says so of what stands in its head (arrays and long texts are missing there); null if not, or where
 * there is no such file. Throws where it is damaged.
 */
export function readValueFile(path: string, isWanted: (head: Record<string, unknown>) => boolean): unknown {
  const file = openIfThere(path);
  if (file === null) return null;
  try {
    return readOpen(file, isWanted);
  } finally {
    closeSync(file);
  }
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function readOpen(file: number, isWanted: (head: Record<string, unknown>) => boolean): unknown {
  let sum = 0;
  let left = fstatSync(file).size;
  const fill = (into: Uint8Array) => {
    // Before memory is set aside for what a damaged head promises.
    left -= into.length;
    for (let at = 0; at < into.length; ) {
      const read = readSync(file, into, at, into.length - at, null);
      if (read === 0) throw new Error('it is cut off');
      at += read;
    }
    sum = crc32(into, sum);
  };
  const roomFor = (bytes: number) => {
    if (!(bytes <= left)) throw new Error('it is cut off');
    return bytes;
  };
  const prefix = Buffer.alloc(roomFor(prefixBytes));
  fill(prefix);
  if (!prefix.subarray(0, magic.length).equals(magic)) throw new Error('it does not begin like an index');
  sum = 0;
  const head = Buffer.alloc(roomFor(prefix.readUInt32LE(magic.length)));
  fill(head);
  const described = JSON.parse(head.toString()) as Record<string, unknown>;
  if (!isWanted(described)) return null;
  const value = fromPlaces(described, (bytes) => roomFor(bytes), fill);
  if (left !== 0 || sum !== prefix.readUInt32LE(magic.length + 4))
    throw new Error('its checksum does not match');
  return value;
}

function toPlaces(value: unknown, parts: Uint8Array[]): unknown {
  const place = ($: Place['$'], bytes: Uint8Array): Place => {
    parts.push(bytes);
    return { $, bytes: bytes.length };
  };
  if (typeof value === 'string' && value.length > longChars) return place('text', Buffer.from(value));
  if (value instanceof WebAssembly.Memory) return place('memory', new Uint8Array(value.buffer));
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return place(value.constructor.name as ArrayName, new Uint8Array(buffer, byteOffset, byteLength));
  }
  if (Array.isArray(value)) return value.map((item) => toPlaces(item, parts));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toPlaces(each, parts)]));
}

function fromPlaces(
  described: unknown,
  roomFor: (bytes: number) => number,
  fill: (into: Uint8Array) => void,
): unknown {
  const revive = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(revive);
    if (typeof value !== 'object' || value === null) return value;
    if ('$' in value) return fromPlace(value as Place);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revive(each)]));
  };
  const fromPlace = ({ $, bytes }: Place): unknown => {
    roomFor(bytes);
    if ($ === 'memory') {
      const pages = bytes / 65_536;
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      fill(new Uint8Array(memory.buffer));
      return memory;
    }
    if ($ === 'text') {
      const text = Buffer.alloc(bytes);
      fill(text);
      return text.toString();
    }
    const memory = new SharedArrayBuffer(bytes);
    fill(new Uint8Array(memory));
    const make = arrays[$] as new (buffer: SharedArrayBuffer) => object;
    return new make(memory);
  };
  return revive(described);
}
