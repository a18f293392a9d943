import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Grants } from '../grants/grants.ts';
import type { FreshToken, OpenedSession, Owner, SessionRequest } from '../model.ts';
import type { ServerTargets } from '../sessions/sessions.ts';
import type { Clients } from './clients.ts';
import { type Discovery, DiscoveryRefusal, withOffline } from './discovery.ts';
import type { Holding, Holdings } from './holdings.ts';
import { covers, providerOfServer } from './resource.ts';

/** An MCP server as the catalogue (or the operator's own file) has it. */
export type KnownServer = { readonly id: string; readonly name: string; readonly url: string | null };

/** What a user has for one MCP server. */
export type ServerToken =
  | { readonly kind: 'none' }
  /** There was something, and it is no good any more: the user has to connect again. */
  | { readonly kind: 'over' }
  | { readonly kind: 'token'; readonly token: FreshToken };

/** How a user stands with a server, as far as is known without asking it. */
export type ServerStanding = 'ready' | 'needs_auth' | 'needs_scope';

export type StepUp =
  | { readonly kind: 'session'; readonly session: OpenedSession }
  /** More consent would not help, or was asked for often enough. */
  | { readonly kind: 'useless' };

export type Servers = ServerTargets & {
  token(request: TokenOfServer): Promise<ServerToken>;
  standings(owner: Owner): Promise<(serverId: string) => ServerStanding | undefined>;
  /** A session for a call that was refused; the same one for those that come soon after. null: the server does not do OAuth. */
  invite(request: Invitation): Promise<OpenedSession | null>;
  /** The same for a server that wants more than was consented to: for all of it together (threats N6). */
  stepUp(
    request: Invitation & { readonly operation: string; readonly scopes: readonly string[] },
  ): Promise<StepUp>;
};

export type TokenOfServer = {
  readonly owner: Owner;
  readonly serverId: string;
  /** Where it would be sent. */
  readonly url: string;
  /** The server answered 401 to the token of this version. */
  readonly refused?: number;
  readonly actor: string;
};

export type Invitation = {
  readonly owner: Owner;
  readonly keyId: string;
  readonly appName: string;
  readonly serverId: string;
  /** The server's own WWW-Authenticate; without it the server is asked. */
  readonly challenge?: string | undefined;
};

/** An invitation is handed out again while at least this much of its five minutes is left. */
const inviteAgainMs = 60_000;
const maxInvitations = 10_000;
/** A server that does no OAuth is not looked into again with every call that it refuses. */
const withoutKeptMs = 60_000;
/** Threats N6. */
const maxStepUps = 2;
const stepUpsKeptMs = 600_000;

export function createServers(deps: {
  readonly find: (serverId: string) => Promise<KnownServer>;
  readonly discovery: Discovery;
  readonly clients: Clients;
  readonly holdings: Holdings;
  readonly grants: Grants;
  readonly open: (request: SessionRequest) => Promise<OpenedSession>;
  readonly isOpen: (developerId: string, sessionId: string) => Promise<boolean>;
  readonly clock: Clock;
}): Servers {
  const { find, discovery, clients, holdings, grants, open, isOpen, clock } = deps;
  const without = new Map<string, number>();
  const invitations = new Map<string, Promise<OpenedSession>>();
  const steps = new Map<string, { readonly at: number; readonly asked: Set<string> }>();

  const target: Servers['target'] = async ({ serverId, challenge }, asked) => {
    const { name, url } = await find(serverId);
    if (url === null)
      throw new Problem('invalid_request', 'server_id: the server has no URL, so there is nobody to ask');
    try {
      const found = await discovery.discover(url, challenge);
      if (found === null) throw new NoOAuth('invalid_request', 'server_id: the server does not use OAuth');
      const { server, issuer, resource, proof } = found;
      // Now rather than in the browser: a client that cannot be registered is no use to a user.
      await clients.of(server, serverId);
      return {
        provider: providerOfServer(serverId),
        issuer,
        resource,
        proof,
        title: `${name} (${new URL(url).host})`,
        scopes: asked === undefined || asked.length === 0 ? found.scopes : withOffline(asked, server),
      };
    } catch (error) {
      if (error instanceof DiscoveryRefusal)
        throw new Problem('upstream_error', `The server's sign-in cannot be used: ${error.message}`, {
          cause: error,
        });
      if (error instanceof Problem) throw error;
      throw new Problem('upstream_error', "The server's sign-in cannot be used", { cause: error });
    }
  };

  const invite = async (request: Invitation, scopes?: readonly string[]): Promise<OpenedSession> => {
    const { owner, keyId, appName, serverId, challenge } = request;
    const key = JSON.stringify([
      owner.developerId,
      owner.userId,
      serverId,
      challenge ?? null,
      scopes ?? null,
    ]);
    const known = await invitations.get(key)?.catch(() => undefined);
    if (known !== undefined && Date.parse(known.expires_at) - clock.now() > inviteAgainMs) {
      if (await isOpen(owner.developerId, known.session_id)) return known;
    }
    const party = { serverId, ...(challenge === undefined ? {} : { challenge }) };
    const opened = open({ owner, keyId, appName, party, ...(scopes === undefined ? {} : { scopes }) });
    if (invitations.size >= maxInvitations) invitations.clear();
    invitations.set(key, opened);
    opened.catch(() => invitations.delete(key));
    return opened;
  };

  /** What was asked for on behalf of one operation lately. */
  const stepsOf = (key: string) => {
    const known = steps.get(key);
    if (known !== undefined && clock.now() - known.at < stepUpsKeptMs) return known;
    if (steps.size >= maxInvitations) steps.clear();
    const fresh = { at: clock.now(), asked: new Set<string>() };
    steps.set(key, fresh);
    return fresh;
  };

  return {
    target,

    async token({ owner, serverId, url, refused, actor }) {
      const holding = (await holdings.of(owner)).get(serverId);
      if (holding === undefined) return { kind: 'none' };
      if (holding.status === 'needs_reauth') return { kind: 'over' };
      // The catalogue names another place now: these tokens are for the old one, and stay away from the new (threats N4).
      if (holding.resource === null || !covers(holding.resource, url)) {
        await grants.expire(holding.id);
        return { kind: 'over' };
      }
      const provider = providerOfServer(serverId);
      try {
        const token = await grants.freshToken({
          owner,
          provider,
          actor,
          ...(refused === undefined ? {} : { refused }),
        });
        // Consented to anew in this very moment, for another place.
        if (token.resource == null || !covers(token.resource, url)) return { kind: 'over' };
        return { kind: 'token', token };
      } catch (error) {
        const isOver =
          error instanceof Problem && ['token_expired', 'provider_not_connected'].includes(error.kind);
        if (!isOver) throw error;
        return { kind: 'over' };
      }
    },

    async standings(owner) {
      const held = await holdings.of(owner);
      return (serverId) => standingOf(held.get(serverId), clock.now());
    },

    async invite(request) {
      const { serverId } = request;
      const { url } = await find(serverId);
      const key = `${serverId}\n${url}`;
      if ((without.get(key) ?? 0) > clock.now()) return null;
      try {
        return await invite(request);
      } catch (error) {
        if (!(error instanceof NoOAuth)) throw error;
        if (without.size >= maxInvitations) without.clear();
        without.set(key, clock.now() + withoutKeptMs);
        return null;
      }
    },

    async stepUp({ operation, scopes, ...request }) {
      const { owner, serverId } = request;
      const holding = (await holdings.of(owner)).get(serverId);
      const asked = words(holding?.asked);
      const wanted = [...new Set([...asked, ...words(holding?.scopes), ...scopes])].sort();
      // All of it was asked for already: the server will never be content.
      if (scopes.every((scope) => asked.includes(scope))) return { kind: 'useless' };
      const key = JSON.stringify([owner.developerId, owner.userId, serverId, operation]);
      const lately = stepsOf(key).asked;
      if (!lately.has(wanted.join(' ')) && lately.size >= maxStepUps) return { kind: 'useless' };
      const session = await invite(request, wanted);
      lately.add(wanted.join(' '));
      if (holding !== undefined && holding.wanted !== wanted.join(' '))
        await grants.store.saveWanted(owner, holding.id, wanted.join(' '));
      return { kind: 'session', session };
    },
  };
}

/** Told apart from other bad requests by the one who asked only because a server said 401. */
class NoOAuth extends Problem {}

function standingOf(holding: Holding | undefined, now: number): ServerStanding | undefined {
  if (holding === undefined) return undefined;
  if (holding.status === 'needs_reauth' || now >= holding.endsAt) return 'needs_auth';
  return holding.wanted === null ? 'ready' : 'needs_scope';
}

function words(text: string | null | undefined): string[] {
  return text == null || text === '' ? [] : text.split(' ');
}
