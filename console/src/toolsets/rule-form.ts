import type { ArgumentCondition, ToolsetRule } from '../../../sdk/api.ts';

/** What is true of a tool or of the asking, or not; where it does not matter, nothing. */
export const judgements = ['readOnly', 'destructive', 'openWorld', 'changed', 'suspicious', 'self'] as const;
export type Judgement = (typeof judgements)[number];

/** A rule as it is typed: what it does not name is empty, and of a list each entry has its line. */
export type RuleTexts = Readonly<
  Record<'server' | 'tool' | 'tags' | 'categories' | 'arguments' | Judgement, string>
> & {
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

export const blankRule: RuleTexts = {
  effect: 'allow',
  server: '',
  tool: '',
  tags: '',
  categories: '',
  arguments: '',
  readOnly: '',
  destructive: '',
  openWorld: '',
  changed: '',
  suspicious: '',
  self: '',
};

export function textsOf({ effect, server = '', tool = '', ...rule }: ToolsetRule): RuleTexts {
  const { tags = [], categories = [], arguments: conditions = [] } = rule;
  const said = judgements.map((name) => [name, rule[name] === undefined ? '' : String(rule[name])] as const);
  return {
    ...blankRule,
    ...Object.fromEntries(said),
    effect,
    server,
    tool,
    tags: tags.join('\n'),
    categories: categories.join('\n'),
    arguments: conditions.map(lineOf).join('\n'),
  };
}

/** A rule that nobody touched goes back as it came, odd spaces and all. */
export function ruleOf({ kept, texts }: RuleRow): ToolsetRule {
  const before = kept === null ? blankRule : textsOf(kept);
  if (kept !== null && JSON.stringify(before) === JSON.stringify(texts)) return kept;
  const [server, tool] = [texts.server.trim(), texts.tool.trim()];
  const [tags, categories] = [linesOf(texts.tags), linesOf(texts.categories)];
  const isSame = kept?.arguments !== undefined && before.arguments === texts.arguments;
  const conditions = isSame ? kept.arguments : linesOf(texts.arguments).map(conditionOf);
  const said = judgements.flatMap((name) => (texts[name] === '' ? [] : [[name, texts[name] === 'true']]));
  return {
    effect: texts.effect,
    ...(server !== '' && { server }),
    ...(tool !== '' && { tool }),
    ...(tags.length > 0 && { tags }),
    ...(categories.length > 0 && { categories }),
    ...(Object.fromEntries(said) as Partial<Record<Judgement, boolean>>),
    ...(conditions.length > 0 && { arguments: conditions }),
  };
}

/** `to prefix ann@`, `amount max 100`, `urgent equals true`: a path, what is asked of it, and with what. */
function lineOf({ path, equals, prefix, matches, max }: ArgumentCondition): string {
  if (prefix !== undefined) return `${path} prefix ${prefix}`;
  if (matches !== undefined) return `${path} matches ${matches}`;
  return max === undefined ? `${path} equals ${JSON.stringify(equals)}` : `${path} max ${max}`;
}

/** A line that is none is sent as a path alone, and the service says what it misses there. */
function conditionOf(line: string): ArgumentCondition {
  const [, path, kind, value = ''] = /^(\S+)\s+(equals|prefix|matches|max)\s(.*)$/.exec(line) ?? [];
  if (path === undefined) return { path: line };
  if (kind === 'prefix') return { path, prefix: value };
  if (kind === 'matches') return { path, matches: value };
  return kind === 'max' ? { path, max: Number(value) } : { path, equals: readValue(value) };
}

/** JSON, or a text that needs no quotes. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

/** Whether it says nothing of what it is about, and so fits everything. */
export function fitsAll(row: RuleRow): boolean {
  return Object.keys(ruleOf(row)).length === 1;
}

/** `rules[2].tags[0]: expected …`, as faults and warnings begin; null where it is about no rule. */
export function noteOf(message: string): RuleNote | null {
  const [, index, name, entry, member, text] =
    /^rules\[(\d+)\](?:\.(\w+))?(?:\[(\d+)\])?(?:\.(\w+))?: (.*)$/s.exec(message) ?? [];
  if (index === undefined || text === undefined) return null;
  const line = entry === undefined ? '' : `line ${Number(entry) + 1}: `;
  return {
    index: Number(index),
    field: isField(name) ? name : null,
    text: `${line}${member === undefined ? '' : `${member}: `}${text}`,
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
