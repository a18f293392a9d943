import { keyActor } from '../base/actor.ts';
import { type BoundedCache, createBoundedCache } from '../base/bounded-cache.ts';
import { sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import type {
  AssertedTokens,
  FreshToken,
  MachineTokens,
  ServerToken,
  SignDPoPProof,
  UserTokens,
} from '../connections/connections.ts';
import type { Outbound } from '../outbound/outbound.ts';
import { keyOf } from './channel-pool.ts';
import { fillInCaller } from './config-file/config-placeholders.ts';
import type { LocalServerList } from './config-file/local-server-list.ts';
import type { LocalServer } from './config-file/mcp-config.ts';
import { type Caller, fixedCredential, type Program, type Target, UpstreamFailure } from './mcp-model.ts';

/** Where a call goes, and in whose name. */
export type FoundTarget = {
  readonly record: ServerRecord;
  readonly target: Target;
  /** The user's own token that it goes with; null: what the operator has, or none. */
  readonly own: FreshToken | null;
  /** The token that we got for ourselves, where it goes with one: its version, and by which login. */
  readonly machineToken?: { readonly version: number; readonly login: string };
  /** The version of the token that it goes with, where the company's provider vouched for the user. */
  readonly assertedVersion?: number;
};

export type Targets = {
  /**
   * A value, not a promise, when it is known already. Throws not_found, server_gone, and UpstreamFailure when there is
   * nothing to call or the user's consent is over.
   */
  find(caller: Caller, serverId: string): FoundTarget | Promise<FoundTarget>;
  /** The server refused the user's token: with a newer one, when there is one to be had. */
  renewed(caller: Caller, found: FoundTarget, challenge: string | undefined): Promise<FoundTarget | null>;
  /** The server failed at a call with a user's own token: is it for the token? */
  isRefusedByFailing(found: FoundTarget): Promise<boolean>;
};

type Credential = Awaited<ReturnType<Catalog['credential']>>;
type AssertedOf = Parameters<AssertedTokens['current']>[0];
type MachineToken = Awaited<ReturnType<MachineTokens['get']>>;
type Identity = Pick<Target, 'credential' | 'credentialVersion'>;
/** Where a server is, whoever calls it. */
type Location = Pick<Target, 'serverId' | 'hint' | 'url' | 'program' | 'revision'>;
type CacheEntry = {
  readonly record: ServerRecord;
  readonly local: LocalServer | undefined;
  readonly credential: Credential;
  readonly byDeveloper: BoundedCache<FoundTarget>;
};

const maxServers = 2_000;
const maxDevelopers = 1_000;

/** The developer in whose name the operator's own servers are asked for their tools. */
export const operatorId = 'operator';

export const notCallable =
  "The server runs on its user's own machine (stdio): start mcprank with it in --mcp-config to call it";

export function createTargets(deps: {
  readonly catalog: Pick<Catalog, 'get' | 'credential' | 'peek'>;
  readonly tokens: Pick<UserTokens, 'forServer' | 'isRefusedByFailing'>;
  readonly machineTokens: Pick<MachineTokens, 'get'>;
  readonly assertedTokens: AssertedTokens;
  readonly locals: Pick<LocalServerList, 'get'>;
  readonly checkUrl: Outbound['checkUrl'];
}): Targets {
  const { catalog, tokens, locals, checkUrl } = deps;

  const ofUser = async (
    { developerId, userId, keyId, account }: Caller & { readonly userId: string },
    serverId: string,
    url: string,
    refused?: number,
  ) => {
    const found: ServerToken = await tokens.forServer({
      owner: { developerId, userId },
      serverId,
      url,
      actor: keyActor({ keyId }),
      ...(account !== undefined && { account }),
      ...(refused === undefined ? {} : { refused }),
    });
    return found.kind === 'none' ? null : found;
  };

  const resolve = async (caller: Caller, serverId: string, refused?: number): Promise<FoundTarget> => {
    const record = await catalog.get(serverId);
    const location = locationOf(record, localOf(record));
    const own =
      location.url === null || !isOfUser(caller)
        ? null
        : await ofUser(caller, serverId, location.url, refused);
    // Never in somebody else's name instead: the user's consent is over, and only the user can mend that.
    if (own?.kind === 'expired')
      throw new UpstreamFailure('auth', "The user's consent with this server is over", { status: 401 });
    if (own !== null) return foundOfUser(checkUrl, { caller, record, location, token: own.token });
    if (isOfUser(caller)) requireNoSettings(record, location);
    const asserted = await foundByAssertion(caller, { record, location }, deps.assertedTokens.current);
    if (asserted !== null) return asserted;
    const credential = await catalog.credential(location.serverId);
    const ofOurs = await machineIdentity(deps, { caller, location, credential }, refused);
    if (ofOurs === null) return shared(caller, record, location, credential);
    const { identity, machineToken } = ofOurs;
    return { record, target: targetOf(caller, location, identity), own: null, machineToken };
  };
  const localOf = ({ source, id }: ServerRecord) => (source === 'config' ? locals.get(id) : undefined);
  /** Whoever operates this service speaks for those who have nothing of their own, where policy lets them. */
  const shared = (
    caller: Caller,
    record: ServerRecord,
    location: Location,
    credential: Credential,
  ): FoundTarget => {
    checkLocation(checkUrl, location);
    const local = localOf(record);
    const operators = local === undefined ? ofOperator(credential) : ofLocal(local);
    // A program's credentials are in its environment, whoever calls it.
    const goesWithout = caller.usesSharedCredential === false && location.program === null;
    const identity = goesWithout ? nobody : operators;
    return { record, target: targetOf(caller, location, identity), own: null };
  };
  /** Whom the company's provider vouches for needs no page. */
  const vouchedFor = (
    caller: Caller,
    { record, assertedVersion: refused }: FoundTarget,
    challenge: string | undefined,
  ) => {
    const location = locationOf(record, localOf(record));
    const get = (of: AssertedOf) => deps.assertedTokens.get({ ...of, challenge, refused });
    return foundByAssertion(caller, { record, location }, get);
  };
  const getCached = createFoundCache(deps, (caller, { record, credential }) =>
    shared(caller, record, locationOf(record, localOf(record)), credential),
  );

  return {
    find: (caller, serverId) =>
      (caller.userId === undefined ? getCached(caller, serverId) : undefined) ?? resolve(caller, serverId),
    isRefusedByFailing: async ({ own, target }) =>
      own !== null && target.url !== null && (await tokens.isRefusedByFailing(own, target.url)),
    async renewed(caller, found, challenge) {
      const version = versionOf(found);
      try {
        if (version === undefined) return await vouchedFor(caller, found, challenge);
        const again = await resolve(caller, found.record.id, version);
        const isOfSameKind = (again.own === null) === (found.own === null);
        return isOfSameKind && (versionOf(again) ?? 0) > version ? again : null;
      } catch (error) {
        if (error instanceof UpstreamFailure) return null;
        throw error;
      }
    },
  };
}

function locationOf(record: ServerRecord, local: LocalServer | undefined): Location {
  const { id: serverId, transport, remoteUrl, protocolRevision = null } = record;
  if (local === undefined)
    return { serverId, hint: transport, url: remoteUrl, program: null, revision: protocolRevision };
  const { url, program, revision } = local;
  return { serverId, hint: local.transport, url, program, revision };
}

/** Of the token that a call went with. */
function versionOf({ own, machineToken }: FoundTarget): number | undefined {
  return own?.version ?? machineToken?.version;
}

/** null: there is no such token. */
async function foundByAssertion(
  caller: Caller,
  { record, location }: { readonly record: ServerRecord; readonly location: Location },
  tokenOf: AssertedTokens['current'],
): Promise<FoundTarget | null> {
  if (!isOfUser(caller) || caller.account !== undefined || location.url === null) return null;
  const { developerId, userId } = caller;
  const token = await tokenOf({ owner: { developerId, userId }, serverId: record.id, url: location.url });
  if (token === null) return null;
  const credential = fixedCredential({ authorization: `Bearer ${token.accessToken}` });
  const identity = { credential, credentialVersion: `asserted:${token.version}` };
  return { record, target: targetOf(caller, location, identity), own: null, assertedVersion: token.version };
}

/** With a token that we get for ourselves, where the operator lets us and this caller; null: without. */
async function machineIdentity(
  { machineTokens, checkUrl }: { machineTokens: Pick<MachineTokens, 'get'>; checkUrl: Outbound['checkUrl'] },
  {
    caller,
    location,
    credential,
  }: { readonly caller: Caller; readonly location: Location; readonly credential: Credential },
  refused: number | undefined,
): Promise<{
  readonly identity: Identity;
  readonly machineToken: NonNullable<FoundTarget['machineToken']>;
} | null> {
  const { serverId, url } = location;
  if (credential?.machineLogin == null || url === null || caller.usesSharedCredential === false) return null;
  checkLocation(checkUrl, location);
  const of = { serverId, url, login: credential.machineLogin, loginVersion: credential.version };
  const token = await machineTokens.get(of, refused).catch(asUpstreamFailure);
  const machineToken = { version: token.version, login: credential.version };
  return { identity: identityOfMachine(credential, token), machineToken };
}

/** With what the user has of their own, where that says. */
function foundOfUser(
  checkUrl: Outbound['checkUrl'],
  {
    caller,
    record,
    location,
    token,
  }: {
    readonly caller: Caller;
    readonly record: ServerRecord;
    readonly location: Location;
    readonly token: FreshToken;
  },
): FoundTarget {
  const place = token.key === undefined ? location : { ...location, url: token.key.url };
  checkLocation(checkUrl, place);
  return { record, target: targetOf(caller, place, identityOf(token)), own: token };
}

/** Where a user has to say where the server is, theirs is what is missing. */
function requireNoSettings({ userCredentials }: ServerRecord, { url }: Location): void {
  if (userCredentials != null && url?.includes('{'))
    throw new UpstreamFailure('auth', "The server's URL has settings that its user fills in", {
      status: 401,
    });
}

/** What a developer without a user of its own was found for a server, for as long as nothing about it changes. */
function createFoundCache(
  {
    catalog,
    locals,
  }: { readonly catalog: Pick<Catalog, 'peek'>; readonly locals: Pick<LocalServerList, 'get'> },
  find: (
    caller: Caller,
    cached: { readonly record: ServerRecord; readonly credential: Credential },
  ) => FoundTarget,
): (caller: Caller, serverId: string) => FoundTarget | undefined {
  const cache = createBoundedCache<CacheEntry>(maxServers);
  return (caller, serverId) => {
    const cached = catalog.peek(serverId);
    if (cached === undefined) return undefined;
    const { record, credential } = cached;
    // Tokens of ours have an end.
    if (credential?.machineLogin != null) return undefined;
    const local = locals.get(serverId);
    let known = cache.get(serverId);
    if (known?.record !== record || known.credential !== credential || known.local !== local) {
      known = { record, local, credential, byDeveloper: createBoundedCache<FoundTarget>(maxDevelopers) };
      cache.set(serverId, known);
    }
    const { developerId, usesSharedCredential = true } = caller;
    const key = usesSharedCredential ? developerId : `${developerId}\nwithout`;
    let found = known.byDeveloper.get(key);
    if (found === undefined) {
      found = find(caller, cached);
      known.byDeveloper.set(key, found);
    }
    return found;
  };
}

function targetOf(caller: Caller, location: Location, identity: Identity): Target {
  const { serverId, hint, url, program, revision } = location;
  const { credential } = identity;
  // A server that is pinned to another revision is spoken to anew.
  const credentialVersion =
    revision === null ? identity.credentialVersion : `${identity.credentialVersion}@${revision}`;
  const principal = program?.isShared === true ? operatorId : principalOf(caller);
  const keyFor = (name: string) => keyOf({ serverId, url, principal: name, credentialVersion });
  return {
    key: keyFor(principal),
    ...(program === null ? {} : { spareKey: keyFor(operatorId) }),
    serverId,
    principal,
    developerId: program?.isShared === true ? operatorId : caller.developerId,
    revision,
    hint,
    url,
    program: program === null ? null : ofCaller(program, caller),
    credential,
    credentialVersion,
  };
}

/** A program with the placeholders for its caller filled in; names of users may be anything, and become part of paths. */
function ofCaller(program: Program, { developerId, userId }: Caller): Program {
  if (program.isOfCaller !== true) return program;
  const user = userId === undefined ? 'none' : sha256Hex(userId).slice(0, 32);
  const fill = (text: string) => fillInCaller(text, { developer: developerId, user });
  return {
    ...program,
    template: program,
    command: fill(program.command),
    args: program.args.map(fill),
    env: Object.fromEntries(Object.entries(program.env).map(([name, text]) => [name, fill(text)])),
    ...(program.cwd === undefined ? {} : { cwd: fill(program.cwd) }),
  };
}

/** Where there is nothing to call, or a URL that we do not speak to: the server's fault, and not its caller's. */
function checkLocation(checkUrl: Outbound['checkUrl'], { url, program }: Location): void {
  if (url === null) {
    if (program === null) throw new UpstreamFailure('refused', notCallable);
    return;
  }
  if (url.includes('{')) throw new UpstreamFailure('refused', "The server's URL has settings to fill in");
  try {
    checkUrl(url);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const why = error.detail.replace(/^url: /, '');
    throw new UpstreamFailure('refused', `The server's URL is not spoken to: ${why}`, { cause: error });
  }
}

/** Whatever differs here is never shared: sessions, continuations, answers kept for a repeated call. */
export function principalOf({ developerId, userId, account }: Caller): string {
  if (userId === undefined) return developerId;
  return JSON.stringify([developerId, userId, ...(account === undefined ? [] : [account])]);
}

function isOfUser(caller: Caller): caller is Caller & { readonly userId: string } {
  return caller.userId !== undefined;
}

const nobody: Identity = { credential: fixedCredential({}), credentialVersion: '' };

function ofLocal({ headers, credentialVersion }: LocalServer): Identity {
  return { credential: fixedCredential(headers), credentialVersion };
}

function ofOperator(own: Credential): Identity {
  if (own === null) return nobody;
  return { credential: fixedCredential(own.headers), credentialVersion: own.version };
}

/** In place of a field of the same name. */
function identityOfMachine({ headers, version }: NonNullable<Credential>, token: MachineToken): Identity {
  const fields = { ...headers, authorization: `Bearer ${token.accessToken}` };
  return { credential: fixedCredential(fields), credentialVersion: `${version}:${token.version}` };
}

function asUpstreamFailure(error: unknown): never {
  if (!(error instanceof Problem) || error.kind !== 'upstream_error') throw error;
  throw new UpstreamFailure('auth', error.detail, { cause: error });
}

function identityOf(token: TokenOf<ServerToken>): Identity {
  const { accessToken, connectionId, version, signDPoPProof, key } = token;
  const credentialVersion = `${connectionId}:${version}`;
  if (key !== undefined) return { credential: fixedCredential(key.headers), credentialVersion };
  if (signDPoPProof == null)
    return { credential: fixedCredential({ authorization: `Bearer ${accessToken}` }), credentialVersion };
  return { credential: boundCredential(accessToken, signDPoPProof), credentialVersion };
}

/** A token that is good only together with a proof for each request (RFC 9449 section 7). */
function boundCredential(accessToken: string, sign: SignDPoPProof): Target['credential'] {
  let nonce: string | null = null;
  return {
    fields: (method, url) => ({
      authorization: `DPoP ${accessToken}`,
      dpop: sign({ method, url, nonce }),
    }),
    onResponse(status, headers) {
      const given = headers['dpop-nonce'];
      if (typeof given !== 'string' || given === nonce || !/^[\x21-\x7e]{1,1000}$/.test(given)) return false;
      nonce = given;
      return status === 401;
    },
  };
}

type TokenOf<T> = T extends { readonly token: infer U } ? U : never;

export function parsed(catalog: Pick<Catalog, 'parse'>, row: Readonly<Record<string, unknown>>) {
  const found = catalog.parse(row);
  if (!found.ok) throw new Problem('setup', `${String(row.id)}: ${found.reason}`);
  return found.input;
}
