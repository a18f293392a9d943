/** What search_tools answers. */
import { createBoundedCache } from '../../base/bounded-cache.ts';
import { howToConnect, readHit, type SearchResult } from '../../search/search.ts';
import type { Outcome } from './backend.ts';
import { answered, described, separated } from './tool-answers.ts';

type Found = Pick<SearchResult, 'page' | 'pageKey' | 'cacheHit' | 'connections' | 'account'>;

/** The tools of the hits, best first, each with how the caller stands with its server. */
export function foundTools(
  { page, connections, account }: Found,
  {
    catalog,
    limit,
  }: {
    readonly catalog: { describe(serverId: string, tool: string): string | undefined };
    readonly limit: number;
  },
): Outcome {
  const tools = page.hits.flatMap((hit, i) => {
    const { id, name, tools } = readHit(hit);
    const connection = connections?.[i];
    const connect = connection === undefined ? null : howToConnect(hit, connection, account);
    const about = {
      match: hit.match,
      ...(connection && { connection }),
      ...(connect !== null && { connect }),
    };
    return tools.map((tool) => {
      const description = catalog.describe(id, tool.name) ?? tool.description;
      return described({ server_id: id, server: name, ...about }, { ...tool, description });
    });
  });
  return answered(['{"tools":[', ...separated(tools.slice(0, limit)), ']}']);
}

/** UTF-16 units. */
const keptChars = 8 * 1024 * 1024;

/** Answers to searches that were made again, in one piece: of most there is no second. */
export function createFoundAnswers() {
  const kept = createBoundedCache<string>(keptChars, {
    sizeCalculation: (text, key) => text.length + key.length,
  });
  return {
    render({ pageKey, cacheHit, connections, account = '' }: Found, make: () => Outcome): Outcome {
      if (pageKey === null || !cacheHit) return make();
      const key = `${connections?.join(' ')}\n${account}\n${pageKey}`;
      const known = kept.get(key);
      if (known !== undefined) return { kind: 'result', body: { members: [known] } };
      const made = make();
      if (made.kind === 'result' && 'members' in made.body) kept.set(key, made.body.members.join(''));
      return made;
    },
  };
}
