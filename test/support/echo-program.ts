/** `node echo-program.ts modern|session`: the raw echo of raw-echo.ts on standard streams. */
import { type EchoAge, echo } from './raw-echo.ts';

const age = process.argv[2] as EchoAge;
let unread = Buffer.alloc(0);
process.stdin.on('data', (chunk: Buffer) => {
  unread = Buffer.concat([unread, chunk]);
  for (let end = unread.indexOf(10); end >= 0; end = unread.indexOf(10)) {
    const answer = echo(unread.subarray(0, end), age);
    unread = unread.subarray(end + 1);
    if (answer !== null) process.stdout.write(`${answer.replaceAll('\n', '')}\n`);
  }
});
