/** What the people of `mcprank demo` want, how often, and what goes wrong: the words; demo-traffic.ts acts them. */

export const hourMs = 3_600_000;
export const days = 7;

/** Searches an hour on a workday, midnight first: two peaks and a lunch. */
export const hourly: readonly number[] = [
  2, 1, 1, 1, 2, 3, 6, 12, 22, 28, 30, 26, 16, 20, 28, 30, 26, 20, 14, 10, 8, 6, 4, 3,
];
export const weekendShare = 0.3;

export const developers = [
  { developer: 'acme', name: 'support assistant', tier: 'pro', share: 0.5 },
  { developer: 'globex', name: 'release bot', tier: 'free', share: 0.2 },
  { developer: 'initech', name: 'research agent', tier: 'enterprise', share: 0.3 },
] as const;

export const users = ['ann', 'bob', 'carol', 'dan', 'erin', 'frank'] as const;

/** The more often the earlier it stands. */
export const queries: readonly string[] = [
  'send an email',
  'create a github issue',
  'search the web',
  'query a postgres database',
  'read a file from a repository',
  'post a message to slack',
  'schedule a meeting in the calendar',
  'fetch a web page as markdown',
  'take a screenshot of a page',
  'create a linear ticket',
  'find documentation for a library',
  'list recent errors of my app',
  'remember facts about people',
  'update a notion page',
  'run a sql query on the warehouse',
  'review a pull request',
  'deploy a worker',
  'translate a text',
  'get the weather for tomorrow',
  'charge a credit card',
  'look up a customer',
  'generate an image',
  'upload a file to storage',
  'search scientific papers',
  'convert a pdf to text',
  'monitor a kubernetes cluster',
  'track a parcel',
  'read the latest news',
  'find a flight',
  'control the lights at home',
];

/** Typed by hand and meant for nobody: what "found nothing" is for. */
export const hopeless: readonly string[] = ['qzxv wplkt', 'zzgrtl', 'xqjvb kkwpz'];
export const hopelessShare = 0.015;

/** For so long the server that is used most is down, which the day shows everywhere. */
export const outage = { fromHoursAgo: 12, toHoursAgo: 4 } as const;

export const toolset = {
  name: 'careful',
  title: 'Reads freely, asks before it deletes',
  rules: [
    { effect: 'allow', tool: '*' },
    { effect: 'ask', tool: '*delete*' },
    { effect: 'deny', tool: '*drop*' },
  ],
  fallback: 'allow',
  budget: null,
  overrides: [],
} as const;

/** Calls that a person was asked about: how long before the end, and what was said. */
export const approvals: readonly {
  readonly hoursAgo: number;
  readonly decision: boolean | null;
  readonly note?: string;
}[] = [
  { hoursAgo: 70, decision: true },
  { hoursAgo: 51, decision: false, note: 'Not the production branch, please' },
  { hoursAgo: 29, decision: true },
  { hoursAgo: 26, decision: null },
  { hoursAgo: 5, decision: true },
  { hoursAgo: 0.5, decision: null },
  { hoursAgo: 0.2, decision: null },
];

/** The same week every time: a small generator of Marsaglia's kind (mulberry32), 0 to 1. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
