/** Pictures of pages, small enough to be kept, and how one is held against the one that was looked at. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';

/** So many pixels of a screen, in both directions, are one of a picture: no letter's edge is left, but every word's place. */
const shrink = 4;
/** Colours are kept in steps of so many of 256: then a picture is of few enough to have a palette. */
const step = 16;
const gap = 4;
/** In no square of so many pixels may more than so many differ; of how much a pixel may, 1 is black from white. */
const tolerance = { windowSize: 12, pixels: 5, threshold: 0.06 } as const;

/** A picture's pixel is the average of those that it stands for. */
function writePixel(to: PNG, at: number, from: PNG, x: number, y: number): void {
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    for (let row = 0; row < shrink; row++)
      for (let column = 0; column < shrink; column++)
        sum += from.data[((y * shrink + row) * from.width + x * shrink + column) * 4 + channel] ?? 0;
    to.data[at + channel] = sum / shrink ** 2;
  }
}

/** Screenshots (PNG) of a page beside each other, as one small picture. */
export function sheetOf(screenshots: readonly Buffer[]): PNG {
  const parts = screenshots.map((each) => PNG.sync.read(each));
  const sizes = parts.map(
    ({ width, height }) => [Math.floor(width / shrink), Math.floor(height / shrink)] as const,
  );
  const sheet = new PNG({
    width: sizes.reduce((sum, [width]) => sum + width + gap, -gap),
    height: Math.max(...sizes.map(([, height]) => height)),
    fill: true,
  });
  sheet.data.fill(255);
  let left = 0;
  for (const [i, part] of parts.entries()) {
    const [width, height] = sizes[i] ?? [0, 0];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) writePixel(sheet, (y * sheet.width + left + x) * 4, part, x, y);
    left += width + gap;
  }
  return sheet;
}

/** How many pixels of the worst square differ; where the sizes do, all. */
function differing(kept: PNG, found: PNG, difference: PNG): number {
  const { width, height } = found;
  if (kept.width !== width || kept.height !== height) return width * height;
  const { windowSize, threshold } = tolerance;
  const options = { windowSize, threshold, includeAA: true };
  return pixelmatch(kept.data, found.data, difference.data, width, height, options);
}

let written: string | undefined;

/** A fault in words where a picture is not the one in `folder`; then it and the difference lie in a folder that the words name. */
export function pictureFault(folder: string, name: string, found: PNG): string | undefined {
  const path = join(folder, `${name}.png`);
  if (!existsSync(path)) return `${name}: there is no picture of it`;
  const difference = new PNG({ width: found.width, height: found.height });
  const pixels = differing(PNG.sync.read(readFileSync(path)), found, difference);
  if (pixels <= tolerance.pixels) return undefined;
  written ??= mkdtempSync(join(tmpdir(), 'mcprank-pictures-'));
  writeFileSync(join(written, `${name}.png`), PNG.sync.write(found));
  writeFileSync(join(written, `${name}.difference.png`), PNG.sync.write(difference));
  return `${name}: ${pixels} pixels of a square of ${tolerance.windowSize} differ; see ${written}/${name}.png and ${name}.difference.png`;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** A PNG with a palette, less than half of the bytes of one without, which is all that pngjs writes. */
function paletted({ width, height, data }: PNG): Buffer {
  const palette = new Map<string, number>();
  const rows = Buffer.alloc((width + 1) * height);
  const stepped = (value = 0) => Math.min(255, Math.round(value / step) * step);
  for (let i = 0; i < width * height; i++) {
    const colour = [data[i * 4], data[i * 4 + 1], data[i * 4 + 2]].map(stepped).join();
    if (!palette.has(colour)) palette.set(colour, palette.size);
    rows[i + Math.floor(i / width) + 1] = palette.get(colour) ?? 0;
  }
  if (palette.size > 256) throw new Error(`${palette.size} colours: take larger steps`);
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from([...palette.keys()].join().split(',').map(Number))),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

export function keepPicture(folder: string, name: string, found: PNG): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.png`), paletted(found));
}
