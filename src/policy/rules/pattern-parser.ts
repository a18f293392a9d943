/** Reads the regular expressions that can be followed without going back; `linear-pattern.ts` runs them. */
export class PatternFault extends Error {}

export type CharacterTest = (code: number) => boolean;
export type PatternTree =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly PatternTree[] }
  | {
      readonly kind: 'repeat';
      readonly of: PatternTree;
      readonly least: number;
      /** Infinity: as often as it likes. */
      readonly most: number;
    };

const maxRepeat = 100;

/** Throws PatternFault, with the reason in words. */
export function parsePattern(pattern: string): PatternTree {
  return new Parser(pattern).whole();
}

const inRange = (from: string, to: string): CharacterTest => {
  const [least, most] = [codeOf(from), codeOf(to)];
  return (code) => code >= least && code <= most;
};
const any =
  (...tests: readonly CharacterTest[]): CharacterTest =>
  (code) =>
    tests.some((test) => test(code));
const not =
  (test: CharacterTest): CharacterTest =>
  (code) =>
    !test(code);
const is = (char: string): CharacterTest => inRange(char, char);

const digit = inRange('0', '9');
const wordCharacter = any(digit, inRange('a', 'z'), inRange('A', 'Z'), is('_'));
const space = any(...[...' \t\n\r\f\v\u00a0\u2028\u2029\ufeff'].map(is));
const newline = is('\n');
const namedClasses: ReadonlyMap<string, CharacterTest> = new Map([
  ['d', digit],
  ['D', not(digit)],
  ['w', wordCharacter],
  ['W', not(wordCharacter)],
  ['s', space],
  ['S', not(space)],
]);
const controls: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
  ['v', '\v'],
]);

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}

class Parser {
  readonly #chars: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#chars = [...pattern];
  }

  whole(): PatternTree {
    const tree = this.#choice();
    if (this.#at < this.#chars.length) throw new PatternFault('a ) that closes nothing');
    return tree;
  }

  #choice(): PatternTree {
    const of = [this.#sequence()];
    while (this.#take('|')) of.push(this.#sequence());
    return { kind: 'choice', of };
  }

  #sequence(): PatternTree {
    const of: PatternTree[] = [];
    while (this.#at < this.#chars.length && !this.#isAt('|') && !this.#isAt(')')) of.push(this.#repeated());
    return { kind: 'sequence', of };
  }

  #repeated(): PatternTree {
    const of = this.#atom();
    const times = this.#quantifier();
    if (times === null) return of;
    // Greedy or lazy makes no difference to whether it fits.
    this.#take('?');
    const [least, most] = times;
    return { kind: 'repeat', of, least, most };
  }

  #quantifier(): readonly [least: number, most: number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (!this.#isAt('{')) return null;
    const rest = this.#chars.slice(this.#at).join('');
    const found = /^\{(\d{1,4})(,(\d{1,4})?)?\}/.exec(rest);
    if (found === null) throw new PatternFault('a { that is no repetition; expected \\{ for the character');
    const [all, least = '0', comma, most] = found;
    this.#at += all.length;
    return checkTimes(
      Number(least),
      comma === undefined ? Number(least) : Number(most ?? Number.POSITIVE_INFINITY),
    );
  }

  #atom(): PatternTree {
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'character', test: this.#class() };
      case '.':
        return { kind: 'character', test: not(newline) };
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '\\':
        return { kind: 'character', test: this.#escape() };
      default:
        if ('*+?{'.includes(char)) throw new PatternFault('nothing that could be repeated');
        return { kind: 'character', test: is(char) };
    }
  }

  #group(): PatternTree {
    if (this.#take('?') && !this.#take(':'))
      throw new PatternFault('a group of a kind that needs going back');
    const inner = this.#choice();
    if (!this.#take(')')) throw new PatternFault('a ( that is not closed');
    return inner;
  }

  #class(): CharacterTest {
    const isNegated = this.#take('^');
    const tests: CharacterTest[] = [];
    do tests.push(this.#range());
    while (!this.#take(']'));
    const test = any(...tests);
    return isNegated ? not(test) : test;
  }

  #range(): CharacterTest {
    const from = this.#member();
    if (typeof from === 'function') return from;
    if (!this.#isAt('-') || this.#chars[this.#at + 1] === ']') return is(from);
    this.#at++;
    const to = this.#member();
    if (typeof to === 'function' || codeOf(to) < codeOf(from))
      throw new PatternFault('a range without an end');
    return inRange(from, to);
  }

  /** A character of a class, or a class by its name. */
  #member(): string | CharacterTest {
    const char = this.#next();
    return char === '\\' ? this.#escaped() : char;
  }

  #escape(): CharacterTest {
    const escaped = this.#escaped();
    return typeof escaped === 'function' ? escaped : is(escaped);
  }

  #escaped(): string | CharacterTest {
    const char = this.#next();
    const known = namedClasses.get(char) ?? controls.get(char);
    if (known !== undefined) return known;
    if (/[A-Za-z0-9]/.test(char)) throw new PatternFault(`\\${char} is not known, or needs going back`);
    return char;
  }

  #next(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new PatternFault('its end comes too early');
    return char;
  }

  #isAt(char: string): boolean {
    return this.#chars[this.#at] === char;
  }

  #take(char: string): boolean {
    if (!this.#isAt(char)) return false;
    this.#at++;
    return true;
  }
}

function checkTimes(least: number, most: number): readonly [number, number] {
  if (least > maxRepeat || (most > maxRepeat && Number.isFinite(most)))
    throw new PatternFault(`a repetition of more than ${maxRepeat} times`);
  if (most < least) throw new PatternFault('a repetition whose end is before its beginning');
  return [least, most];
}
