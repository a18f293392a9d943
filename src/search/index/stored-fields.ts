/**
 * What a reply shows of each document, as JSON in UTF-8, end to end (the stored fields of an index). Two fields each: the
 * members `"name":…,"description":…`, a server's with its id before them, and the value that follows them: a server's URL, a
 * tool's input schema. So a reply is spliced from bytes that were encoded once; read as values, they are decoded at
 * each look.
 */
import type { CatalogServer, CatalogTool } from '../../catalog/catalog.ts';

/** Text that is JSON already, exactly as it was stored: to be spliced or parsed, never rewritten. */
export type RawJson = string;

type FieldStarts = Uint32Array | Float64Array;

export type StoredFields<Starts extends FieldStarts = Float64Array> = {
  readonly bytes: Uint8Array;
  /** Where each field begins, two a document; one more for the end. */
  readonly starts: Starts;
};

type Fields = readonly [members: RawJson, value: RawJson];

export function serverFields({ id, name, description, remoteUrl }: CatalogServer): Fields {
  return [membersOf({ id, name, description }), JSON.stringify(remoteUrl)];
}

export function toolFields({ name, description, inputSchema }: CatalogTool): Fields {
  return [membersOf({ name, description }), parseSchema(inputSchema) === null ? '{}' : inputSchema];
}

/** null for a schema that says nothing, or that is no JSON. */
export function parseSchema(text: RawJson): unknown {
  if (text === '' || text === '{}') return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function membersOf(object: Readonly<Record<string, string>>): RawJson {
  return JSON.stringify(object).slice(1, -1);
}

const encoder = new TextEncoder();

export function encodeFields(documents: readonly Fields[]): StoredFields<Uint32Array> {
  const fields = documents.flat();
  const starts = new Uint32Array(fields.length + 1);
  let at = 0;
  for (const [i, field] of fields.entries()) {
    at += Buffer.byteLength(field);
    starts[i + 1] = at;
  }
  return { bytes: encoder.encode(fields.join('')), starts };
}

/** A snapshot's documents as they are shown, by number. */
export type StoredDocuments = {
  /** Decoded at each call. */
  server(document: number): StoredServer;
  tool(document: number): StoredTool;
  /** A tool's name alone, without a look at the rest. */
  toolName(document: number): string;
  /** Of both fields, for whoever splices them. */
  byteLength(document: number): number;
  /** Copies the members into a buffer, and answers where the next byte goes. */
  copyMembers(document: number, target: Buffer, at: number): number;
  /** The same of the value that follows them. */
  copyValue(document: number, target: Buffer, at: number): number;
};

export type StoredServer = Pick<CatalogServer, 'id' | 'name' | 'description' | 'remoteUrl'>;
export type StoredTool = Pick<CatalogTool, 'name' | 'description'> & { readonly inputSchema: RawJson };

/** As `toolFields` writes it. */
const firstMember = /^"name":("(?:[^"\\]|\\.)*")/;

export function openDocuments({ bytes: shared, starts }: StoredFields): StoredDocuments {
  const bytes = Buffer.from(shared.buffer, shared.byteOffset, shared.length);
  const textOf = (field: number) => bytes.toString('utf8', starts[field], starts[field + 1]);
  const copy = (field: number, target: Buffer, at: number) =>
    at + bytes.copy(target, at, starts[field], starts[field + 1]);
  return {
    server(document) {
      const members = JSON.parse(`{${textOf(2 * document)}}`) as Omit<StoredServer, 'remoteUrl'>;
      return { ...members, remoteUrl: JSON.parse(textOf(2 * document + 1)) as string | null };
    },
    tool(document) {
      const members = JSON.parse(`{${textOf(2 * document)}}`) as Omit<StoredTool, 'inputSchema'>;
      return { ...members, inputSchema: textOf(2 * document + 1) };
    },
    toolName(document) {
      const [, name = ''] = firstMember.exec(textOf(2 * document)) ?? [];
      return JSON.parse(name) as string;
    },
    byteLength: (document) => starts[2 * document + 2]! - starts[2 * document]!,
    copyMembers: (document, target, at) => copy(2 * document, target, at),
    copyValue: (document, target, at) => copy(2 * document + 1, target, at),
  };
}
