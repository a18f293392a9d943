import { Problem } from '../base/problem.ts';
import { type Catalog, type ServerRecord, toolNamed } from '../catalog/catalog.ts';
import type { Mcp, McpCall } from '../mcp/mcp.ts';
import type { Policy, Subject, VisibleTools } from '../policy/policy.ts';
import type { AdmittedCall } from './approval-flow.ts';
import { catchUp, unknownServer } from './visible-catalog.ts';

/** Who asks; without a developer's name, whoever sees only what everybody sees. */
export type Asking = {
  readonly keyId: string;
  readonly developer?: string | undefined;
  readonly client?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly toolset?: string;
};
type Caller = Parameters<Mcp['call']>[0];

/** What a server answers to everybody who sees something of it. */
const aboutItself: ReadonlySet<string> = new Set([
  'ping',
  'server/discover',
  'tools/list',
  'logging/setLevel',
]);

/** Who may go on to a server, and with what. */
export function createAdmission({ policy, catalog }: { readonly policy: Policy; readonly catalog: Catalog }) {
  /** A server that is at hand and has not just come, for a principal from whom nothing is hidden. */
  const atHand = (subject: Subject, serverId: string): ServerRecord | undefined => {
    const known = catalog.peek(serverId)?.record;
    const isPlain =
      known !== undefined && policy.isCurrent(known.revision) && policy.viewFor(subject) === null;
    return isPlain ? known : undefined;
  };
  /** A promise only where it has to wait. */
  const findVisible = (subject: Subject, serverId: string): ServerRecord | Promise<ServerRecord> =>
    atHand(subject, serverId) ?? lookFor(subject, serverId);
  const lookFor = async (subject: Subject, serverId: string): Promise<ServerRecord> => {
    if (!policy.canSee(subject, serverId)) throw unknownServer();
    const record = catalog.peek(serverId)?.record ?? (await catalog.get(serverId));
    await catchUp(policy, [record]);
    if (!policy.canSee(subject, serverId)) throw unknownServer();
    return record;
  };
  const toolsOf = (subject: Subject, record: ServerRecord): VisibleTools =>
    policy.viewFor(subject)?.toolsOf(record) ?? 'all';

  /** What a call may be, with whose credentials; a promise only where it has to wait. Throws `not_found` and `denied`. */
  const admit = (caller: Caller, call: McpCall): AdmittedCall | Promise<AdmittedCall> => {
    const found = findVisible(subjectOf(caller), call.serverId);
    return found instanceof Promise
      ? found.then((record) => decide(caller, call, record))
      : decide(caller, call, found);
  };
  const decide = (caller: Caller, call: McpCall, record: ServerRecord): AdmittedCall => {
    const subject = subjectOf(caller);
    const { params, method } = call;
    const tool = method === 'tools/call' ? toolNamed(record, params?.name ?? '') : null;
    const decision = policy.decide(
      subject,
      record,
      tool,
      tool === null ? undefined : (params?.arguments ?? null),
    );
    const isDenied = aboutItself.has(method)
      ? toolsOf(subject, record) === 'none'
      : decision.effect === 'deny';
    if (isDenied) throw denied(decision.toolset, tool?.name ?? call.serverId);
    const mayUse = policy.mayUseCredentials(subject, call.serverId);
    const admitted: Caller = {
      ...caller,
      decidedBy: decision.toolset,
      ...(tool !== null && { definition: tool.definition }),
      ...(!mayUse && { usesSharedCredential: false }),
    };
    return { caller: admitted, call, tool, decision, record };
  };
  return { atHand, findVisible, toolsOf, admit };
}

export function subjectOf({ keyId, developer = '', client, groups, toolset }: Asking): Subject {
  return { keyId, developer, client, groups, toolset };
}

export function denied(toolset: string | null, what: string): Problem {
  const by = toolset === null ? 'Your toolsets do' : `The toolset ${toolset} does`;
  return new Problem('denied', `${by} not allow ${what.slice(0, 200)}: ask whoever gave you the key`, {
    facts: { toolset },
  });
}
