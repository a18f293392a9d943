import { Type } from 'typebox';
import type { Access } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { json, type Route, route } from '../http/route.ts';
import { type CallLog, type CallRow, callOutcomes } from '../policy/policy.ts';
import { strict, text, textOrNull, time, userId } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const jsonLines = 'application/jsonl';
const callSchema = Type.Object(
  {
    id: Type.String(),
    at: time,
    developer_id: Type.String(),
    key_id: Type.String(),
    user_id: textOrNull,
    server_id: Type.String(),
    tool: Type.String(),
    definition: textOrNull,
    toolset: textOrNull,
    outcome: Type.Enum(callOutcomes),
    latency_ms: Type.Number(),
    request_bytes: Type.Integer(),
    reply_bytes: Type.Integer(),
    arguments_digest: textOrNull,
    arguments_masked: Type.Union([Type.String(), Type.Null()], {
      description: 'JSON text: their shape without their values, where MCPRANK_CALL_ARGUMENTS is masked',
    }),
  },
  { $id: 'CallRecord' },
);
const when = Type.Optional(Type.String({ maxLength: 40, description: 'a time as RFC 3339' }));
const who = { developer: Type.Optional(text(200)), user_id: Type.Optional(userId) };

/** The record of every tools/call. */
export function callRoutes(callLog: CallLog, access: Pick<Access, 'listKeys'>): Route[] {
  /** A developer's name or id, as an id. */
  const idOf = async (developer: string): Promise<string> =>
    (await access.listKeys()).find((key) => key.developer === developer)?.developerId ?? developer;
  return [
    route({
      method: 'GET',
      url: '/v1/admin/calls',
      summary: `Every tools/call: who, what, by which rule, with what end; newest first; with \`Accept: ${jsonLines}\` one a line`,
      scope: 'admin',
      query: Type.Object(
        {
          ...who,
          server_id: Type.Optional(text(200)),
          tool: Type.Optional(text(200)),
          outcome: Type.Optional(Type.Enum(callOutcomes)),
          from: when,
          to: when,
          cursor: Type.Optional(text(100)),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
        },
        strict,
      ),
      reply: Type.Object({ calls: Type.Array(callSchema), next_cursor: Type.Optional(Type.String()) }),
      otherReplies: [{ status: 200, description: 'one call a line', contentType: jsonLines }],
      handle: async ({ query, headers }) => {
        const { developer, user_id, server_id, tool, outcome, from, to, cursor, limit = 100 } = query;
        const rows = await callLog.read({
          developerId: developer === undefined ? undefined : await idOf(developer),
          userId: user_id,
          serverId: server_id,
          tool,
          outcome,
          from: timeOf('from', from),
          to: timeOf('to', to),
          before: cursor,
          limit,
        });
        if (headers.accept?.includes(jsonLines)) {
          const body = rows.map((row) => `${JSON.stringify(describe(row))}\n`).join('');
          return { status: 200, body, contentType: jsonLines };
        }
        const last = rows.length === limit ? rows.at(-1) : undefined;
        return json({ calls: rows.map(describe), ...(last !== undefined && { next_cursor: last.id }) });
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/calls',
      summary: "Forget whose calls a developer's user's were: the calls stay, without user and arguments",
      scope: 'admin',
      query: Type.Object({ developer: text(200), user_id: userId }, strict),
      reply: Type.Object({ forgotten: Type.Integer() }),
      handle: async ({ query: { developer, user_id } }) =>
        json({ forgotten: await callLog.forgetUser(await idOf(developer), user_id) }),
    }),
  ];
}

function timeOf(field: string, said: string | undefined): number | undefined {
  if (said === undefined) return undefined;
  const ms = Date.parse(said);
  if (Number.isNaN(ms))
    throw new Problem(
      'invalid_request',
      `${field}: expected a time as RFC 3339, for example 2026-01-31T00:00:00Z`,
    );
  return ms;
}

function describe({ at, ...row }: CallRow) {
  return { ...row, at: isoTime(at) };
}
