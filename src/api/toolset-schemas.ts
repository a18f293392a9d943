import { type Static, Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import { type Bindings, type Budget, checkCondition, type Rule, type Toolset } from '../policy/policy.ts';
import { strict, text, textOrNull } from './field-schemas.ts';

export const toolsetPath = Type.Object({
  name: Type.String({
    pattern: '^[a-z0-9][a-z0-9_-]{0,63}$',
    description: '1 to 64 of a-z, 0-9, _ and -',
    examples: ['mail-only'],
  }),
});
export const effectSchema = Type.Enum(['allow', 'deny', 'ask']);
const fallbackSchema = Type.Enum(['allow', 'deny']);
const texts = (maxItems: number) => Type.Array(text(100), { minItems: 1, maxItems });
const argumentCondition = Type.Object(
  {
    path: text(500),
    equals: Type.Optional(Type.Unknown()),
    prefix: Type.Optional(text(1_000)),
    matches: Type.Optional(text(500)),
    max: Type.Optional(Type.Number()),
  },
  { ...strict, $id: 'ArgumentCondition', description: '`path`, and one of the others' },
);
const ruleFields = {
  effect: effectSchema,
  server: Type.Optional(text(200)),
  tool: Type.Optional(text(200)),
  tags: Type.Optional(texts(100)),
  categories: Type.Optional(texts(100)),
  readOnly: Type.Optional(Type.Boolean()),
  destructive: Type.Optional(Type.Boolean()),
  openWorld: Type.Optional(Type.Boolean()),
  changed: Type.Optional(Type.Boolean()),
  suspicious: Type.Optional(Type.Boolean()),
  arguments: Type.Optional(Type.Array(argumentCondition, { minItems: 1, maxItems: 20 })),
  self: Type.Optional(Type.Boolean()),
};
const ruleRequestSchema = Type.Object(ruleFields, { ...strict, $id: 'ToolsetRuleRequest' });
const ruleSchema = Type.Object(ruleFields, { $id: 'ToolsetRule' });
const most = Type.Optional(Type.Integer({ minimum: 1, maximum: 1e12 }));
const budgetFields = { calls_per_day: most, bytes_per_day: most };
const overrideFields = {
  server: text(200),
  tool: text(200),
  title: Type.Optional(text(200)),
  description: Type.Optional(text(10_000)),
  pinned: Type.Optional(
    Type.Boolean({ description: 'listed beside search_tools where there are too many tools to list' }),
  ),
};
export const toolsetRequestSchema = Type.Object(
  {
    title: Type.Optional(text(200)),
    rules: Type.Array(ruleRequestSchema, { maxItems: 1_000 }),
    default: Type.Optional(fallbackSchema),
    budget: Type.Optional(Type.Object(budgetFields, { ...strict, minProperties: 1 })),
    overrides: Type.Optional(Type.Array(Type.Object(overrideFields, strict), { maxItems: 1_000 })),
  },
  { ...strict, $id: 'ToolsetRequest' },
);
const toolsetFields = {
  name: Type.String(),
  title: textOrNull,
  rules: Type.Array(ruleSchema),
  default: fallbackSchema,
  budget: Type.Optional(Type.Object(budgetFields)),
  overrides: Type.Optional(Type.Array(Type.Object(overrideFields))),
  version: Type.Integer(),
};
export const toolsetSchema = Type.Object(toolsetFields, { $id: 'Toolset' });
export const changedToolsetSchema = Type.Object(
  {
    ...toolsetFields,
    warnings: Type.Array(Type.String(), { description: 'rules that fit nothing in the catalog' }),
  },
  { $id: 'ChangedToolset' },
);
const bound = (maxLength: number) => Type.Optional(Type.Array(text(maxLength), { maxItems: 1_000 }));
export const bindingsRequestSchema = Type.Object(
  { keys: bound(200), developers: bound(100), clients: bound(200), groups: bound(200) },
  { ...strict, $id: 'ToolsetBindingsRequest' },
);
const names = Type.Array(Type.String());
export const bindingsSchema = Type.Object(
  { keys: names, developers: names, clients: Type.Optional(names), groups: Type.Optional(names) },
  { $id: 'ToolsetBindings' },
);

/** Throws `invalid_request` for what no schema can say, with the rule and the field. */
export function toToolsetInput({ title, rules, ...said }: Static<typeof toolsetRequestSchema>) {
  for (const [i, rule] of rules.entries()) checkRule(rule, `rules[${i}]`);
  for (const [i, { server, tool }] of (said.overrides ?? []).entries()) {
    const first = said.overrides?.findIndex((each) => each.server === server && each.tool === tool) ?? i;
    if (first < i)
      throw new Problem('invalid_request', `overrides[${i}]: of the same tool as overrides[${first}]`);
  }
  const { calls_per_day, bytes_per_day } = said.budget ?? {};
  return {
    title: title ?? null,
    rules,
    fallback: said.default ?? 'deny',
    budget:
      said.budget === undefined
        ? null
        : {
            ...(calls_per_day !== undefined && { callsPerDay: calls_per_day }),
            ...(bytes_per_day !== undefined && { bytesPerDay: bytes_per_day }),
          },
    overrides: said.overrides ?? [],
  } as const;
}

export function toBindings(said: Static<typeof bindingsRequestSchema>): Bindings {
  const { keys = [], developers = [], clients = [], groups = [] } = said;
  return { keys, developers, clients, groups };
}

/** What is not said is not there. */
export function describeToolset({ name, title, rules, fallback, budget, overrides, version }: Toolset) {
  return {
    name,
    title,
    rules,
    default: fallback,
    ...(budget !== null && { budget: describeBudget(budget) }),
    ...(overrides.length > 0 && { overrides }),
    version,
  };
}

function describeBudget({ callsPerDay, bytesPerDay }: Budget) {
  return {
    ...(callsPerDay !== undefined && { calls_per_day: callsPerDay }),
    ...(bytesPerDay !== undefined && { bytes_per_day: bytesPerDay }),
  };
}

export function describeBindings({ keys, developers, clients, groups }: Bindings) {
  return {
    keys,
    developers,
    ...(clients.length > 0 && { clients }),
    ...(groups.length > 0 && { groups }),
  };
}

function checkRule(rule: Rule, field: string): void {
  if (rule.self !== undefined && rule.effect !== 'ask')
    throw new Problem('invalid_request', `${field}.self: says something of rules that ask alone`);
  for (const [i, condition] of (rule.arguments ?? []).entries())
    checkCondition(condition, `${field}.arguments[${i}]`);
}
