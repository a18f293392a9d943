import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Static, TSchema } from 'typebox';
import type { Principal, Role, Scope } from '../access/access.ts';
import type { JsonShape, JsonView } from '../base/json-scanner.ts';
import type { Problem, ProblemKind } from '../base/problem.ts';
import type { User } from '../identity/identity.ts';
import type { ByteSource } from '../outbound/outbound.ts';
import type { RequestBody } from '../proxy/proxy.ts';
import type { ErrorResponse } from './error-response.ts';

/** What a handler is given: parsed values, never the request itself. */
export type Call<B, Q, P, U = null> = {
  /** The request target, byte for byte. */
  readonly target: string;
  readonly body: B;
  readonly query: Q;
  readonly params: P;
  /** Who is calling; on a public route, nobody in particular. */
  readonly caller: Principal;
  /** The user whose MIT came with the call; null where none is taken or none was sent. */
  readonly user: U;
  /** Who is signed in to the console without a key. */
  readonly person: User | null;
  readonly headers: IncomingHttpHeaders;
  /** Where the connection comes from. */
  readonly address: string;
  /** Takes more of the caller's quota, for a call that turns out to be worth several. */
  readonly charge: (cost: number) => void | Promise<void>;
  /** Who calls, as they are now. Throws where the right to the call has come to an end since it began. */
  readonly recheck: () => Promise<Principal>;
  /** Aborts when the caller goes away before its reply is whole. */
  readonly signal: AbortSignal;
  /** With `spans`: the body as it came. */
  readonly json: JsonView | undefined;
  /** The bytes of the body, as they came; undefined where there is none. */
  readonly bytes: Buffer | undefined;
};

/** Bytes that are serialised already, or as they come. */
type RawBody = Buffer | readonly (Buffer | string)[] | Readable | string | null;

/** What a handler answers: JSON from a value, or a raw body; `Reply<never>` is raw. */
export type Reply<Json = Readonly<Record<string, unknown>>> = {
  readonly status: number;
  readonly body: RawBody | Json;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** More entries for Server-Timing: name and milliseconds. */
  readonly timings?: readonly (readonly [name: string, ms: number])[];
};

/** One endpoint, whole: the server, the OpenAPI document, the docs table and the every-route test all read it. */
type Declaration<B, Q, P, U> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `:name` for parameters. */
  readonly url: string;
  readonly summary: string;
  /** The scope a key needs; null: no key needed. */
  readonly scope: Scope | null;
  /** Another one that is enough. */
  readonly orScope?: Scope;
  /** The least role of a person who is signed in to the console without a key; nobody's unless given. */
  readonly role?: Role;
  /** Whether the call acts for a user, by a MIT in Authorization. */
  readonly user?: U;
  /** Refuses a bad MIT with 401, as clients of MCP expect it; else it is 403. */
  readonly challenge?: boolean;
  /** Pages of any origin may call it: it goes by what is shown in a header or in the body, never by a cookie. */
  readonly crossOrigin?: true;
  /** The same route with a slash behind its URL. */
  readonly finalSlash?: true;
  /** The body may also come as form fields: from OAuth's own clients (RFC 6749 appendix B), and from pages of ours. */
  readonly form?: boolean;
  /** Members of the body that are passed on as they came, and what is read of them: `body` has but an empty value of their kind. */
  readonly spans?: JsonShape;
  /** With `spans`: members whose faults the handler answers itself; they are not checked against the schema. */
  readonly uncheckedMembers?: readonly string[];
  /** With `spans`: what to answer where the body is no JSON; 400 unless given. */
  readonly onBrokenJson?: () => Reply;
  /** A refusal in the words of the protocol that the route speaks; faults of ours are told in our form. */
  readonly refusal?: (problem: Problem) => ErrorResponse;
  /** The body is neither parsed nor checked here. */
  readonly rawBody?: boolean;
  /** Of a reply that lasts: throws when what it is about is gone, or not the caller's any more. */
  readonly recheck?: (params: Readonly<Record<string, string | undefined>>, caller: Principal) => unknown;
  /** Bytes a body may have; 1 MB unless given. */
  readonly maxBodyBytes?: number;
  /** Requests this call counts for in the rate limit. */
  readonly cost: number;
  readonly status: number;
  readonly body?: B;
  readonly query?: Q;
  readonly params?: P;
  /** The JSON that comes with `status`; null where it is no JSON, or nothing. */
  readonly reply: TSchema | null;
  /** What else may come. */
  readonly otherReplies?: readonly OtherReply[];
  /** What may go wrong beside what any request of its kind may meet (see `problemsOf` of the OpenAPI document). */
  readonly problems?: readonly ProblemKind[];
};

/** A reply beside the usual one: JSON of a shape, a body of another type, or neither. */
export type OtherReply = {
  /** `default`: whatever status somebody behind us answers with. */
  readonly status: number | 'default';
  readonly description: string;
  readonly schema?: TSchema;
  readonly contentType?: string;
};

/** A request that is passed on as it came: nothing of it decoded or parsed. */
export type PassthroughCall = {
  readonly caller: Principal;
  readonly user: User | null;
  readonly method: string;
  /** The request target, byte for byte. */
  readonly target: string;
  /** Name, value, name, value …, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: RequestBody | null;
  /** Aborts when the caller goes away before its reply is whole. */
  readonly signal: AbortSignal;
};

/** A reply that is passed on as it comes; headers as name, value, name, value … */
export type PassthroughReply = {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: ByteSource | Buffer | null;
};

/** A route as the server holds it, its types folded away. */
export type JsonRoute = Declaration<TSchema, TSchema, TSchema, UserNeed> & {
  readonly handle: (call: Call<unknown, unknown, unknown, unknown>) => Promise<Reply> | Reply;
};
export type PassthroughRoute = Declaration<TSchema, TSchema, TSchema, UserNeed> & {
  readonly forward: (call: PassthroughCall) => Promise<PassthroughReply>;
};
export type Route = JsonRoute | PassthroughRoute;

export function isPassthrough(declared: Route): declared is PassthroughRoute {
  return 'forward' in declared;
}

type UserNeed = 'optional' | 'required';
type UserOf<U> = U extends 'required' ? User : U extends 'optional' ? User | null : null;
type StaticOf<T> = T extends TSchema ? Static<T> : undefined;

/** What a handler may give where the document has `T`: nothing of it is written to, and what is undefined is left out. */
type Given<T> = T extends readonly (infer E)[]
  ? readonly Given<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Given<T[K]> | (Record<never, never> extends Pick<T, K> ? undefined : never) }
    : T;
type GivenOf<R> = R extends TSchema ? Given<Static<R>> : Readonly<Record<string, unknown>>;

export function route<
  B extends TSchema | undefined = undefined,
  Q extends TSchema | undefined = undefined,
  P extends TSchema | undefined = undefined,
  U extends UserNeed | undefined = undefined,
  R extends TSchema | null = null,
>(
  declaration: Omit<Declaration<B, Q, P, U>, 'status' | 'cost' | 'reply'> & {
    readonly status?: number;
    readonly cost?: number;
    readonly reply: R;
    readonly handle: (
      call: Call<StaticOf<B>, StaticOf<Q>, StaticOf<P>, UserOf<U>>,
    ) => Promise<Reply<GivenOf<R>>> | Reply<GivenOf<R>>;
  },
): Route {
  return { status: 200, cost: 1, ...declaration } as Route;
}

/** Matches the paths that a declared URL (`:name`, `*`) stands for. */
export function pathPattern(url: string): RegExp {
  return new RegExp(`^${url.replace(/:[a-z_]+/g, '[^/]+').replace('*', '.*')}$`);
}

export function json<const T extends object>(
  body: T,
  status = 200,
): { readonly status: number; readonly body: T } {
  return { status, body };
}

export function passthroughRoute(
  declaration: Omit<PassthroughRoute, 'status' | 'cost' | 'reply' | 'body' | 'query'>,
): PassthroughRoute {
  return { status: 200, cost: 1, reply: null, ...declaration };
}
