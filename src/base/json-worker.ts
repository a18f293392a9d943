/** The thread that checks large JSON. Its one correspondent is `large-json.ts`. */
import { parentPort } from 'node:worker_threads';
import {
  JsonFault,
  type JsonFaultReason,
  type JsonShape,
  type NotedPlaces,
  scanPlaces,
} from './json-scanner.ts';

export type Scan = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shape: JsonShape;
  readonly each: boolean;
};
/** The bytes go back with either. */
export type Scanned = { readonly bytes: Uint8Array<ArrayBuffer> } & (
  | { readonly places: readonly NotedPlaces[] }
  | { readonly reason: JsonFaultReason; readonly at: number; readonly member: string | undefined }
);

const port = parentPort;
if (port === null) throw new Error('json-worker.ts runs as a worker thread only');

function scan({ bytes, shape, each }: Scan): Scanned {
  const { buffer, byteOffset, length } = bytes;
  try {
    return { bytes, places: scanPlaces(Buffer.from(buffer, byteOffset, length), shape, each) };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const { reason, at, member } = error;
    return { bytes, reason, at, member };
  }
}

port.on('message', (asked: Scan) => port.postMessage(scan(asked), [asked.bytes.buffer]));
