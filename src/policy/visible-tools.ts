import type { JudgedTool, Rule, ServerFacts, Subject, ToolFacts, VisibleTools } from './policy-model.ts';
import { type PolicyState, toolsetsOf } from './policy-state.ts';
import { fitsServer, isAboutTools, judgements } from './rules/decision.ts';
import { compileGlob } from './rules/glob.ts';
import { believedOf } from './tool-marks.ts';

/**
 * What somebody sees of servers: what a call of theirs could be allowed to do, as `decide` says it. Search asks of every server
 * and tool there is, so rules are taken apart once, and those that can hide nothing are left out.
 */
export function createVisibility(
  state: PolicyState,
  subject: Subject,
): (server: ServerFacts) => VisibleTools {
  const { own, door } = toolsetsOf(state, subject);
  const sides = [own, door].filter((toolsets) => toolsets.length > 0).map(compileSide);
  const judge = (server: ServerFacts, tool: ToolFacts) => believedOf(state.marks, server, tool);
  return (server) => {
    const here = sides.map((side) => side(server));
    if (here.includes('none')) return 'none';
    const looks = here.filter((seen) => typeof seen === 'function');
    if (looks.length === 0) return 'all';
    return (tool) => {
      if (tool === null) return looks.every((sees) => sees(null));
      let judged: JudgedTool | undefined;
      const asked = {
        name: tool.name,
        judged() {
          judged ??= judge(server, tool);
          return judged;
        },
      };
      return looks.every((sees) => sees(asked));
    };
  };
}

/** A tool of which only the name is at hand: what is believed of it is found out where a rule asks. */
type AskedTool = { readonly name: string; judged(): JudgedTool };
type Look = (tool: AskedTool | null) => boolean;

/** Toolsets that decide together: anything is hidden that one of their rules denies or, where one of them says so, that no rule is about. */
function compileSide(
  toolsets: ReturnType<typeof toolsetsOf>['own'],
): (server: ServerFacts) => 'all' | 'none' | Look {
  const isStrict = toolsets.some(({ fallback }) => fallback === 'deny');
  const rules = toolsets.flatMap((toolset) => toolset.rules);
  // Some call will have other arguments than those that are denied.
  const denying = compileRules(
    rules.filter((rule) => rule.effect === 'deny' && rule.arguments === undefined),
  );
  const others = compileRules(isStrict ? rules.filter(({ effect }) => effect !== 'deny') : []);
  return (server) => {
    const [denied, listed] = [denying(server), others(server)];
    if (denied.some(({ isWhole }) => isWhole)) return 'none';
    const isListed = !isStrict || listed.some(({ isWhole }) => isWhole);
    if (isListed && denied.length === 0) return 'all';
    if (!isListed && listed.length === 0) return 'none';
    return (tool) =>
      !denied.some(({ fits }) => fits(tool)) && (isListed || listed.some(({ fits }) => fits(tool)));
  };
}

/** A rule on a server that it fits: the whole of it, or some of its tools. */
type CompiledRule = { readonly isWhole: boolean; readonly fits: Look };

function compileRules(rules: readonly Rule[]): (server: ServerFacts) => readonly CompiledRule[] {
  const bound = rules.filter(isAboutServers).map((rule) => ({
    fitsId: rule.server === undefined ? null : compileGlob(rule.server),
    rule,
    compiled: compileRule(rule),
  }));
  const anywhere = distinct(rules.filter((rule) => !isAboutServers(rule))).map(compileRule);
  return (server) => {
    const here = bound.filter(
      ({ fitsId, rule }) => (fitsId === null || fitsId(server.id)) && fitsServer(rule, server),
    );
    return here.length === 0 ? anywhere : [...here.map(({ compiled }) => compiled), ...anywhere];
  };
}

function isAboutServers({ server, tags, categories }: Rule): boolean {
  return (server ?? tags ?? categories) !== undefined;
}

/** Without those that say the same of a tool as another one. */
function distinct(rules: readonly Rule[]): readonly Rule[] {
  const said = (rule: Rule) => JSON.stringify([rule.tool, ...judgements.map((name) => rule[name])]);
  return [...new Map(rules.map((rule) => [said(rule), rule])).values()];
}

function compileRule(rule: Rule): CompiledRule {
  const fitsName = rule.tool === undefined ? null : compileGlob(rule.tool);
  const asked = judgements.filter((name) => rule[name] !== undefined);
  const isWhole = !isAboutTools(rule);
  return {
    isWhole,
    fits(tool) {
      if (tool === null) return isWhole;
      if (fitsName !== null && !fitsName(tool.name)) return false;
      return asked.every((name) => rule[name] === tool.judged()[name]);
    },
  };
}
