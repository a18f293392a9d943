/**
 * Preloaded into a service (`--import`): when the deed of the KILL_COUNT-th good reply to KILL_PATH is done, and before its
 * caller hears of it, the process dies as by a power failure.
 */
import { ServerResponse } from 'node:http';

let left = Number(process.env.KILL_COUNT);
const end = ServerResponse.prototype.end;
ServerResponse.prototype.end = function (this: ServerResponse, ...args: unknown[]) {
  if (this.req.url === process.env.KILL_PATH && this.statusCode < 300 && --left === 0)
    process.kill(process.pid, 'SIGKILL');
  return Reflect.apply(end, this, args);
} as typeof end;
