import type { IncomingMessage, ServerResponse } from 'node:http';
import { nodeHttp } from '../passthrough/node-http.ts';

/** Node's reply, of which no byte of a body leaves before `prepare` has returned: in a reply of many pieces, before each. */
export function replyAfter(prepare: () => void): typeof ServerResponse {
  return class<R extends IncomingMessage> extends nodeHttp.ServerResponse<R> {
    override write(...args: readonly unknown[]): boolean {
      prepare();
      return Reflect.apply(super.write, this, args);
    }

    override end(...args: readonly unknown[]): this {
      prepare();
      return Reflect.apply(super.end, this, args);
    }
  };
}
