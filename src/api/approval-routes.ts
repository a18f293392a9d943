import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import { type Approval, type Approvals, approvalStates } from '../policy/policy.ts';
import { idPath, orNull, strict, text, textOrNull, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const timeOrNull = orNull(time);
const shownStates = [...approvalStates, 'expired'] as const;
const changeSchema = Type.Object({
  at: time,
  kind: Type.String(),
  before: textOrNull,
  after: textOrNull,
});
const approvalSchema = Type.Object(
  {
    id: Type.String(),
    state: Type.Enum(shownStates),
    created_at: time,
    expires_at: time,
    developer_id: Type.String(),
    key_id: Type.String(),
    user_id: textOrNull,
    server_id: Type.String(),
    method: Type.String(),
    tool: Type.String(),
    definition: textOrNull,
    arguments_digest: Type.String(),
    arguments: Type.Union([Type.String(), Type.Null()], {
      description: 'as they came, where MCPRANK_APPROVAL_ARGUMENTS is on and it is not over; else null',
    }),
    toolset: Type.String(),
    version: Type.Integer({ description: 'of the toolset whose rule asked' }),
    decided_by: textOrNull,
    decided_at: timeOrNull,
    note: textOrNull,
    used_at: timeOrNull,
    changes: Type.Array(changeSchema, { description: 'of the tool, as probes found them; newest first' }),
  },
  { $id: 'Approval' },
);
const changesShown = 20;

/** Calls that wait for a person, and what becomes of them. */
export function approvalRoutes(
  approvals: Pick<Approvals, 'list' | 'decide'>,
  catalog: Pick<Catalog, 'health'>,
): Route[] {
  /** What was changed of the tool: whoever decides sees what it was before. */
  const describe = async (approval: Approval) => {
    const drift = approval.state === 'pending' ? await catalog.health.drift(approval.server_id) : [];
    const changes = drift.filter(({ tool }) => tool === approval.tool).slice(0, changesShown);
    return {
      ...approval,
      created_at: isoTime(approval.created_at),
      expires_at: isoTime(approval.expires_at),
      decided_at: approval.decided_at === null ? null : isoTime(approval.decided_at),
      used_at: approval.used_at === null ? null : isoTime(approval.used_at),
      changes: changes.map(({ at, kind, before, after }) => ({ at: isoTime(at), kind, before, after })),
    };
  };
  return [
    route({
      method: 'GET',
      url: '/v1/admin/approvals',
      summary: 'Calls that a rule wants approved, newest first; the scope `approve` suffices',
      scope: 'admin',
      orScope: 'approve',
      query: Type.Object(
        {
          state: Type.Optional(Type.Enum(shownStates)),
          cursor: Type.Optional(text(100)),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
        },
        strict,
      ),
      reply: Type.Object({
        approvals: Type.Array(approvalSchema),
        next_cursor: Type.Optional(Type.String()),
      }),
      handle: async ({ query: { state, cursor, limit = 100 } }) => {
        const found = await approvals.list({ state, before: cursor, limit });
        const last = found.length === limit ? found.at(-1) : undefined;
        return json({
          approvals: await Promise.all(found.map(describe)),
          ...(last !== undefined && { next_cursor: last.id }),
        });
      },
    }),
    route({
      method: 'POST',
      url: '/v1/admin/approvals/:id',
      summary: 'Approve or deny a call that waits; the scope `approve` suffices, the caller itself does not',
      scope: 'admin',
      orScope: 'approve',
      params: idPath,
      body: Type.Object(
        { decision: Type.Enum(['approve', 'deny']), note: Type.Optional(text(2_000)) },
        { ...strict, $id: 'ApprovalDecision' },
      ),
      reply: approvalSchema,
      problems: ['not_found', 'conflict', 'denied'],
      handle: async ({ params, body: { decision, note = null }, caller, person }) => {
        const { keyId, developerId } = caller;
        const by = { actor: keyActor(caller), developerId, keyId, userId: person?.userId ?? null };
        const decided = await approvals.decide(params.id, { isApproved: decision === 'approve', note }, by);
        return json(await describe(decided));
      },
    }),
  ];
}
