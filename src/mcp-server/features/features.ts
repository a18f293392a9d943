import { type JsonShape, type JsonView, scanJson } from '../../base/json-scanner.ts';
import { changeMembers, joinJson } from '../../base/json-splice.ts';
import { Problem } from '../../base/problem.ts';
import {
  type Mcp,
  messageShape,
  type Notification,
  type RpcParams,
  rpcError,
  withParams,
} from '../../mcp/mcp.ts';
import type { BackendRequest, McpCaller, Outcome } from '../doors/backend.ts';
import type { Listen } from '../streams/notification-streams.ts';
import { errorInWords, methodNotFound, unusable } from '../streams/refusal-answers.ts';
import { unsubscribing, type WantedResources } from '../streams/wanted-resources.ts';
import { splitAlias } from './aliases.ts';
import { AskedServers, type AskedServersDeps } from './asked-servers.ts';
import { type Feature, FeatureLists, featureKinds, type ListMethod } from './feature-lists.ts';
import { HeardServers } from './heard-servers.ts';
import { type Cursor, firstPage, readCursor, writeCursor } from './list-cursor.ts';
import {
  fitsTemplate,
  joinItems,
  qualifyUri,
  readUri,
  withQualifiedContents,
  withQualifiedMessages,
} from './resource-uris.ts';

export type FeaturesDeps = AskedServersDeps & {
  readonly mcp: Pick<Mcp, 'call' | 'listen' | 'overhear'>;
  /** Another number after each change of the user's connections: lists that were made by the former ones are over. */
  readonly generationOf: (caller: McpCaller) => number;
  /** Calls `listener` after each of these, until what is answered is called. */
  readonly onConnectionsChange: (caller: McpCaller, listener: () => void) => () => void;
  readonly now: () => number;
};

/** What a client may ask of us, whatever the servers behind us have: none of them has to be asked to say it. */
export const featureCapabilities =
  '"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{}';

/** Many clients read the first page only. */
const pageSize = 500;
const invalidParams = -32602;
/** Beside a list: servers that are not in it, and why. */
const leftOutKey = 'dev.mcprank/left_out';

/** One of what servers offer: whose it is, and what its server calls it. */
type Place = { readonly serverId: string; readonly own: string };
type Answered = (result: JsonView, serverId: string) => JsonView;

/**
 * What the servers behind one door offer beside tools, as if one server had all of it: prompts, resources and their templates,
 * subscriptions and completions. Every request goes through the same enforcement as the call of a tool.
 */
export class Features {
  readonly #mcp: Pick<Mcp, 'call'>;
  readonly #lists: FeatureLists;
  readonly #asked: AskedServers;
  readonly #heard: HeardServers;
  readonly #wanted: WantedResources;
  readonly #viewOf: (caller: McpCaller) => string;

  constructor(deps: FeaturesDeps, wanted: WantedResources) {
    this.#wanted = wanted;
    this.#mcp = deps.mcp;
    this.#lists = new FeatureLists(deps);
    this.#asked = new AskedServers(deps);
    this.#viewOf = (caller) => `${deps.generationOf(caller)} ${deps.catalogFor(caller).view?.key ?? ''}`;
    this.#heard = new HeardServers({
      mcp: deps.mcp,
      askedBy: (caller) => this.#asked.of(caller),
      onConnectionsChange: deps.onConnectionsChange,
      translate: (caller, serverId, told) => this.#translate(caller, serverId, told),
      wanted,
    });
  }

  /** null: a method of something else. */
  async request(caller: McpCaller, request: BackendRequest): Promise<Outcome | null> {
    const { method } = request;
    try {
      if (isListMethod(method)) return await this.#list(caller, method, request.params);
      if (method === 'prompts/get') return await this.#getPrompt(caller, request);
      if (method === 'completion/complete') return await this.#complete(caller, request);
      return resourceMethods.has(method) ? await this.#ofResource(caller, request) : null;
    } catch (error) {
      // What an enforcement refuses and what a server fails at have words of their own.
      if (!(error instanceof Problem) || error.kind === 'internal' || errorInWords(error) !== null)
        throw error;
      const data = { code: error.kind, ...error.facts };
      return { kind: 'error', error: rpcError(unusable, error.detail, data) };
    }
  }

  /** What servers tell of their lists, and of resources that were subscribed to. */
  listen(caller: McpCaller): Listen {
    return this.#heard.listen(caller);
  }

  /** Ends what that session or stream subscribed to, where no other wants it. */
  async letGo(caller: McpCaller): Promise<void> {
    const by: McpCaller = { ...caller, prefersSession: true };
    for (const place of this.#wanted.of(by)) await this.#unsubscribe(by, place, unsubscribing(place));
  }

  async #list(caller: McpCaller, method: ListMethod, params: RpcParams): Promise<Outcome> {
    const text = viewOf(params, { cursor: true }).present('cursor');
    const cursor = text === undefined ? firstPage : readCursor(text.string() ?? '');
    if (cursor === null) return refused('cursor: not one that this list answered');
    const view = this.#viewOf(caller);
    const ids = (await this.#asked.of(caller)).filter((id) => id >= cursor.serverId);
    const listings = await Promise.all(ids.map((id) => this.#lists.of(caller, view, id, method)));
    const open = listings.flatMap(({ features }, i) => placed(features, ids[i] ?? '', cursor));
    const next = open[pageSize];
    const leftOut = listings.flatMap((listing) => listing.leftOut ?? []);
    const list = joinJson([
      `{"${featureKinds[method].list}":`,
      ...joinItems(open.slice(0, pageSize).map(({ feature }) => [feature.text])),
      ...(next === undefined ? [] : [`,"nextCursor":"${writeCursor(next)}"`]),
      ...(leftOut.length === 0 ? [] : [`,"_meta":${JSON.stringify({ [leftOutKey]: leftOut })}`]),
      '}',
    ]);
    return { kind: 'result', body: { view: scanJson(list, messageShape.result) } };
  }

  async #getPrompt(caller: McpCaller, request: BackendRequest): Promise<Outcome> {
    const { name = '' } = request.params;
    const place = await this.#promptCalled(caller, name);
    if (place === null) return refused(`Unknown prompt: ${name.slice(0, 200)}`);
    const params = withParams(request.params, { name: place.own });
    return this.#forward(caller, place, { ...request, params }, withQualifiedMessages);
  }

  async #ofResource(caller: McpCaller, request: BackendRequest): Promise<Outcome> {
    const { uri = '' } = request.params;
    const place = await this.#resourceAt(caller, uri);
    if (place === null) return refused(`Unknown resource: ${uri.slice(0, 1_000)}`, { uri });
    const asked = { ...request, params: withParams(request.params, { uri: place.own }) };
    if (request.method === 'resources/read')
      return this.#forward(caller, place, asked, withQualifiedContents);
    // Where a server speaks both, its session is asked.
    const by: McpCaller = { ...caller, prefersSession: true };
    if (request.method === 'resources/unsubscribe') return this.#unsubscribe(by, place, asked);
    await this.#heard.hold(by, place);
    let isTold = false;
    try {
      const outcome = await this.#forward(by, place, asked);
      isTold = outcome.kind !== 'error';
      return outcome;
    } finally {
      // What the server does not tell of is no reason to keep its session.
      if (!isTold) {
        this.#wanted.remove(by, place);
        this.#heard.settle(by, place.serverId);
      }
    }
  }

  async #unsubscribe(by: McpCaller, place: Place, asked: BackendRequest): Promise<Outcome> {
    try {
      return await this.#wanted.unsubscribe(by, place, () => this.#forward(by, place, asked));
    } finally {
      this.#heard.settle(by, place.serverId);
    }
  }

  async #complete(caller: McpCaller, request: BackendRequest): Promise<Outcome> {
    const ref = viewOf(request.params, { ref: { type: true, name: true, uri: true } }).present('ref');
    const type = ref?.get('type')?.string();
    const called = ref?.get(type === 'ref/prompt' ? 'name' : 'uri')?.string() ?? '';
    if (type !== 'ref/prompt' && type !== 'ref/resource')
      return refused('ref: expected one of the type ref/prompt or ref/resource');
    const isPrompt = type === 'ref/prompt';
    const place = await (isPrompt ? this.#promptCalled(caller, called) : this.#resourceAt(caller, called));
    if (place === null) return refused(`ref: nothing here is called ${called.slice(0, 1_000)}`);
    const own = isPrompt ? { type, name: place.own } : { type, uri: place.own };
    const params = withParams(request.params, { ref: own });
    const outcome = await this.#forward(caller, place, { ...request, params });
    // We say for all of them that they complete: one that does not has nothing to propose.
    const isWithout = outcome.kind === 'error' && outcome.error.code === methodNotFound;
    return isWithout ? nothingProposed : outcome;
  }

  async #forward(
    caller: McpCaller,
    { serverId }: Place,
    request: BackendRequest,
    answered: Answered = (result) => result,
  ): Promise<Outcome> {
    const answer = await this.#mcp.call(caller, { serverId, ...request });
    if (answer.kind === 'input') return { kind: 'input', needed: answer };
    const { reply } = answer;
    if ('error' in reply) return { kind: 'error', error: reply.error };
    return { kind: 'result', body: { view: answered(reply.result, serverId) } };
  }

  /** A plain name says itself whose it is. */
  async #promptCalled(caller: McpCaller, name: string): Promise<Place | null> {
    const plain = splitAlias(name);
    const isTheirs = plain !== null && (await this.#isAsked(caller, plain.serverId));
    if (isTheirs && !plain.isMarked) return plain;
    const listed = await this.#find(caller, 'prompts/list', (feature) => feature.name === name);
    if (listed !== null) return listed;
    return isTheirs ? plain : null;
  }

  /** By the URI or template that we list; or by a server's own, where one server alone lists it or has a template for it. */
  async #resourceAt(caller: McpCaller, uri: string): Promise<Place | null> {
    const named = readUri(uri);
    if (named !== null && (await this.#isAsked(caller, named.serverId)))
      return { serverId: named.serverId, own: named.uri };
    if (named !== null && !uri.startsWith('ui://')) return null;
    const listed = await this.#find(caller, 'resources/list', ({ own }) => own === uri);
    if (listed !== null) return listed;
    const fitting = await this.#find(caller, 'resources/templates/list', ({ own }) => fitsTemplate(own, uri));
    return fitting === null ? this.#onlyServer(caller, uri) : { ...fitting, own: uri };
  }

  /** Where one server stands alone it is asked for whatever it may know. */
  async #onlyServer(caller: McpCaller, own: string): Promise<Place | null> {
    const [serverId, another] = await this.#asked.of(caller);
    return serverId === undefined || another !== undefined || own === '' ? null : { serverId, own };
  }

  async #isAsked(caller: McpCaller, serverId: string): Promise<boolean> {
    return (await this.#asked.of(caller)).includes(serverId);
  }

  async #find(
    caller: McpCaller,
    method: ListMethod,
    isIt: (feature: Feature) => boolean,
  ): Promise<Place | null> {
    const view = this.#viewOf(caller);
    const ids = await this.#asked.of(caller);
    const listings = await Promise.all(ids.map((id) => this.#lists.of(caller, view, id, method)));
    const found = listings.flatMap(({ features }, i) => {
      const feature = features.find(isIt);
      return feature === undefined ? [] : [{ serverId: ids[i] ?? '', own: feature.own }];
    });
    return found.length === 1 ? (found[0] ?? null) : null;
  }

  /** What a server tells, in our names; null where it is nothing that its clients here can use. */
  #translate(caller: McpCaller, serverId: string, told: Notification): Notification | null {
    if (told.method === 'notifications/resources/updated') {
      const params = scanJson(joinJson(told.params ?? ['{}']), { uri: true });
      const uri = params.get('uri')?.string();
      if (uri === undefined) return null;
      const qualified = JSON.stringify(qualifyUri(serverId, uri));
      return { method: told.method, params: changeMembers(params, { uri: [qualified] }) };
    }
    if (!listsChanged.has(told.method)) return null;
    this.#lists.forget(caller, this.#viewOf(caller), serverId);
    return told;
  }
}

const resourceMethods: ReadonlySet<string> = new Set([
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
]);
const listsChanged: ReadonlySet<string> = new Set([
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
]);

const nothingProposed: Outcome = { kind: 'result', body: { members: ['"completion":{"values":[]}'] } };

function isListMethod(method: string): method is ListMethod {
  return Object.hasOwn(featureKinds, method);
}

function viewOf({ members }: RpcParams, shape: JsonShape): JsonView {
  return scanJson(joinJson(['{', ...members, '}']), shape);
}

/** From the cursor's place on. */
function placed(features: readonly Feature[], serverId: string, { serverId: from, at: first }: Cursor) {
  const skipped = serverId === from ? first : 0;
  return features.slice(skipped).map((feature, i) => ({ feature, serverId, at: skipped + i }));
}

function refused(words: string, data?: Readonly<Record<string, unknown>>): Outcome {
  return { kind: 'error', error: rpcError(invalidParams, words, data) };
}
