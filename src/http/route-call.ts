import type { Authentication } from './authentication.ts';
import type { RequestContext } from './request-context.ts';
import type { Call } from './route.ts';

/** What a handler is given of a request. */
export class RouteCall implements Call<unknown, unknown, unknown, unknown> {
  readonly #context: RequestContext;
  readonly #authentication: Pick<Authentication, 'charge' | 'recheck'>;
  readonly body: unknown;
  readonly query: unknown;
  readonly params: unknown;

  constructor(context: RequestContext, authentication: Pick<Authentication, 'charge' | 'recheck'>) {
    this.#context = context;
    this.#authentication = authentication;
    this.body = context.input?.body;
    this.query = context.input?.query;
    this.params = context.input?.params;
  }

  get caller() {
    return this.#context.caller;
  }

  get user() {
    return this.#context.user;
  }

  get person() {
    return this.#context.account === null ? null : this.#context.user;
  }

  get headers() {
    return this.#context.request.headers;
  }

  get address() {
    return this.#context.address;
  }

  get target() {
    return this.#context.target;
  }

  get json() {
    return this.#context.json;
  }

  get bytes() {
    return this.#context.bytes;
  }

  get signal() {
    return this.#context.signal;
  }

  readonly charge = (cost: number) => this.#authentication.charge(this.#context, cost);
  readonly recheck = () => this.#authentication.recheck(this.#context);
}
