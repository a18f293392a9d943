import type { Decision, JudgedTool, Rule, ServerFacts, Toolset } from '../policy-model.ts';
import { type CallArguments, fitsArguments } from './argument-conditions.ts';
import { matchesGlob } from './glob.ts';

/** Which of two wins, whoever wrote them: so two people can edit without breaking each other. */
function strengthOf({ effect, self }: Pick<Rule, 'effect' | 'self'>): number {
  if (effect === 'ask') return self === true ? 2 : 3;
  return effect === 'deny' ? 4 : 1;
}

/**
 * What the toolsets of one principal say of a call of a tool (or, with null, of everything else that a server offers:
 * resources, prompts, completions). Any deny wins over any ask, and that over any allow, in whatever order they stand. Where
 * no rule fits, a toolset's own fallback decides, and the stricter one of several; without a toolset everything is allowed.
 */
export function decide(
  toolsets: readonly Toolset[],
  server: ServerFacts,
  tool: JudgedTool | null,
  args: CallArguments,
): Decision {
  let decided: Decision | undefined;
  for (const { name, version, rules } of toolsets)
    for (const rule of rules) {
      if (decided !== undefined && strengthOf(rule) <= strengthOf(decided)) continue;
      if (!fitsTool(rule, server, tool)) continue;
      if (rule.arguments !== undefined && !fitsArguments(rule.arguments, args, rule.effect)) continue;
      decided = { effect: rule.effect, toolset: name, version, self: rule.self === true };
    }
  return decided ?? fallbackOf(toolsets);
}

/** The stricter of two. */
export function stricter(one: Decision, other: Decision): Decision {
  return strengthOf(other) > strengthOf(one) ? other : one;
}

const allowed: Decision = { effect: 'allow', toolset: null, version: 0, self: false };

function fallbackOf(toolsets: readonly Toolset[]): Decision {
  const strict = toolsets.find(({ fallback }) => fallback === 'deny');
  return strict === undefined
    ? allowed
    : { effect: 'deny', toolset: strict.name, version: strict.version, self: false };
}

export const judgements = ['readOnly', 'destructive', 'openWorld', 'changed', 'suspicious'] as const;

/** Whether a rule looks at single tools: then it says nothing of what else a server offers. */
export function isAboutTools(rule: Rule): boolean {
  return (
    rule.tool !== undefined ||
    rule.arguments !== undefined ||
    judgements.some((name) => rule[name] !== undefined)
  );
}

/** Whether a rule is about such a tool of such a server, whatever the arguments. */
export function fitsTool(rule: Rule, server: ServerFacts, tool: JudgedTool | null): boolean {
  if (!fitsServer(rule, server)) return false;
  if (tool === null) return !isAboutTools(rule);
  if (rule.tool !== undefined && !matchesGlob(rule.tool, tool.name)) return false;
  return judgements.every((name) => rule[name] === undefined || rule[name] === tool[name]);
}

export function fitsServer({ server, tags, categories }: Rule, facts: ServerFacts): boolean {
  if (server !== undefined && !matchesGlob(server, facts.id)) return false;
  if (tags !== undefined && !tags.some((tag) => facts.tags.includes(tag))) return false;
  return categories === undefined || (facts.category !== null && categories.includes(facts.category));
}
