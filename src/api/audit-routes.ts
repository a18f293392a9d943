import { Type } from 'typebox';
import { json, type Route, route } from '../http/route.ts';
import type { Audit } from '../storage/storage.ts';
import { anything, strict, text, textOrNull, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

type Entry = Awaited<ReturnType<Audit['read']>>[number];

const name = text(1_024);
const jsonLines = 'application/x-ndjson';
const auditEntrySchema = Type.Object(
  {
    id: Type.String(),
    at: time,
    developer_id: Type.String(),
    actor: Type.String(),
    action: Type.String(),
    user_id: textOrNull,
    subject: textOrNull,
    facts: anything,
  },
  { $id: 'AuditEntry' },
);

/** The trail, newest first: a page as JSON, or as JSON Lines for whoever keeps it elsewhere. */
export function auditRoutes(read: Audit['read']): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/audit',
      summary: `Who did what, newest first; with \`Accept: ${jsonLines}\` one entry a line, and \`before\` is the last one's id`,
      scope: 'admin',
      query: Type.Object(
        {
          developer: Type.Optional(name),
          user: Type.Optional(name),
          before: Type.Optional(name),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
        },
        strict,
      ),
      reply: Type.Object({
        entries: Type.Array(auditEntrySchema),
        metadata: Type.Object({ next_before: Type.Optional(Type.String()) }),
      }),
      otherReplies: [{ status: 200, description: 'one entry a line', contentType: jsonLines }],
      handle: async ({ query: { developer, user, before, limit = 100 }, headers }) => {
        const entries = await read({
          ...(developer === undefined ? {} : { developerId: developer }),
          ...(user === undefined ? {} : { userId: user }),
          ...(before === undefined ? {} : { before }),
          limit,
        });
        if (headers.accept?.includes(jsonLines)) {
          const body = entries.map((entry) => `${JSON.stringify(describe(entry))}\n`).join('');
          return { status: 200, body, contentType: jsonLines };
        }
        const last = entries.length === limit ? entries.at(-1) : undefined;
        const metadata = last === undefined ? {} : { next_before: last.id };
        return json({ entries: entries.map(describe), metadata });
      },
    }),
  ];
}

function describe({ id, at, developerId, actor, action, userId, subject, facts }: Entry) {
  return {
    id,
    at: isoTime(at),
    developer_id: developerId,
    actor,
    action,
    user_id: userId,
    subject: subject ?? null,
    facts: facts ?? {},
  };
}
