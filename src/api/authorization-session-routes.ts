import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import type { Connections, OpenedSession, SessionState } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import { idPath, strict, text, time, userId } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';
import type { PolicyEnforcement } from './policy-enforcement.ts';

const strings = Type.Array(Type.String());
const sessionSchema = Type.Object(
  { session_id: Type.String(), auth_url: Type.String({ format: 'uri' }), expires_at: time },
  { $id: 'Session' },
);
const sessionStatusSchema = Type.Object(
  {
    session_id: Type.String(),
    status: Type.Enum(['pending', 'complete', 'error']),
    error: Type.Optional(Type.String()),
    awaiting: Type.Optional(Type.Literal('confirmation')),
    connection_id: Type.Optional(Type.String()),
    account: Type.Optional(Type.String()),
    is_default: Type.Optional(Type.Boolean()),
    granted_scopes: Type.Optional(strings),
    missing_scopes: Type.Optional(strings),
    renewable: Type.Optional(
      Type.Boolean({
        description: 'false: no refresh token came, so the user has to connect again at its end',
      }),
    ),
  },
  { $id: 'SessionStatus' },
);
const sessionRequestSchema = Type.Object(
  {
    user_id: userId,
    provider: Type.Optional(text(32)),
    server_id: Type.Optional(text(200)),
    account: Type.Optional(text(100)),
    scopes: Type.Optional(Type.Array(text(300), { maxItems: 100 })),
    return_url: Type.Optional(text(2_000)),
    require_confirmation: Type.Optional(Type.Boolean()),
    expected_account: Type.Optional(text(300)),
  },
  { ...strict, $id: 'SessionRequest' },
);

/** Sessions in which a user connects a provider or an MCP server, as apps open and poll them. */
export function authorizationSessionRoutes(
  { sessions, confirmations }: Pick<Connections, 'sessions' | 'confirmations'>,
  { catalogFor }: Pick<PolicyEnforcement, 'catalogFor'>,
): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/identity/sessions',
      summary: 'Open an authorisation session: send the user to `auth_url`, then poll',
      scope: 'identity',
      body: sessionRequestSchema,
      reply: sessionSchema,
      problems: ['not_found', 'server_gone', 'upstream_error'],
      handle: async ({ body, caller }) => {
        const target = targetOf(body);
        // A server that the caller does not see is unknown here as well.
        if (target.serverId !== undefined) await catalogFor(caller).get(target.serverId);
        const session = await sessions.open({
          owner: { developerId: caller.developerId, userId: body.user_id },
          keyId: caller.keyId,
          appName: caller.developer,
          target,
          ...(body.account === undefined ? {} : { account: body.account }),
          ...(body.scopes === undefined ? {} : { scopes: body.scopes }),
          ...(body.return_url === undefined ? {} : { returnUrl: body.return_url }),
          ...(body.require_confirmation === undefined
            ? {}
            : { requireConfirmation: body.require_confirmation }),
          ...(body.expected_account === undefined ? {} : { expectedAccount: body.expected_account }),
        });
        return json(describeOpened(session));
      },
    }),
    route({
      method: 'GET',
      url: '/v1/identity/sessions/:id',
      summary: 'Poll a session; `wait` holds the reply until it is over, at most so many seconds',
      scope: 'identity',
      cost: 0,
      params: idPath,
      query: Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 60 })) }, strict),
      reply: sessionStatusSchema,
      problems: ['not_found'],
      handle: async ({ params, query: { wait = 0 }, caller, charge, signal }) => {
        const { developerId } = caller;
        try {
          const found =
            wait === 0
              ? await sessions.get(developerId, params.id)
              : await sessions.wait(developerId, params.id, { waitMs: wait * 1_000, signal });
          return json(describeState(found));
        } catch (error) {
          // Polls cost nothing; guessing ids does (threats G3).
          if (error instanceof Problem && error.kind === 'not_found') charge(1);
          throw error;
        }
      },
    }),
    route({
      method: 'POST',
      url: '/v1/identity/sessions/:id/confirm',
      summary: 'Confirm a session with the code that the user was shown, and the user who typed it in',
      scope: 'identity',
      params: idPath,
      body: Type.Object({ user_id: userId, completion_code: text(20) }, strict),
      reply: sessionStatusSchema,
      problems: ['not_found', 'conflict'],
      handle: async ({ params, body, caller }) => {
        const { developerId } = caller;
        await confirmations.confirm({
          developerId,
          sessionId: params.id,
          userId: body.user_id,
          code: body.completion_code,
          actor: keyActor(caller),
        });
        return json(describeState(await sessions.get(developerId, params.id)));
      },
    }),
  ];
}

function targetOf(body: {
  readonly provider?: string;
  readonly server_id?: string;
}): { provider: string; serverId?: undefined } | { serverId: string } {
  const { provider, server_id: serverId } = body;
  if (provider !== undefined && serverId === undefined) return { provider };
  if (serverId !== undefined && provider === undefined) return { serverId };
  throw new Problem('invalid_request', 'provider: expected either provider or server_id');
}

function describeOpened({ sessionId, authUrl, expiresAt }: OpenedSession) {
  return { session_id: sessionId, auth_url: authUrl, expires_at: isoTime(expiresAt) };
}

/** What is undefined is left out of the JSON. */
function describeState(session: SessionState) {
  return {
    session_id: session.sessionId,
    status: session.status,
    error: session.error,
    awaiting: session.awaiting,
    connection_id: session.connectionId,
    account: session.account,
    is_default: session.isDefault,
    granted_scopes: session.grantedScopes,
    missing_scopes: session.missingScopes,
    renewable: session.isRenewable,
  };
}
