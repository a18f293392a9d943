import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../access/access.ts';
import type { JsonView } from '../base/json-scanner.ts';
import type { Slotted } from '../base/slot-list.ts';
import type { User } from '../identity/identity.ts';
import { clientAddress } from './connection/client-address.ts';
import type { Reply, Route } from './route.ts';

/** Who calls on a route that needs no key. */
const nobody: Principal = {
  keyId: '',
  developerId: '',
  developer: '',
  scopes: new Set(),
  tier: '',
  perMinute: 0,
  addresses: null,
};

export type Texts = Readonly<Record<string, string | undefined>>;

/** One request and the reply to it, on its way through the steps of `lifecycle.ts`; each adds what it found out. */
export class RequestContext implements Slotted {
  slot = -1;
  /** Tells one request from all others in replies and logs. */
  readonly id: string;
  readonly request: IncomingMessage;
  readonly reply: ServerResponse;
  /** The request target, byte for byte. */
  readonly target: string;
  readonly method: string;

  /** From `findRoute`; its texts are decoded, and not checked yet. */
  route: Route | undefined;
  params: Texts = {};
  query: Texts = {};
  /** From `authenticate`; the MIT, or what stands in its place. */
  caller: Principal = nobody;
  token: string | null = null;
  /** From `identifyUser`, or with an access token from `authenticate`. */
  user: User | null = null;
  /** The account of a person in the console, in place of a key. */
  account: string | null = null;
  /** It came from this machine, where no key is needed. */
  isKeyless = false;
  /** An access token of ours, in place of a key. */
  accessToken: string | null = null;
  /** From `readBody`: as it came, and where its members stand, if the route asks for that. */
  bytes: Buffer | undefined;
  json: JsonView | undefined;
  body: unknown;
  /** From `validate`. */
  input: { readonly body: unknown; readonly query: unknown; readonly params: unknown } | undefined;
  /** Why it failed, where the status does not say: its caller got it wrong. */
  isCallersFault = false;
  /** From `handle`. */
  answer: Reply | undefined;

  /** Name, value, name, value …: a reply has a dozen fields at most, and a list of them is what `writeHead` takes. */
  readonly #headers: (string | readonly string[])[] = [];
  readonly #began = performance.now();
  #abort: AbortController | undefined;

  readonly #trustedProxies: readonly string[];

  constructor(
    id: string,
    { request, reply }: { readonly request: IncomingMessage; readonly reply: ServerResponse },
    trustedProxies: readonly string[],
  ) {
    this.#trustedProxies = trustedProxies;
    this.id = id;
    this.request = request;
    this.reply = reply;
    this.target = request.url ?? '';
    this.method = request.method ?? '';
  }

  /** Where the request comes from, as far as it is known. */
  get address(): string {
    const { request } = this;
    return clientAddress(request.socket.remoteAddress ?? '', request.headers, this.#trustedProxies);
  }

  /** Aborts when the client goes away before its reply is whole. Made on demand: most requests are answered before anybody asks. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      const { reply } = this;
      this.#abort = abort;
      if (reply.destroyed && !reply.writableFinished) abort.abort();
      else reply.on('close', () => void (reply.writableFinished || abort.abort()));
    }
    return this.#abort.signal;
  }

  elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** Sets a header field of the reply, several of one name with an array; `name` in lower case. */
  setHeader(name: string, value: string | readonly string[]): void {
    const at = this.#indexOf(name);
    if (at < 0) this.#headers.push(name, value);
    else this.#headers[at + 1] = value;
  }

  header(name: string): string | undefined {
    const at = this.#indexOf(name);
    const value = at < 0 ? undefined : this.#headers[at + 1];
    return typeof value === 'string' ? value : undefined;
  }

  /** The header fields of the reply so far: name, value, name, value … */
  rawHeaders(): readonly (string | readonly string[])[] {
    return this.#headers;
  }

  #indexOf(name: string): number {
    for (let i = 0; i < this.#headers.length; i += 2) if (this.#headers[i] === name) return i;
    return -1;
  }
}
