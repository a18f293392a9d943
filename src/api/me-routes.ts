import { Type } from 'typebox';
import type { Access, Principal } from '../access/access.ts';
import { sha256Hex } from '../base/id.ts';
import { isAmong } from '../base/ip-networks.ts';
import type { HostCheck } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import type { Connection, Connections, Owner } from '../connections/connections.ts';
import { type Call, type Reply, type Route, route } from '../http/route.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import type { Vault } from '../vault/vault.ts';
import { strict } from './field-schemas.ts';
import { connectionsPage, meSignInPage, type ShownConnection } from './me-pages.ts';
import { faultPages, onwards, page, pageRefusal, redirectTo } from './page-answers.ts';

export type MeDeps = {
  readonly signIn: Pick<SignIn, 'company' | 'requireAccount' | 'endSession'>;
  readonly access: Pick<Access, 'authenticate' | 'holder'>;
  readonly connections: Pick<Connections, 'admin' | 'sessions' | 'titleOf'>;
  /** When each was used last, by the connection's id, and by `server:` and the server's id. */
  readonly lastUses: (owner: Owner) => Promise<ReadonlyMap<string, number>>;
  readonly tickets: Vault['sealedTokens'];
  readonly publicUrl: () => string;
  readonly checkHost: HostCheck;
  /** Writes the sign-in into the audit trail. */
  readonly note: (me: Pick<Me, 'keyId' | 'developerId' | 'userId'>) => Promise<void>;
};

/** Whose page it is, sealed in this browser's cookie: nothing of it is stored. */
export type Me = Owner & {
  readonly keyId: string;
  /** Of a person of the company: their account, and since when it is good. */
  readonly session?: string;
  readonly appName: string;
};
/** What a browser shows of itself, and where it is. */
type Shown = Pick<Call<unknown, unknown, unknown>, 'headers' | 'address'>;
type Headers = Shown['headers'];

const lifeSeconds = 3_600;
const purpose = 'me';
const maxShown = 200;
const faults = faultPages(400, 401, 403, 404, 409, 429, 502, 503);
const csrf = Type.String({ maxLength: 64 });

/** The user's own page: what is connected for them, where it was used last, disconnect, add an account. */
export function meRoutes(deps: MeDeps): Route[] {
  return [...meSessionRoutes(deps), ...meConnectionRoutes(deps)];
}

function meSessionRoutes(deps: MeDeps): Route[] {
  const { signIn, checkHost } = deps;
  const company = signIn.company?.name ?? null;
  const shared = {
    scope: null,
    reply: null,
    refusal: pageRefusal,
    otherReplies: [{ ...page, status: 200 }, onwards, ...faults],
  };
  return [
    route({
      ...shared,
      method: 'GET',
      url: '/me',
      summary: "The user's own page: what is connected, and where it was used last",
      handle: async ({ headers, address }) => {
        checkHost(headers);
        const found = await find(deps, { headers, address });
        return found === null ? meSignInPage(company) : show(deps, found);
      },
    }),
    route({
      ...shared,
      method: 'POST',
      url: '/me/sign-in',
      summary: 'To it with a key and a user, where there is no provider of a company',
      form: true,
      body: Type.Object(
        { key: Type.String({ maxLength: 200 }), user_id: Type.String({ maxLength: 256 }) },
        strict,
      ),
      handle: async ({ body, headers, address }) => {
        checkHost(headers);
        if (company !== null) throw new Problem('not_found', 'Sign in at your company');
        refuseForeign(headers);
        return signInWithKey(deps, { key: body.key.trim(), userId: body.user_id.trim(), address }).catch(
          (error: unknown) => {
            if (!(error instanceof Problem) || !correctable.has(error.kind)) throw error;
            return meSignInPage(company, { status: 403, detail: error.detail });
          },
        );
      },
    }),
    route({
      ...shared,
      method: 'POST',
      url: '/me/sign-out',
      summary: 'Out of it',
      form: true,
      body: Type.Object({ csrf }, strict),
      handle: async ({ body, headers, address }) => {
        checkHost(headers);
        const me = await requireOwn(deps, { headers, address }, body.csrf);
        if (me.session !== undefined) await signIn.endSession(me.session);
        return redirectTo('/me', cookieFor('', 0, deps.publicUrl()));
      },
    }),
  ];
}

/**
 * Else a page of elsewhere signs its visitor in as a user of its own, who then has what the visitor connects (threats F8). Our
 * pages send no Origin: they tell nobody where somebody comes from.
 */
function refuseForeign({ 'sec-fetch-site': site = 'same-origin' }: Headers): void {
  if (site !== 'same-origin' && site !== 'none')
    throw new Problem('cross_site', 'Another page sent you here: open /me yourself to sign in');
}

const correctable = new Set(['invalid_api_key', 'missing_scope']);

/** Whoever holds an app's key sees what it sees: what is connected for its users. */
async function signInWithKey(
  deps: MeDeps,
  { key, userId, address }: { readonly key: string; readonly userId: string; readonly address: string },
): Promise<Reply> {
  const holder = await deps.access.authenticate(key, address);
  requireMayBe(holder, address);
  const { developerId, keyId, developer: appName } = holder;
  const me: Me = { developerId, keyId, appName, userId };
  await deps.note(me);
  return redirectTo('/me', createMeCookie(deps)(me));
}

function meConnectionRoutes(deps: MeDeps): Route[] {
  const { connections, checkHost } = deps;
  const shared = {
    method: 'POST',
    scope: null,
    status: 303,
    form: true,
    reply: null,
    refusal: pageRefusal,
    otherReplies: [onwards, ...faults],
  } as const;
  return [
    route({
      ...shared,
      url: '/me/disconnect',
      summary: "Disconnects one of one's own",
      body: Type.Object({ csrf, id: Type.String({ maxLength: 100 }) }, strict),
      handle: async ({ body, headers, address }) => {
        checkHost(headers);
        const me = await requireOwn(deps, { headers, address }, body.csrf);
        const own = await ownConnections(deps, me);
        if (!own.some(({ id }) => id === body.id)) throw new Problem('not_found', 'Connection not found');
        await connections.admin.disconnect(body.id, 'user');
        return redirectTo('/me');
      },
    }),
    route({
      ...shared,
      url: '/me/connect',
      summary: 'On to the consent: another account, or the same one again',
      body: Type.Object(
        {
          csrf,
          provider: Type.Optional(Type.String({ maxLength: 32 })),
          server_id: Type.Optional(Type.String({ maxLength: 200 })),
          account: Type.Optional(Type.String({ maxLength: 100 })),
        },
        strict,
      ),
      handle: async ({ body, headers, address }) => {
        checkHost(headers);
        const me = await requireOwn(deps, { headers, address }, body.csrf);
        const { provider, server_id: serverId, account = '' } = body;
        // Only what is connected already: what there is beside it is for the app to offer.
        const own = await ownConnections(deps, me);
        const target = own.find((each) =>
          serverId === undefined ? each.provider === provider : each.serverId === serverId,
        );
        if (target === undefined) throw new Problem('not_found', 'Nothing of that is connected');
        const { authUrl } = await connections.sessions.open({
          owner: me,
          keyId: me.keyId,
          appName: me.appName,
          target: target.serverId === null ? { provider: target.provider } : { serverId: target.serverId },
          ...(account !== '' && { account }),
        });
        return redirectTo(authUrl);
      },
    }),
  ];
}

/** The Set-Cookie line of somebody who is known now. */
export function createMeCookie({ tickets, publicUrl }: Pick<MeDeps, 'tickets' | 'publicUrl'>) {
  return (me: Me): string =>
    cookieFor(tickets.seal(JSON.stringify(me), purpose, lifeSeconds * 1_000), lifeSeconds, publicUrl());
}

async function show(deps: MeDeps, { me, ticket }: Found): Promise<Reply> {
  const [own, uses] = await Promise.all([ownConnections(deps, me), deps.lastUses(me)]);
  const connections = own.map((connection): ShownConnection => {
    const { id, serverId } = connection;
    const usedAt = uses.get(serverId === null ? id : `server:${serverId}`) ?? uses.get(id) ?? null;
    return { connection, usedAt, title: deps.connections.titleOf(connection) };
  });
  // The form leads to our own consent page, and nowhere else.
  return connectionsPage({ user: me.userId, connections, csrf: csrfOf(ticket), formTo: "'self'" });
}

function ownConnections(
  { connections }: MeDeps,
  { developerId, userId }: Owner,
): Promise<readonly Connection[]> {
  return connections.admin.list({ developerId, userId, limit: maxShown });
}

type Found = { readonly me: Me; readonly ticket: string };

/** null: nobody, or the key or account behind it is over, or may not do this any more, or not from there. */
async function find(deps: MeDeps, { headers, address }: Shown): Promise<Found | null> {
  const { tickets, publicUrl } = deps;
  const start = `${cookieName(publicUrl())}=`;
  const found = (headers.cookie ?? '').split(/; */).filter((each) => each.startsWith(start));
  // Two of one name: one of them is not ours.
  const ticket = found.length === 1 ? (found[0]?.slice(start.length) ?? '') : '';
  const text = tickets.open(ticket, purpose);
  if (text === null) return null;
  const me = JSON.parse(text) as Me;
  try {
    if (me.session !== undefined) await deps.signIn.requireAccount(me.session);
    else requireMayBe((await deps.access.holder(me.keyId)).principal, address);
    return { me, ticket };
  } catch (error) {
    if (error instanceof Problem && correctable.has(error.kind)) return null;
    throw error;
  }
}

/** The form of our own page (threats F8). */
async function requireOwn(deps: MeDeps, shown: Shown, sent: string): Promise<Me> {
  const found = await find(deps, shown);
  if (found === null || csrfOf(found.ticket) !== sent)
    throw new Problem('invalid_request', 'This page is over: open it again.');
  return found.me;
}

function csrfOf(ticket: string): string {
  return sha256Hex(`me csrf\n${ticket}`);
}

function cookieName(publicUrl: string): string {
  return publicUrl.startsWith('https:') ? '__Host-mcprank-me' : 'mcprank-me';
}

function cookieFor(ticket: string, seconds: number, publicUrl: string): string {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  return `${cookieName(publicUrl)}=${ticket}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`;
}

function requireMayBe({ addresses, scopes }: Pick<Principal, 'addresses' | 'scopes'>, address: string): void {
  // From elsewhere a key is no key (threats L2).
  if (addresses !== null && !isAmong(address, addresses))
    throw new Problem('invalid_api_key', 'Missing or invalid API key');
  if (!scopes.has('identity')) throw new Problem('missing_scope', 'This key lacks the scope identity');
}
