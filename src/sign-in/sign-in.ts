/**
 * We as an authorization server for our own doors of MCP: any client without a key, a person with one.
 *
 * Promises: what a person agreed to on our page is one client, one account and the resources named there; a token of one resource
 * is good at no other; a revoked key, user, grant or token is dead here at once and elsewhere within a second, open streams
 * included; codes, tokens and secrets rest as digests. OAuth itself is node-oidc-provider's, loaded with the first request to
 * it; checking a token needs nothing of it. Client documents come through the address guard.
 * When the store is down, tokens seen within the last minute go on working; everything else is `unavailable`. A client whose
 * document cannot be read is refused in words.
 */
import type Provider from 'oidc-provider';
import type { Access } from '../access/access.ts';
import type { Clock } from '../base/clock.ts';
import { urlAsAsked } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import type { Identity } from '../identity/identity.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';
import type { Vault } from '../vault/vault.ts';
import { createClientDocuments } from './clients/client-documents.ts';
import { readRegistration, withoutMetadataFaults } from './clients/registration.ts';
import { type OAuthCall, type OAuthReply, plainRequest } from './oauth-request.ts';
import { canonicalPath, resourceMetadata, serverMetadata } from './resources.ts';
import type { PageFault, RequestNotes } from './server/authorization-server.ts';
import type { createConsent } from './server/consent.ts';
import { type AccountRow, SignInStore, topic } from './sign-in-store.ts';
import { createAccessTokens, type SignedIn } from './tokens/access-tokens.ts';
import { createRefreshGrace } from './tokens/refresh-grace.ts';

export { isDoor } from './resources.ts';
export type { PageFault } from './server/authorization-server.ts';
export type { Asked } from './server/consent.ts';

/** `page`: what a person has to be told in place of a reply. */
export type OAuthAnswer = OAuthReply | { readonly kind: 'page'; readonly fault: PageFault };

export type SignIn = {
  /** Answers one request to `/authorize`, `/token`, `/register`, `/revoke` or `/introspect`. Throws `rate_limited`. */
  answer(call: OAuthCall): Promise<OAuthAnswer>;
  /** The page that asks a person. */
  consent(): Promise<ReturnType<typeof createConsent>>;
  /** Who stands behind an access token at this path. Throws `unauthorized_token`. */
  verify(token: string, path: string): Promise<SignedIn>;
  serverMetadata(): ReturnType<typeof serverMetadata>;
  /** null: there is no resource at that path. */
  resourceMetadata(path: string, host: string | undefined): ReturnType<typeof resourceMetadata> | null;
  /** Every token of that user is dead; `wholly`: nothing of them stays. */
  endUser(owner: { developerId: string; userId: string }, wholly: boolean): Promise<void>;
  /** Drops what is over, for one process at a time. */
  runMaintenance(): Promise<void>;
};

/** Runs a library made for Node's own server; `http/` has it. */
type RunListener = (
  listener: ReturnType<Provider['callback']>,
  request: ReturnType<typeof plainRequest> & { readonly notes: object },
) => Promise<Omit<OAuthReply, 'kind'>>;

export type SignInDeps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly access: Access;
  readonly identity: Pick<Identity, 'ensureUser'>;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly tickets: Vault['sealedTokens'];
  readonly publicUrl: () => string;
  readonly runListener: RunListener;
  readonly onError: (error: unknown) => void;
};

/** What one address may ask of us. */
const perMinute = 300;
const cookieNames = ['mcprank-sign-in', 'mcprank-sign-in-resume'];
const passedBack = ['location', 'content-type', 'cache-control', 'www-authenticate', 'set-cookie'];

export function createSignIn(deps: SignInDeps): SignIn {
  const { storage, clock, access, tickets, publicUrl } = deps;
  const store = new SignInStore(storage, clock);
  const holderOf = async (account: AccountRow) => {
    if (account.key_id === null) throw new Problem('invalid_api_key', 'No such account');
    return access.holder(account.key_id);
  };
  const tokens = createAccessTokens({ store, clock, holderOf });
  storage.subscribe('keys', tokens.invalidate);
  storage.subscribe(topic, tokens.invalidate);
  const open = createOpening(deps, store, holderOf);
  const grace = createRefreshGrace({ store, clock, tickets });

  return {
    async answer(asked) {
      access.limitAddress('sign-in', asked.address, perMinute);
      const [path = ''] = asked.target.split('?', 1);
      const read = path === '/register' ? await readRegistration(store, asked) : { call: asked };
      if ('refused' in read) return read.refused;
      const { call } = read;
      const { listener } = await open();
      const notes: RequestNotes = { address: call.address };
      const request = { ...plainRequest(call, publicUrl(), cookieNames), notes };
      const run = async () => toReply(await deps.runListener(listener, request));
      const sent = path === '/token' ? refreshIn(call, request.body) : null;
      const reply = sent === null ? await run() : await grace(sent, run);
      if (notes.fault !== undefined) return { kind: 'page', fault: notes.fault };
      return path === '/register' ? reply : withoutMetadataFaults(reply);
    },
    consent: async () => (await open()).consent,
    verify: (token, path) => tokens.verify(token, path, publicUrl()),
    serverMetadata: () => serverMetadata(publicUrl()),
    resourceMetadata(path, host) {
      const canonical = canonicalPath(path);
      if (canonical === null) return null;
      return resourceMetadata(`${urlAsAsked(publicUrl(), host)}${path}`, publicUrl());
    },
    async endUser({ developerId, userId }, wholly) {
      await store.endAccounts(await store.accountsOf(developerId, userId), { wholly });
    },
    runMaintenance: () => store.prune(),
  };
}

/** The library and what is made over it: opened once, by whoever comes first. */
function createOpening(
  deps: SignInDeps,
  store: SignInStore,
  holderOf: (account: AccountRow) => Promise<unknown>,
) {
  const { storage, clock, access, identity, outbound, tickets, publicUrl, onError } = deps;
  const isAlive = async (accountId: string) => {
    const account = await store.account(accountId);
    if (account === undefined || account.ended_at !== null) return false;
    return holderOf(account).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Problem && error.kind === 'invalid_api_key') return false;
        throw error;
      },
    );
  };
  const load = async () => {
    const [{ createAuthorizationServer }, consents] = await Promise.all([
      import('./server/authorization-server.ts'),
      import('./server/consent.ts'),
    ]);
    const fetch = createClientDocuments(outbound, clock);
    const server = { issuer: publicUrl(), store, clock, tickets, fetch, isAlive, onError };
    const provider = await createAuthorizationServer(server);
    const consent = consents.createConsent({
      provider: async () => provider,
      store,
      storage,
      access,
      identity,
    });
    return { listener: provider.callback(), consent };
  };
  let opened: ReturnType<typeof load> | undefined;
  return () => {
    opened ??= load().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}

/** What makes two refreshes the same; null for another grant, and for a client whose proof is another one each time. */
function refreshIn({ headers }: OAuthCall, body: Buffer | undefined): readonly string[] | null {
  const params = new URLSearchParams(body?.toString() ?? '');
  if (params.get('grant_type') !== 'refresh_token' || params.has('client_assertion')) return null;
  params.sort();
  return [params.toString(), String(headers.authorization ?? '')];
}

function toReply({ status, headers, body }: Omit<OAuthReply, 'kind'>): OAuthReply {
  const kept = Object.entries(headers).filter(([name]) => passedBack.includes(name));
  const { 'set-cookie': cookies, ...rest } = Object.fromEntries(kept);
  // Nobody stays signed in here: of the library's cookies only those of this one request are set.
  const set = [cookies ?? []]
    .flat()
    .filter((each) => cookieNames.some((name) => each.startsWith(`${name}=`)));
  const isRedirect = status >= 300 && status < 400;
  return {
    kind: 'reply',
    status,
    headers: { 'cache-control': 'no-store', ...rest, ...(set.length > 0 && { 'set-cookie': set }) },
    body: isRedirect ? Buffer.alloc(0) : body,
  };
}
