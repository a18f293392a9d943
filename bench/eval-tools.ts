/** Which tool is shown first: of the right servers that have several, where they are found among the first fifty. */
import type { Ask, Evaluation } from '../eval/evaluation.ts';
import { type Labelled, type QuerySet, readQueries } from '../eval/query-sets.ts';

export type ToolRow = {
  readonly set: string;
  readonly servers: number;
  /** Shares of them, in percent: a right tool is the first one, or among the first three. */
  readonly first: number;
  readonly firstThree: number;
  readonly bar: number;
};

/** What the project promises of the first tool, in percent. */
const bars: Readonly<Record<string, number>> = { toolbench: 82, toollens: 62.5 };
const shownServers = 50;
const shownTools = 3;

/** null where the set does not say which tools are right. */
export async function measureTools(evaluation: Evaluation, set: QuerySet): Promise<ToolRow | null> {
  const queries = readQueries(evaluation.folder, set).filter(
    ({ relevant_tools }) => relevant_tools !== undefined,
  );
  if (queries.length === 0) return null;
  const ask = evaluation.ask(await evaluation.indexOf(set));
  const places = queries.flatMap((labelled) => firstRightTools(ask, labelled));
  const share = (of: (place: number) => boolean) => (100 * places.filter(of).length) / places.length;
  return {
    set: set.name,
    servers: places.length,
    first: share((place) => place === 0),
    firstThree: share((place) => place >= 0),
    bar: bars[set.name] ?? 0,
  };
}

/** For each right server that has several tools: where its first right one stands; -1 for not among those shown. */
function firstRightTools(ask: Ask, { query, relevant_tools = [] }: Labelled): number[] {
  const right = new Set(relevant_tools);
  const servers = new Set(relevant_tools.map((tool) => tool.slice(0, tool.indexOf('::'))));
  const { hits } = ask(query, { limit: shownServers, tools: shownTools });
  return hits
    .filter(({ serverId, tools }) => servers.has(serverId) && tools.length > 1)
    .map(({ serverId, tools, documents }) =>
      tools.findIndex((tool) => right.has(`${serverId}::${documents.tool(tool).name}`)),
    );
}

export function missedTools({ first, bar }: ToolRow): boolean {
  return first < bar;
}

export function printTools(rows: readonly ToolRow[]): void {
  if (rows.length === 0) return;
  console.log('\nThe first tool of a right server that has several (percent):');
  console.log(`${'set'.padEnd(22)}servers   first  in first 3     bar`);
  for (const row of rows) {
    const { set, servers, first, firstThree, bar } = row;
    const cells = [first, firstThree, bar].map((x) => x.toFixed(1).padStart(9)).join('');
    console.log(
      `${set.padEnd(22)}${String(servers).padStart(7)}${cells}${missedTools(row) ? ' MISSED' : ''}`,
    );
  }
}
