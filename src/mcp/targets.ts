import { Problem } from '../base/problem.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import type { Connections } from '../connections/connections.ts';
import type { LocalServer } from './local.ts';
import { type Caller, type Credential, fixedCredential, type Target, UpstreamFailure } from './model.ts';

/** Where a call goes, and in whose name. */
export type Found = {
  readonly record: ServerRecord;
  readonly target: Target;
  /** The user's own token that it goes with; null: the operator's header fields, or none. */
  readonly own: { readonly version: number; readonly connectionId: string } | null;
};

export type Targets = {
  /** Throws not_found, server_gone, and UpstreamFailure when there is nothing to call or the user's consent is over. */
  find(caller: Caller, serverId: string): Promise<Found>;
  /** The server refused the user's token: with a newer one, when there is one to be had. */
  renewed(caller: Caller, found: Found): Promise<Found | null>;
};

type ServerToken = Awaited<ReturnType<Connections['servers']['token']>>;
type Identity = Pick<Target, 'credential' | 'credentialVersion'>;

export const notHere =
  "The server runs on its user's own machine (stdio): start mcprank with it in --mcp-config to call it";

export function createTargets(deps: {
  readonly catalog: Pick<Catalog, 'get' | 'credential'>;
  readonly servers: Pick<Connections['servers'], 'token'>;
  readonly locals: ReadonlyMap<string, LocalServer>;
}): Targets {
  const { catalog, servers, locals } = deps;

  const ofUser = async (
    { developerId, userId, keyId }: Caller & { readonly userId: string },
    serverId: string,
    url: string,
    refused?: number,
  ) => {
    const found: ServerToken = await servers.token({
      owner: { developerId, userId },
      serverId,
      url,
      actor: `key:${keyId}`,
      ...(refused === undefined ? {} : { refused }),
    });
    return found.kind === 'none' ? null : found;
  };

  const look = async (caller: Caller, serverId: string, refused?: number): Promise<Found> => {
    const record = await catalog.get(serverId);
    const local = record.source === 'config' ? locals.get(serverId) : undefined;
    const url = local === undefined ? record.remoteUrl : local.url;
    if (url === null && local?.program == null) throw new UpstreamFailure('refused', notHere);
    if (url?.includes('{')) throw new UpstreamFailure('refused', "The server's URL has settings to fill in");
    const own = url === null || !isOfUser(caller) ? null : await ofUser(caller, serverId, url, refused);
    // Never in somebody else's name instead: the user's consent is over, and only the user can mend that.
    if (own?.kind === 'over')
      throw new UpstreamFailure('auth', "The user's consent with this server is over", { status: 401 });
    // Whoever operates this service speaks for all who have nothing of their own.
    const identity =
      own !== null
        ? identityOf(own.token)
        : local
          ? ofLocal(local)
          : ofOperator(await catalog.credential(serverId));
    const target: Target = {
      serverId: record.id,
      principal: principalOf(caller),
      hint: local?.transport ?? record.transport,
      url,
      program: local?.program ?? null,
      credential: identity.credential,
      credentialVersion: identity.credentialVersion,
    };
    if (own === null) return { record, target, own };
    const { version, connectionId } = own.token;
    return { record, target, own: { version, connectionId } };
  };

  return {
    find: (caller, serverId) => look(caller, serverId),
    async renewed(caller, { record, own }) {
      if (own === null) return null;
      try {
        const found = await look(caller, record.id, own.version);
        return found.own !== null && found.own.version > own.version ? found : null;
      } catch (error) {
        if (error instanceof UpstreamFailure) return null;
        throw error;
      }
    },
  };
}

/** Whatever differs here is never shared: sessions, continuations, answers kept for a repeated call. */
export function principalOf({ developerId, userId }: Caller): string {
  return userId === undefined ? developerId : JSON.stringify([developerId, userId]);
}

function isOfUser(caller: Caller): caller is Caller & { readonly userId: string } {
  return caller.userId !== undefined;
}

const nobody: Identity = { credential: fixedCredential({}), credentialVersion: '' };

function ofLocal({ headers, credentialVersion }: LocalServer): Identity {
  return { credential: fixedCredential(headers), credentialVersion };
}

function ofOperator(own: Awaited<ReturnType<Catalog['credential']>>): Identity {
  if (own === null) return nobody;
  return { credential: fixedCredential(own.headers), credentialVersion: own.version };
}

function identityOf({ accessToken, connectionId, version, prover }: TokenOf<ServerToken>): Identity {
  const credentialVersion = `${connectionId}:${version}`;
  if (prover == null)
    return { credential: fixedCredential({ authorization: `Bearer ${accessToken}` }), credentialVersion };
  return { credential: boundCredential(accessToken, prover), credentialVersion };
}

/** A token that is good only together with a proof for each request (RFC 9449 section 7). */
function boundCredential(accessToken: string, prove: Prove): Credential {
  let nonce: string | null = null;
  return {
    fields: (method, url) => ({
      authorization: `DPoP ${accessToken}`,
      dpop: prove({ method, url, nonce }),
    }),
    heard(status, headers) {
      const given = headers['dpop-nonce'];
      if (typeof given !== 'string' || given === nonce || !/^[\x21-\x7e]{1,1000}$/.test(given)) return false;
      nonce = given;
      return status === 401;
    },
  };
}

type TokenOf<T> = T extends { readonly token: infer U } ? U : never;
type Prove = NonNullable<TokenOf<ServerToken>['prover']>;

export function parsed(catalog: Pick<Catalog, 'parse'>, row: Readonly<Record<string, unknown>>) {
  const found = catalog.parse(row);
  if (!found.ok) throw new Problem('setup', `${String(row.id)}: ${found.reason}`);
  return found.input;
}
