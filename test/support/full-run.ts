import { type TestContext, test } from 'node:test';

/** Properties are tried more often there. */
export const isFullRun = process.env.TEST_FULL !== undefined;
/** How often a property is tried: so often in the full run, a quarter of that for everybody. */
export const runsOf = (inFull: number): number => (isFullRun ? inFull : Math.ceil(inFull / 4));

/**
 * A test's `skip` where it starts programs or computes for seconds: `npm test` is for everybody's machine and for a minute.
 * Those that stand in test/full/ need no such word.
 */
export const fullRunOnly: false | string = isFullRun
  ? false
  : 'starts programs or takes long: npm run test:full';

type Act = (t: TestContext) => void | Promise<void>;

/** A test of programs: each of its kind starts several. */
export function programTest(name: string, ...rest: [act: Act] | [options: object, act: Act]): void {
  const [options, act] = rest.length === 1 ? [{}, rest[0]] : rest;
  void test(name, { skip: fullRunOnly, ...options }, act);
}
