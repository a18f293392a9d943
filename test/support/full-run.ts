/** Properties are tried more often there. */
export const isFullRun = process.env.TEST_FULL !== undefined;

/**
 * A test's `skip` where it starts programs or computes for seconds: `npm test` is for everybody's machine and for a minute.
 * Those that stand in test/full/ need no such word.
 */
export const fullRunOnly: false | string = isFullRun
  ? false
  : 'starts programs or takes long: npm run test:full';
