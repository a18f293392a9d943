/**
 * A test's `skip` where it starts programs or computes for seconds: `npm test` is for everybody's machine and for a minute.
 * Those that stand in test/full/ need no such word.
 */
export const fullRunOnly: false | string =
  process.env.TEST_FULL === undefined ? 'starts programs or takes long: npm run test:full' : false;
