import { matchesGlob } from './glob.ts';
import type { Decision, Effect, Rule, ServerFacts, Toolset } from './policy-model.ts';

/** Which of the effects wins, whoever wrote it: so two people can edit without breaking each other. */
const strength: Readonly<Record<Effect, number>> = { deny: 3, ask: 2, allow: 1 };

/**
 * What the toolsets of one principal say of a tool (or, with null, of everything else that a server offers: resources,
 * prompts, completions). Any deny wins over any ask, and that over any allow, in whatever order they stand. Where no rule
 * fits, a toolset's own fallback decides, and the stricter one of several; without a toolset everything is allowed.
 */
export function decide(toolsets: readonly Toolset[], server: ServerFacts, tool: string | null): Decision {
  let decided: Decision | undefined;
  for (const { name, rules } of toolsets)
    for (const rule of rules) {
      if (decided !== undefined && strength[rule.effect] <= strength[decided.effect]) continue;
      if (fits(rule, server, tool)) decided = { effect: rule.effect, toolset: name };
    }
  return decided ?? fallbackOf(toolsets);
}

/** The stricter of two. */
export function stricter(one: Decision, other: Decision): Decision {
  return strength[other.effect] > strength[one.effect] ? other : one;
}

function fallbackOf(toolsets: readonly Toolset[]): Decision {
  const strict = toolsets.find(({ fallback }) => fallback === 'deny');
  return strict === undefined ? { effect: 'allow', toolset: null } : { effect: 'deny', toolset: strict.name };
}

/** A rule about some tools says nothing of what else a server offers. */
function fits(rule: Rule, server: ServerFacts, tool: string | null): boolean {
  if (!fitsServer(rule, server)) return false;
  if (rule.tool === undefined) return true;
  return tool !== null && matchesGlob(rule.tool, tool);
}

export function fitsServer({ server, tags, categories }: Rule, facts: ServerFacts): boolean {
  if (server !== undefined && !matchesGlob(server, facts.id)) return false;
  if (tags !== undefined && !tags.some((tag) => facts.tags.includes(tag))) return false;
  return categories === undefined || (facts.category !== null && categories.includes(facts.category));
}
