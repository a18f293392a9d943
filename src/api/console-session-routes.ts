import { Type } from 'typebox';
import type { Access, Principal } from '../access/access.ts';
import { isAmong } from '../base/ip-networks.ts';
import type { HostCheck } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import type { ConsoleSessions } from '../http/http.ts';
import { json, type Reply, type Route, route } from '../http/route.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import { strict, text } from './field-schemas.ts';

const consoleSessionSchema = Type.Object(
  {
    signed_in: Type.Boolean(),
    version: Type.String(),
    csrf: Type.Optional(Type.String({ description: 'goes into X-CSRF-Token of every request but GET' })),
    key_id: Type.Optional(Type.String()),
    developer: Type.Optional(Type.String()),
    developer_id: Type.Optional(Type.String()),
    tier: Type.Optional(Type.String()),
    per_minute: Type.Optional(Type.Number()),
    scopes: Type.Optional(Type.Array(Type.String())),
    role: Type.Optional(Type.String({ description: 'of a person without a key: what they may here' })),
    company: Type.Optional(Type.String({ description: "the company's provider, where people sign in" })),
  },
  { $id: 'ConsoleSession' },
);

export type ConsoleDeps = {
  readonly sessions: ConsoleSessions;
  readonly access: Pick<Access, 'authenticate'>;
  readonly version: string;
  readonly signIn: Pick<SignIn, 'company' | 'person' | 'endSession'>;
  readonly checkHost: HostCheck;
  /** Writes the sign-in into the audit trail. */
  readonly note: (who: Principal) => Promise<void>;
};

/** Signing in to the console: a key goes in once, a cookie that scripts cannot read comes out. */
export function consoleRoutes({ sessions, access, version, signIn, checkHost, note }: ConsoleDeps): Route[] {
  const out = {
    signed_in: false,
    version,
    ...(signIn.company !== null && { company: signIn.company.name }),
  };
  const holderOf = async (key: string, address: string): Promise<Principal> => {
    const caller = await access.authenticate(key, address);
    // From elsewhere a key is no key (threats L2), at the door as at the enforcement.
    if (caller.addresses !== null && !isAmong(address, caller.addresses))
      throw new Problem('invalid_api_key', 'Missing or invalid API key');
    return caller;
  };
  return [
    route({
      method: 'POST',
      url: '/console/session',
      summary: 'Sign in to the console: an API key becomes a cookie for this browser, for twelve hours',
      scope: null,
      body: Type.Object({ key: text(200) }, strict),
      reply: consoleSessionSchema,
      problems: ['invalid_api_key', 'cross_site', 'rate_limited'],
      handle: async ({ body, headers, address }) => {
        checkHost(headers);
        sessions.refuseForeign(headers);
        const caller = await holderOf(body.key.trim(), address);
        await note(caller);
        const { cookie, csrf } = sessions.open(body.key.trim());
        return unkept({ ...describe(caller), csrf, version }, cookie);
      },
    }),
    route({
      method: 'GET',
      url: '/console/session',
      summary: 'Who is signed in to the console by this browser',
      scope: null,
      reply: consoleSessionSchema,
      problems: ['rate_limited'],
      handle: async ({ headers, address }) => {
        checkHost(headers);
        const found = sessions.find(headers);
        if (found === null) return unkept(out);
        try {
          // Of a person without a key the cookie names the account.
          const caller = found.key.startsWith('acc_')
            ? (await signIn.person(found.key)).caller
            : await holderOf(found.key, address);
          return unkept({ ...describe(caller), csrf: found.csrf, version });
        } catch (error) {
          // Revoked or expired meanwhile: the cookie is worth nothing any more.
          if (error instanceof Problem && error.kind === 'invalid_api_key')
            return unkept(out, sessions.end());
          throw error;
        }
      },
    }),
    route({
      method: 'DELETE',
      url: '/console/session',
      summary: 'Sign out of the console',
      scope: null,
      reply: consoleSessionSchema,
      problems: ['cross_site'],
      handle: async ({ headers }) => {
        checkHost(headers);
        sessions.refuseForeign(headers);
        const found = sessions.find(headers);
        if (found?.key.startsWith('acc_') === true) await signIn.endSession(found.key);
        return unkept(out, sessions.end());
      },
    }),
  ];
}

function describe({ keyId, developer, developerId, tier, perMinute, scopes, role }: Principal) {
  return {
    signed_in: true,
    ...(role !== undefined && { role }),
    key_id: keyId,
    developer,
    developer_id: developerId,
    tier,
    per_minute: perMinute,
    scopes: [...scopes],
  };
}

function unkept<const T extends object>(body: T, cookie?: string): Reply<T> {
  const kept = cookie === undefined ? {} : { 'set-cookie': cookie };
  return { ...json(body), headers: { 'cache-control': 'no-store', ...kept } };
}
