import { isDeepStrictEqual } from 'node:util';
import { createBoundedCache } from '../../base/bounded-cache.ts';
import { itemsOf, type JsonView, membersOf } from '../../base/json-scanner.ts';
import { Problem } from '../../base/problem.ts';
import type { ArgumentCondition, Effect } from '../policy-model.ts';
import { compilePattern } from './linear-pattern.ts';
import { PatternFault } from './pattern-parser.ts';

/** The arguments of a call; null: it has none, undefined: they are not known (what is shown, not called). */
export type CallArguments = JsonView | null | undefined;

/** Whether something holds; null: nobody can tell. */
type Answer = boolean | null;

/** Characters of a text that a pattern is held against. */
const maxTextLength = 20_000;

/**
 * Whether the arguments are such as a rule is about. What cannot be told (a member that stands twice, a text too long for its
 * pattern, a number that no two programs read alike) counts against the caller: such a rule fits where it denies or asks, and
 * does not where it allows. Of several values under one path an allow needs all of them to hold, the others one.
 */
export function fitsArguments(
  conditions: readonly ArgumentCondition[],
  args: CallArguments,
  effect: Effect,
): boolean {
  // What may be shown is what some call may do.
  if (args === undefined) return effect !== 'deny';
  const answers = conditions.map((condition) => holds(condition, args, effect));
  if (answers.includes(false)) return false;
  return effect === 'allow' ? !answers.includes(null) : true;
}

/** Throws `invalid_request` for a condition that can never be looked at; `field` is where it stands. */
export function checkCondition(condition: ArgumentCondition, field: string): void {
  const { equals, prefix, matches, max } = condition;
  const said = [equals, prefix, matches, max].filter((each) => each !== undefined);
  if (said.length !== 1)
    throw new Problem('invalid_request', `${field}: expected one of equals, prefix, matches, max`);
  if (matches === undefined) return;
  try {
    compilePattern(matches);
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    throw new Problem(
      'invalid_request',
      `${field}.matches: expected a regular expression without backtracking; it has ${error.message}`,
    );
  }
}

function holds(condition: ArgumentCondition, args: JsonView | null, effect: Effect): Answer {
  const found = valuesAt(args === null ? [] : [args], stepsOf(condition.path));
  if (found === null) return null;
  const answers = found.map((value) => holdsOf(condition, value));
  const [wanted, other] = effect === 'allow' ? [false, true] : [true, false];
  if (answers.length === 0) return false;
  if (answers.includes(wanted)) return wanted;
  return answers.includes(null) ? null : other;
}

/** `a.b.0`, `$.a`, or a JSON pointer (RFC 6901), for members whose names have dots. */
function stepsOf(path: string): readonly string[] {
  if (path.startsWith('/'))
    return path
      .slice(1)
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return path.replace(/^\$\.?/, '').split('.');
}

/** What stands there; null: a member on the way stands twice, and programs read different ones. */
function valuesAt(from: readonly JsonView[], steps: readonly string[]): readonly JsonView[] | null {
  let values = from;
  for (const step of steps) {
    const next = values.map((value) => below(value, step));
    if (next.includes(null)) return null;
    values = next.flatMap((some) => some ?? []);
  }
  return values;
}

function below(value: JsonView, step: string): readonly JsonView[] | null {
  if (value.kind === 'array') {
    const items = itemsOf(value);
    return step === '*' ? items : items.filter((_, i) => String(i) === step);
  }
  const members = membersOf(value);
  if (step === '*')
    return new Set(members.map(({ name }) => name)).size < members.length
      ? null
      : members.map((member) => member.value);
  const named = members.filter(({ name }) => name === step);
  return named.length > 1 ? null : named.map((member) => member.value);
}

function holdsOf({ equals, prefix, matches, max }: ArgumentCondition, value: JsonView): Answer {
  if (max !== undefined) return value.kind === 'number' && Number(value.text()) <= max;
  if (equals !== undefined) return isEqual(value, equals);
  const text = value.string();
  if (text === undefined) return false;
  if (prefix !== undefined) return text.startsWith(prefix);
  return text.length > maxTextLength ? null : testOf(matches ?? '')(text);
}

function isEqual(value: JsonView, equals: unknown): Answer {
  if (value.kind !== 'number') return isDeepStrictEqual(value.value(), equals);
  const number = Number(value.text());
  // Beyond 2^53 neighbours are one number to us, and perhaps not to the server.
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? null : number === equals;
}

const tests = createBoundedCache<(text: string) => boolean>(1_000);

function testOf(pattern: string): (text: string) => boolean {
  const known = tests.get(pattern);
  if (known !== undefined) return known;
  const test = compilePattern(pattern);
  tests.set(pattern, test);
  return test;
}
