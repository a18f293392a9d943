import { scrubText } from '../../catalog/catalog.ts';
import type { Program } from '../mcp-model.ts';

/** What is shorter is a word or a number: to mask it would mask the words around it. */
const leastSecretChars = 6;
const secretOption = /^--?[\w-]*(?:token|key|secret|passw|auth)[\w-]*/i;
/** So much of a line is read. */
export const maxReadChars = 8_000;

/** What a program writes, without the values that it was given to keep, and no longer than `maxChars`. */
export function createOutputMask(program: Program): (line: string, maxChars: number) => string {
  const masks = masksOf(program);
  const longest = masks[0]?.[0].length ?? 0;
  return (line, maxChars) => {
    let text = line.slice(0, maxReadChars);
    for (const [value, name] of masks) text = text.replaceAll(value, `[${name}]`);
    text = scrubText(text);
    // Where the line was cut may stand a half of one, which is not known.
    return (line.length > maxReadChars ? text.slice(0, -longest || text.length) : text).slice(0, maxChars);
  };
}

type Mask = readonly [value: string, name: string];

/** Every value of its environment, and of its arguments those that an option calls a secret; the longest first. */
function masksOf({ env, args }: Program): Mask[] {
  const ofArgs = args.flatMap((arg, i): Mask[] => {
    const name = secretOption.exec(arg)?.[0];
    if (name === undefined) return [];
    return [[arg.startsWith(`${name}=`) ? arg.slice(name.length + 1) : (args[i + 1] ?? ''), name]];
  });
  const ofEnv = Object.entries(env).map(([name, value]): Mask => [value, name]);
  return [...ofEnv, ...ofArgs]
    .filter(([value]) => value.length >= leastSecretChars)
    .sort(([a], [b]) => b.length - a.length);
}
