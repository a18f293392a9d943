/**
 * One server, read once: its words counted field by field, and what a reply shows of it.
 * A change of the catalog analyses the changed servers only; `snapshot.ts` assembles the rest from these.
 */
import { crc32 } from 'node:zlib';
import { hintsIn, packHints } from '../../base/tool-hints.ts';
import type { CatalogServer, CatalogTool } from '../../catalog/catalog.ts';
import { stemsOf, writtenWords } from '../text/text.ts';
import { mostWords, wordLetters } from '../text/word-index.ts';
import { encodeFields, parseSchema, type StoredFields, serverFields, toolFields } from './stored-fields.ts';

/** Terms to numbers; only ever grows, so that a term means the same in every snapshot. */
export type Lexicon = {
  readonly size: number;
  get(stem: string): number | undefined;
  set(stem: string, term: number): unknown;
};
/** Words as they are written, with the terms that they stem to; only ever grows, too. `runs`: the letters that were looked at. */
export type Vocabulary = { readonly words: Map<string, number>; readonly runs: Set<string> };

/** What filters look at, and what order and popularity need. */
type AnalysedServer = Pick<
  CatalogServer,
  'id' | 'transport' | 'authType' | 'category' | 'verified' | 'trusted' | 'popularity' | 'tags'
> & {
  /** The same for servers with the same tools; 0 for a server whose tools say too little. */
  readonly fingerprint: number;
  /** The same for servers whose tools are called and take the same, whatever else is said of them; 0 for one without tools. */
  readonly software: number;
};

/** What filters look at, of a server and of its tools. */
export type Facets = {
  readonly server: AnalysedServer;
  readonly toolCount: number;
  /** A character a tool: what it does, as its server says, packed. */
  readonly hints: string;
};

/** Document 0 is the server itself, then come its tools, and last all tools' words combined. */
export type Analysis = {
  readonly facets: Facets;
  /** Where each document's terms begin; one more for the end. */
  readonly starts: Uint32Array;
  readonly terms: Uint32Array;
  /** Four counts of 8 bits a term: name, description, parameter names, parameter descriptions. */
  readonly counts: Uint32Array;
  /** Four field lengths a document. */
  readonly lengths: Uint16Array;
  /** What a reply shows of the server and of its tools. */
  readonly stored: StoredFields<Uint32Array>;
};

export const fieldCount = 4;
/** Descriptions and schemas beyond this many characters are shown but not searched. */
const longestFieldChars = 4_000;
/** A schema may nest without end; what a tool is for shows in its first levels. */
const deepestParameters = 3;

export function analyseServer(server: CatalogServer, lexicon: Lexicon, vocabulary: Vocabulary): Analysis {
  const documents = [serverTexts(server), ...server.tools.map(toolTexts)];
  const starts = new Uint32Array(documents.length + 2);
  const lengths = new Uint16Array((documents.length + 1) * fieldCount);
  const terms: number[] = [];
  const counts: number[] = [];
  const combined = new Map<number, number>();
  for (const [d, texts] of documents.entries()) {
    const counted = countTerms(texts, lexicon, lengths.subarray(d * fieldCount, (d + 1) * fieldCount));
    for (const [term, count] of counted) {
      terms.push(term);
      counts.push(count);
      if (d > 0) combined.set(term, addCounts(combined.get(term) ?? 0, count));
    }
    starts[d + 1] = terms.length;
    for (const text of texts) collectWords(text.slice(0, longestFieldChars), lexicon, vocabulary);
  }
  terms.push(...combined.keys());
  counts.push(...combined.values());
  starts[documents.length + 1] = terms.length;
  sumLengths(lengths, documents.length);
  const { id, transport, authType, category, verified, trusted = false, popularity, tags } = server;
  const prints = { fingerprint: fingerprintOf(server), software: softwareOf(server) };
  return {
    facets: {
      server: { id, transport, authType, category, verified, trusted, popularity, tags, ...prints },
      toolCount: server.tools.length,
      hints: server.tools.map((tool) => packHints(hintsIn(tool.details))).join(''),
    },
    starts,
    terms: Uint32Array.from(terms),
    counts: Uint32Array.from(counts),
    lengths,
    stored: encodeFields([serverFields(server), ...server.tools.map(toolFields)]),
  };
}

/** With fewer tools their descriptions must agree, too: many servers have nothing but a `search` and a `fetch`. */
const tellingTools = 4;
const fewestTools = 2;
/** Enough to tell servers that say what they are for; what a fork changes is mostly further on. */
const openingChars = 24;

/**
 * Forks and mirrors: the same name, the same opening of the description, the same tools with the same parameters.
 * (By the tools alone, twice as many collapse, and whoever seeks one of them by its description loses it: 0.8 of nDCG.)
 * Two checksums make as many bits as a number holds.
 */
function fingerprintOf({ name, description, tools }: CatalogServer): number {
  if (tools.length < fewestTools) return 0;
  const each = tools.map((tool) =>
    JSON.stringify([tool.name, tool.inputSchema, tools.length < tellingTools ? tool.description : '']),
  );
  const own = [
    name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ''),
    description.toLowerCase().slice(0, openingChars),
  ];
  return checksum([...own, ...each.sort()]);
}

/** What a server runs: its tools and their parameters by name, because descriptions differ from version to version. */
function softwareOf({ tools }: CatalogServer): number {
  if (tools.length === 0) return 0;
  const each = tools.map((tool) => {
    const [name, description, parameterNames] = toolTexts(tool);
    const opening = tools.length < tellingTools ? description.slice(0, openingChars) : '';
    return JSON.stringify([name, parameterNames.split(' ').sort(), opening]);
  });
  return checksum(each.sort());
}

function checksum(lines: readonly string[]): number {
  const text = lines.join('\n');
  return crc32(text) * 2 ** 21 + (crc32(text, 1) >>> 11);
}

/** What an embedder reads of a server and of each of its tools. */
export function documentTexts(server: CatalogServer): string[] {
  const own = `${server.name}. ${server.description} ${server.category ?? ''} ${server.tags.join(' ')}`;
  return [own, ...server.tools.map(toolText)].map((text) => text.slice(0, longestFieldChars));
}

/** What it takes says something of what it does; the thirteenth parameter does not. */
const embeddedParameters = 12;

function toolText(tool: CatalogTool): string {
  const [, , parameterNames] = toolTexts(tool);
  return `${tool.name}. ${tool.description} ${parameterNames.split(' ').slice(0, embeddedParameters).join(' ')}`;
}

/** What is searched of a document, field by field. */
type FieldTexts = readonly [
  name: string,
  description: string,
  parameterNames: string,
  parameterDescriptions: string,
];

function serverTexts(server: CatalogServer): FieldTexts {
  return [server.name, `${server.description} ${server.category ?? ''} ${server.tags.join(' ')}`, '', ''];
}

/** Asked for three times, and to parse a schema takes longer than the rest. */
const textsOfTools = new WeakMap<CatalogTool, FieldTexts>();

function toolTexts(tool: CatalogTool): FieldTexts {
  const known = textsOfTools.get(tool);
  if (known !== undefined) return known;
  const texts = readTool(tool);
  textsOfTools.set(tool, texts);
  return texts;
}

function readTool(tool: CatalogTool): FieldTexts {
  const parameters: Parameters = { names: [], descriptions: [] };
  collectParameters(parseSchema(tool.inputSchema), parameters, deepestParameters);
  return [tool.name, tool.description, parameters.names.join(' '), parameters.descriptions.join(' ')];
}

type Parameters = { readonly names: string[]; readonly descriptions: string[] };

function collectParameters(schema: unknown, into: Parameters, depth: number): void {
  if (typeof schema !== 'object' || schema === null || depth === 0) return;
  const { properties, items } = schema as { properties?: unknown; items?: unknown };
  if (typeof properties === 'object' && properties !== null) {
    for (const [name, value] of Object.entries(properties)) {
      into.names.push(name);
      const described = (value as { description?: unknown } | null)?.description;
      if (typeof described === 'string') into.descriptions.push(described);
      collectParameters(value, into, depth - 1);
    }
  }
  collectParameters(items, into, depth - 1);
}

function countTerms(texts: FieldTexts, lexicon: Lexicon, lengths: Uint16Array): Map<number, number> {
  const counted = new Map<number, number>();
  for (const [f, text] of texts.entries()) {
    if (text === '') continue;
    const stems = stemsOf(text.length > longestFieldChars ? text.slice(0, longestFieldChars) : text);
    lengths[f] = Math.min(stems.length, 65_535);
    for (const stem of stems) {
      let term = lexicon.get(stem);
      if (term === undefined) {
        term = lexicon.size;
        lexicon.set(stem, term);
      }
      const before = counted.get(term) ?? 0;
      if (((before >>> (f * 8)) & 0xff) < 0xff) counted.set(term, (before + 2 ** (f * 8)) >>> 0);
    }
  }
  return counted;
}

const notPlain = /[^\x00-\x7f]/;
const longRun = /[A-Za-z]{4,}/g;

function collectWords(text: string, lexicon: Lexicon, vocabulary: Vocabulary): void {
  const { runs } = vocabulary;
  for (const run of notPlain.test(text) ? writtenWords(text) : (text.match(longRun) ?? [])) {
    if (runs.has(run)) continue;
    if (runs.size < mostWords) runs.add(run);
    for (const word of writtenWords(run)) addWord(word, lexicon, vocabulary);
  }
}

function addWord(word: string, lexicon: Lexicon, { words }: Vocabulary): void {
  if (word.length < wordLetters.fewest || word.length > wordLetters.most || words.has(word)) return;
  const term = lexicon.get(stemsOf(word)[0] ?? '');
  if (term !== undefined && words.size < mostWords) words.set(word, term);
}

/** Adds four counts at once, each stopping at 255. */
function addCounts(a: number, b: number): number {
  let sum = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    sum += Math.min(0xff, ((a >>> shift) & 0xff) + ((b >>> shift) & 0xff)) * 2 ** shift;
  }
  return sum;
}

function sumLengths(lengths: Uint16Array, documents: number): void {
  for (let i = fieldCount; i < documents * fieldCount; i++) {
    const at = documents * fieldCount + (i % fieldCount);
    lengths[at] = Math.min(65_535, (lengths[at] ?? 0) + (lengths[i] ?? 0));
  }
}
