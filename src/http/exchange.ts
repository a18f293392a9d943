import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../access/access.ts';
import type { User } from '../identity/identity.ts';
import type { Line } from './edge/lines.ts';

/** A request and the reply to it, from the first line of the one to the last byte of the other. */
export class Exchange {
  /** Tells one request from all others in replies and logs. */
  readonly id: string;
  /** What it came on. */
  readonly line: Line;
  readonly request: IncomingMessage;
  readonly reply: ServerResponse;
  /** The header fields of the reply so far: name, value, name, value … as they will be written. */
  readonly head: string[] = [];
  /** The URL of the route that answers, as declared; undefined where none does. */
  route: string | undefined;
  /** What the gate found out; read through it. */
  caller: Principal | null = null;
  user: User | null = null;
  readonly #began = performance.now();

  constructor(id: string, line: Line, request: IncomingMessage, reply: ServerResponse) {
    this.id = id;
    this.line = line;
    this.request = request;
    this.reply = reply;
  }

  get method(): string {
    return this.request.method ?? '';
  }

  /** The request target, byte for byte. */
  get target(): string {
    return this.request.url ?? '';
  }

  /** Where the connection comes from. */
  get address(): string {
    return this.request.socket.remoteAddress ?? '';
  }

  elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** Sets a header field of the reply; one that is set already is set anew. `name`: in lower case. */
  set(name: string, value: string): void {
    const { head } = this;
    for (let i = 0; i < head.length; i += 2) {
      if (head[i] !== name) continue;
      head[i + 1] = value;
      return;
    }
    head.push(name, value);
  }

  get(name: string): string | undefined {
    for (let i = 0; i < this.head.length; i += 2) if (this.head[i] === name) return this.head[i + 1];
    return undefined;
  }
}
