import type { ToolsetRule } from '../../../sdk/api.ts';

/** A rule as it is typed: what it does not name is empty, and of a list each entry has its line. */
export type RuleTexts = Readonly<Record<'server' | 'tool' | 'tags' | 'categories', string>> & {
  readonly effect: ToolsetRule['effect'];
};
export type RuleField = keyof RuleTexts;
export type RuleRow = {
  /** What it is known by while rows come and go. */
  readonly id: number;
  /** As the service has it; null: not sent yet. */
  readonly kept: ToolsetRule | null;
  readonly texts: RuleTexts;
};
/** What the service says of a rule: where its reply names no field, of all of it. */
export type RuleNote = { readonly index: number; readonly field: RuleField | null; readonly text: string };

export const blankRule: RuleTexts = { effect: 'allow', server: '', tool: '', tags: '', categories: '' };

export function textsOf({
  effect,
  server = '',
  tool = '',
  tags = [],
  categories = [],
}: ToolsetRule): RuleTexts {
  return { effect, server, tool, tags: tags.join('\n'), categories: categories.join('\n') };
}

/** A rule that nobody touched goes back as it came, odd spaces and all; what has no field here stays in any case. */
export function ruleOf({ kept, texts }: RuleRow): ToolsetRule {
  if (kept !== null && JSON.stringify(textsOf(kept)) === JSON.stringify(texts)) return kept;
  const [server, tool] = [texts.server.trim(), texts.tool.trim()];
  const [tags, categories] = [linesOf(texts.tags), linesOf(texts.categories)];
  return {
    ...othersOf(kept),
    effect: texts.effect,
    ...(server !== '' && { server }),
    ...(tool !== '' && { tool }),
    ...(tags.length > 0 && { tags }),
    ...(categories.length > 0 && { categories }),
  };
}

/** What a rule says that is not typed here: of annotations, changes, arguments. */
export function othersOf(kept: ToolsetRule | null): Partial<ToolsetRule> {
  if (kept === null) return {};
  const { effect: _, server: __, tool: ___, tags: ____, categories: _____, ...others } = kept;
  return others;
}

/** Whether it says nothing of what it is about, and so fits everything. */
export function fitsAll(row: RuleRow): boolean {
  return Object.keys(ruleOf(row)).length === 1;
}

/** `rules[2].tags[0]: expected …`, as faults and warnings begin; null where it is about no rule. */
export function noteOf(message: string): RuleNote | null {
  const [, index, name, entry, text] =
    /^rules\[(\d+)\](?:\.(\w+))?(?:\[(\d+)\])?: (.*)$/s.exec(message) ?? [];
  if (index === undefined || text === undefined) return null;
  return {
    index: Number(index),
    field: isField(name) ? name : null,
    text: entry === undefined ? text : `line ${Number(entry) + 1}: ${text}`,
  };
}

function isField(name: string | undefined): name is RuleField {
  return name !== undefined && Object.hasOwn(blankRule, name);
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
