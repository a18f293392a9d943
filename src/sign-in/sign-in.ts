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
import { type Access, type Role, type Scope, scopes } from '../access/access.ts';
import type { Clock } from '../base/clock.ts';
import { urlAsAsked } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import { type AssertFor, type Connections, createOAuthFetch } from '../connections/connections.ts';
import type { Identity } from '../identity/identity.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { createClientDocuments } from './clients/client-documents.ts';
import { createMachineClients, type MachineClients } from './clients/machine-clients.ts';
import { byRegisteredName, readRegistration } from './clients/registration.ts';
import { createCompanyAccounts } from './company/company-accounts.ts';
import { createCompanyAssertions } from './company/company-assertions.ts';
import { createIdentityProvider } from './company/identity-provider.ts';
import { type CompanyConfig, roleOf } from './company/person.ts';
import { browserCookie, type OAuthCall, type OAuthReply, plainRequest } from './oauth-request.ts';
import { canonicalPath, grantTypes, resourceMetadata, serverMetadata } from './resources.ts';
import type { RedeemAssertion } from './server/assertion-grant.ts';
import type { PageFault, RequestNotes } from './server/authorization-server.ts';
import type { createCompanySignIn } from './server/company-sign-in.ts';
import type { createConsent } from './server/consent.ts';
import { type AccountRow, SignInStore, topic } from './sign-in-store.ts';
import { createAccessTokens, type Holder, type SignedIn } from './tokens/access-tokens.ts';
import { createRefreshGrace } from './tokens/refresh-grace.ts';

export type { MachineClient } from './clients/machine-clients.ts';
export type { CompanyConfig } from './company/person.ts';
export { isDoor } from './resources.ts';
export type { PageFault } from './server/authorization-server.ts';
export type { Asked } from './server/consent.ts';
export { accountSeals } from './sign-in-store.ts';

/** `page`: what a person has to be told in place of a reply. */
export type OAuthAnswer = OAuthReply | { readonly kind: 'page'; readonly fault: PageFault };

export type SignIn = {
  /** Answers one request to `/authorize`, `/token`, `/register`, `/revoke` or `/introspect`. Throws `rate_limited`. */
  answer(call: OAuthCall): Promise<OAuthAnswer>;
  /** The page that asks a person. */
  consent(): Promise<ReturnType<typeof createConsent>>;
  /** The company's provider, where people sign in there; null: they sign in with keys. */
  readonly company: {
    /** Its host. */
    readonly name: string;
    /** Whose users its people are. */
    readonly developer: string;
    pages(): Promise<CompanyPages>;
    /** Throws `invalid_request`. */
    logOut(logoutToken: string): Promise<void>;
  } | null;
  /** The company's word for one of its people; null: there is none. */
  readonly assertFor: AssertFor;
  /** Programs that sign themselves in. */
  readonly machines: Pick<MachineClients, 'add' | 'list' | 'remove'>;
  /** A person in the console, by their account or by `session` of the way back from the company. Throws `invalid_api_key` for who may not in. */
  person(accountId: string): Promise<SignedIn>;
  /** The session of the way back from the company is over, in whichever browser it is. */
  endSession(session: string): Promise<void>;
  /** Throws `invalid_api_key` where the account may nothing any more: for who has waited long. */
  requireAccount(id: string): Promise<void>;
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
  readonly identity: Pick<Identity, 'ensureUser' | 'verifyAssertion'>;
  /** To the company's provider. */
  readonly outbound: Outbound;
  /** Where clients' documents come by: any stranger names their address, so it trusts no host that stands in a file or a setting. */
  readonly documentOutbound: Pick<Outbound, 'request' | 'checkUrl'>;
  readonly vault: Vault;
  readonly tickets: Vault['sealedTokens'];
  readonly log: Log;
  readonly parametersOf: Connections['parametersOf'];
  /** null: people sign in with keys. */
  readonly company: CompanyConfig | null;
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
  const company = openCompany(deps, store);
  const holderOf = createHolders(access, company?.accounts);
  const holderById = async (named: string): Promise<Holder & { readonly userId: string | null }> => {
    const [id = '', session] = named.split('@', 2);
    const account = await store.account(id);
    if (account === undefined || account.ended_at !== null) throw noAccount();
    if (session !== undefined && !(await store.hasSignIn(session, id))) throw noAccount();
    return { ...(await holderOf(account)), userId: account.user_id };
  };
  const person: SignIn['person'] = async (id) => {
    const { principal, groups, userId } = await holderById(id);
    const { developerId, keyId } = principal;
    const role = company === null ? undefined : roleOf(company.config, groups);
    if (role === undefined) throw noAccount();
    const user = userId === null ? null : { userId, developerId, tokenId: keyId, sessionId: keyId, keyId };
    return { caller: { ...principal, groups, role, scopes: new Set(scopesOf(role)) }, user };
  };
  const tokens = createAccessTokens({ store, clock, holderOf });
  storage.subscribe('keys', tokens.invalidate);
  storage.subscribe(topic, tokens.invalidate);
  const checkUrl = (url: string) => deps.documentOutbound.checkUrl(url, { host: true });
  const machines = createMachineClients({ store, access, checkUrl });
  const takesAssertions = company?.config.takesAssertions === true;
  const servedGrants = grantTypes(takesAssertions);
  const open = createOpening(deps, { store, holderOf, company, person, machines, servedGrants });
  const grace = createRefreshGrace({ store, clock, tickets });

  return {
    async answer(asked) {
      access.limitAddress('sign-in', asked.address, perMinute);
      const [path = ''] = asked.target.split('?', 1);
      const read =
        path === '/register' ? await readRegistration(store, asked, servedGrants) : { call: asked };
      if ('refused' in read) return read.refused;
      const { call } = read;
      const { listener } = await open();
      const notes: RequestNotes = { address: call.address };
      const request = { ...plainRequest(call, publicUrl(), cookieNames), notes };
      const isSecure = publicUrl().startsWith('https:');
      const run = async () => toReply(await deps.runListener(listener, request), isSecure);
      const sent = path === '/token' ? refreshIn(call, request.body) : null;
      const reply = sent === null ? await run() : await grace(sent, run);
      if (notes.fault !== undefined) return { kind: 'page', fault: notes.fault };
      return path === '/register' ? reply : byRegisteredName(reply);
    },
    consent: async () => (await open()).consent,
    company:
      company === null
        ? null
        : {
            name: company.name,
            developer: company.config.developer,
            pages: async () => (await open()).companyPages as CompanyPages,
            logOut: company.assertions.logOut,
          },
    machines,
    assertFor: async (owner, wanted) => (await company?.accounts.assertFor(owner, wanted)) ?? null,
    person,
    endSession: (named) => store.endSignIn(named.split('@', 2)[1] ?? ''),
    requireAccount: async (id) => void (await holderById(id)),
    verify: (token, path) => tokens.verify(token, path, publicUrl()),
    serverMetadata: () => serverMetadata(publicUrl(), takesAssertions),
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

/** What handlers look at beside the role. */
function scopesOf(role: Role): readonly Scope[] {
  if (role === 'viewer') return ['search'];
  return role === 'developer' ? ['search', 'mcp', 'invocations'] : scopes;
}

type CompanyPages = ReturnType<typeof createCompanySignIn>;

function openCompany({ company: config, ...deps }: SignInDeps, store: SignInStore) {
  if (config === null) return null;
  const provider = createIdentityProvider(config, createOAuthFetch(deps), deps.parametersOf, deps.clock);
  const accounts = createCompanyAccounts({ ...deps, config, provider, store });
  const assertions = createCompanyAssertions({ ...deps, config, provider, store });
  return { config, name: new URL(config.issuer).host, provider, accounts, assertions };
}
type Company = NonNullable<ReturnType<typeof openCompany>>;
type HolderOfAccount = (account: AccountRow, how?: { readonly strict: boolean }) => Promise<Holder>;

/** By a key, or by what the company's provider says. */
function createHolders(access: Access, accounts: Company['accounts'] | undefined): HolderOfAccount {
  return async (account, how) => {
    if (account.key_id !== null) {
      const holder = await access.holder(account.key_id);
      return { ...holder, groups: [], askAgainAt: Number.POSITIVE_INFINITY };
    }
    if (accounts === undefined) throw noAccount();
    return accounts.holderOf(account, how);
  };
}

function noAccount(): Problem {
  return new Problem('invalid_api_key', 'This account may not sign in any more');
}

/** The library and what is made over it: opened once, by whoever comes first. */
function createOpening(
  deps: SignInDeps,
  {
    store,
    holderOf,
    company,
    person,
    machines,
    servedGrants,
  }: {
    readonly store: SignInStore;
    readonly holderOf: HolderOfAccount;
    readonly company: Company | null;
    readonly person: SignIn['person'];
    readonly machines: MachineClients;
    readonly servedGrants: readonly string[];
  },
) {
  const { access, clock, documentOutbound, tickets, publicUrl, onError } = deps;
  /** Asked at each refresh: then the company's provider has to say so itself. */
  const isAlive = async (accountId: string) => {
    const account = await store.account(accountId);
    if (account === undefined || account.ended_at !== null) return false;
    return holderOf(account, { strict: true }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Problem && error.kind === 'invalid_api_key') return false;
        throw error;
      },
    );
  };
  const load = async () => {
    const [{ createAuthorizationServer }, { createConsent }, { createCompanySignIn }] = await Promise.all([
      import('./server/authorization-server.ts'),
      import('./server/consent.ts'),
      import('./server/company-sign-in.ts'),
    ]);
    const fetchDocument = createClientDocuments({ outbound: documentOutbound, clock, access, servedGrants });
    const issuer = publicUrl();
    const redeem: RedeemAssertion | null =
      company?.config.takesAssertions === true
        ? (assertion, clientId, check) =>
            company.assertions.redeem(assertion, { clientId, audience: issuer, check })
        : null;
    const machineAccount = machines.accountOf;
    const server = { issuer, store, clock, tickets, fetchDocument, isAlive, onError, redeem, machineAccount };
    const provider = await createAuthorizationServer(server);
    const consent = createConsent({ ...deps, store, provider: async () => provider });
    const companyPages =
      company === null
        ? null
        : createCompanySignIn({ ...company, consent, store, person, tickets, publicUrl });
    return { listener: provider.callback(), consent, companyPages };
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

function toReply({ status, headers, body }: Omit<OAuthReply, 'kind'>, isSecure: boolean): OAuthReply {
  const kept = Object.entries(headers).filter(([name]) => passedBack.includes(name));
  const { 'set-cookie': cookies, ...rest } = Object.fromEntries(kept);
  // Nobody stays signed in here: of the library's cookies only those of this one request are set.
  const set = [cookies ?? []].flat().flatMap((line) => browserCookie(line, cookieNames, isSecure) ?? []);
  const isRedirect = status >= 300 && status < 400;
  return {
    kind: 'reply',
    status,
    headers: { 'cache-control': 'no-store', ...rest, ...(set.length > 0 && { 'set-cookie': set }) },
    body: isRedirect ? Buffer.alloc(0) : body,
  };
}
