/** Requests in other languages, and abbreviated ones: whether what is found has to do with them, by a pattern on a server's own text. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ask, Evaluation, Indexed } from '../eval/evaluation.ts';

type Request = { readonly query: string; readonly english: string; readonly pattern: string };
export type LanguageRow = {
  readonly requests: string;
  readonly count: number;
  /** Percent: the first hit fits; of the first five these fit; one of the first five fits. */
  readonly first: number;
  readonly ofFive: number;
  readonly anyOfFive: number;
  readonly empty: number;
  readonly bars: Partial<Record<'first' | 'ofFive' | 'anyOfFive', number>>;
};

const catalog = '../catalogs/mcp_all';
const files = [
  { name: 'other languages', file: 'languages/dev.jsonl', bars: { first: 80, anyOfFive: 90 } },
  { name: 'abbreviated', file: 'languages/abbreviations.jsonl', bars: { ofFive: 90 } },
] as const;

/** Of each file a row for the requests and one for the same in plain English; none where the folder does not have them. */
export async function measureLanguages(evaluation: Evaluation): Promise<LanguageRow[]> {
  const { folder } = evaluation;
  if (!existsSync(join(folder, catalog)) || !files.every(({ file }) => existsSync(join(folder, file))))
    return [];
  const index = await evaluation.indexOf({ name: catalog, catalog, queries: '', bar: 0, level: 'server' });
  const ask = evaluation.ask(index);
  return files.flatMap(({ name, file, bars }) => {
    const requests = readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Request);
    return [
      judge(name, requests, ({ query }) => query, { ask, index, bars }),
      judge(`${name}, in English`, requests, ({ english }) => english, { ask, index, bars: {} }),
    ];
  });
}

function judge(
  name: string,
  requests: readonly Request[],
  textOf: (request: Request) => string,
  { ask, index, bars }: { readonly ask: Ask; readonly index: Indexed } & Pick<LanguageRow, 'bars'>,
): LanguageRow {
  const fits = requests.map((request) => {
    const pattern = new RegExp(request.pattern, 'i');
    return ask(textOf(request), { limit: 5 }).hits.map(({ documents, server }) =>
      pattern.test(ownText(index, documents, server)),
    );
  });
  const percent = (of: (fit: readonly boolean[]) => number) =>
    (100 * fits.reduce((sum, fit) => sum + of(fit), 0)) / fits.length;
  return {
    requests: name,
    count: requests.length,
    first: percent(([first]) => Number(first === true)),
    ofFive: percent((fit) => fit.filter(Boolean).length / 5),
    anyOfFive: percent((fit) => Number(fit.includes(true))),
    empty: fits.filter((fit) => fit.length === 0).length,
    bars,
  };
}

type Documents = ReturnType<Ask>['hits'][number]['documents'];

function ownText({ segments }: Indexed, documents: Documents, server: number): string {
  const { name, description } = documents.server(server);
  const tools: string[] = [];
  const { docServer } = segments[0]!.snapshot;
  for (let d = server + 1; docServer[d] === docServer[server]; d++) tools.push(documents.tool(d).name);
  return `${name} ${description} ${tools.join(' ')}`;
}

export function missedLanguages({ bars, empty, ...row }: LanguageRow): boolean {
  const measured = Object.entries(bars) as [keyof LanguageRow['bars'], number][];
  return (measured.length > 0 && empty > 0) || measured.some(([figure, bar]) => row[figure] < bar);
}

export function printLanguages(rows: readonly LanguageRow[]): void {
  if (rows.length === 0) return;
  console.log('\nRequests over 12,558 servers, by a pattern on the text of what is found (percent):');
  console.log(`${'requests'.padEnd(28)}count   hit@1     P@5   any@5  empty  bars`);
  for (const row of rows) {
    const cells = [row.first, row.ofFive, row.anyOfFive].map((x) => x.toFixed(0).padStart(8)).join('');
    const bars = Object.entries(row.bars).map(([figure, bar]) => `${figure} ≥ ${bar}`);
    console.log(
      `${row.requests.padEnd(28)}${String(row.count).padStart(5)}${cells}${String(row.empty).padStart(7)}  ${bars.join(', ')}${missedLanguages(row) ? ' MISSED' : ''}`,
    );
  }
}
