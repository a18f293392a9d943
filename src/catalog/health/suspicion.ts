import type { Suspicion, SuspicionKind } from './health-model.ts';

/** A tool as its server words it, before anything was cleaned away. */
export type WordedTool = { readonly name: string; readonly description: string };

/**
 * Characters that a person reading does not see and a model may: zero-width ones, direction overrides, invisible
 * operators, tag characters (text in disguise), soft hyphens. The joiner inside emoji is left out.
 */
const hidden =
  /[\u00ad\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/u;

/** Orders to the model where a description of the tool belongs (tool poisoning). */
const imperatives = [
  /<\s*(important|system|instructions?|secret)\s*>/i,
  /\b(ignore|disregard|forget)\s+(all\s+|any\s+|your\s+|the\s+)*(previous|prior|above|earlier|other)\s+(instructions?|prompts?|rules|messages|tools)/i,
  /\b(do not|don't|never)\s+(tell|mention|inform|show|reveal|notify|alert)\b[^.]{0,40}\buser/i,
  /\bbefore\s+(using|calling|you\s+(use|call))\s+(this|any|other|the)\b[^.]{0,60}\b(must|always|first|read|call)\b/i,
  /\b(you|the (model|assistant|agent|llm|ai))\s+must\s+(always\s+|first\s+)?(read|call|send|include|pass|forward|upload)\b/i,
  /\balways\s+(call|use|run|invoke)\s+this\s+tool\s+(first|before|instead)/i,
  /(~\/|\/home\/|\$HOME\/)?\.(ssh|aws|gnupg)\/|\bid_rsa\b|\.cursor\/mcp\.json|claude_desktop_config/i,
  /\b(system|developer)\s+prompt\b[^.]{0,40}\b(reveal|print|include|repeat|send)|\b(reveal|print|repeat|send)\b[^.]{0,40}\b(system|developer)\s+prompt/i,
];
/** "Use this in place of that other tool". */
const replacing =
  /\b(instead of|in place of|replaces|overrides?|supersedes)\s+(the\s+)?[`'"]?([a-z][\w.-]{2,})[`'"]?(\s+tool)?/gi;

/** Flags for a person to judge: nothing here proves ill will, and its absence proves nothing either. */
export function suspicionsOf(tools: readonly WordedTool[]): Suspicion[] {
  const likeness = new Map<string, number>();
  for (const { name } of tools) likeness.set(fold(name), (likeness.get(fold(name)) ?? 0) + 1);
  const names = new Set(tools.map(({ name }) => name));
  return tools.flatMap((tool) => {
    const kinds: SuspicionKind[] = [];
    if (hidden.test(tool.name) || hidden.test(tool.description)) kinds.push('hidden_unicode');
    if (imperatives.some((order) => order.test(tool.description))) kinds.push('imperative');
    if ((likeness.get(fold(tool.name)) ?? 0) > 1 || isShadowing(tool, names)) kinds.push('shadowed_name');
    return kinds.length === 0 ? [] : [{ tool: tool.name, kinds }];
  });
}

/** Names that look alike: other case, other separators, letters of other scripts in compatible forms. */
function fold(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.-]+/g, '');
}

/** A description that puts this tool in the place of one that the same server does not have. */
function isShadowing({ name, description }: WordedTool, own: ReadonlySet<string>): boolean {
  for (const [, , , other = '', isTool] of description.matchAll(replacing))
    if (other !== name && !own.has(other) && (isTool !== undefined || /[_-]/.test(other))) return true;
  return false;
}
