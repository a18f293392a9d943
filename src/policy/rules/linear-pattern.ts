/**
 * Regular expressions that come to an end: a text is read once, however the pattern is written, as all the places of the
 * pattern that are possible are followed together (Thompson's construction, as in RE2). What needs going back (back
 * references, look-around) is refused.
 */
import { type CharacterTest, PatternFault, type PatternTree, parsePattern } from './pattern-parser.ts';

type Node =
  | { readonly kind: 'character'; readonly test: CharacterTest; readonly next: number }
  | { readonly kind: 'start' | 'end'; readonly next: number }
  | { readonly kind: 'split'; readonly to: number[] }
  | { readonly kind: 'match' };
type Program = { readonly nodes: readonly Node[]; readonly begin: number };

/** The time that a text takes is at most its length times this. */
const maxNodes = 500;
/** Repetitions of nothing make no node, and must end as well. */
const maxParts = 5_000;

/** Tells whether the pattern fits some part of a text. Throws PatternFault. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const program = new Compiler().compile(parsePattern(pattern));
  return (text) => fitsPart(program, text);
}

class Compiler {
  readonly #nodes: Node[] = [{ kind: 'match' }];
  #parts = 0;

  compile(tree: PatternTree): Program {
    return { begin: this.#emit(tree, 0), nodes: this.#nodes };
  }

  #add(node: Node): number {
    if (this.#nodes.length >= maxNodes) throw new PatternFault('more than can be followed in time');
    return this.#nodes.push(node) - 1;
  }

  /** The node at which the tree begins, where `next` follows it. */
  #emit(tree: PatternTree, next: number): number {
    if (++this.#parts > maxParts) throw new PatternFault('more than can be followed in time');
    switch (tree.kind) {
      case 'character':
        return this.#add({ kind: 'character', test: tree.test, next });
      case 'sequence':
        return tree.of.reduceRight((follower, part) => this.#emit(part, follower), next);
      case 'choice':
        return this.#add({ kind: 'split', to: tree.of.map((part) => this.#emit(part, next)) });
      case 'repeat':
        return this.#emitRepeat(tree, next);
      default:
        return this.#add({ kind: tree.kind, next });
    }
  }

  #emitRepeat({ of, least, most }: Extract<PatternTree, { kind: 'repeat' }>, next: number): number {
    let begin = next;
    if (most === Number.POSITIVE_INFINITY) {
      const to = [next];
      begin = this.#add({ kind: 'split', to });
      to.push(this.#emit(of, begin));
    } else
      for (let i = least; i < most; i++)
        begin = this.#add({ kind: 'split', to: [next, this.#emit(of, begin)] });
    for (let i = 0; i < least; i++) begin = this.#emit(of, begin);
    return begin;
  }
}

function fitsPart({ nodes, begin }: Program, text: string): boolean {
  const places = new Places(nodes, text.length);
  let at = 0;
  for (const char of text) {
    if (places.enter(begin, at)) return true;
    at += char.length;
    if (places.advance(char.codePointAt(0) ?? 0, at)) return true;
  }
  return places.enter(begin, at);
}

/** Where in the pattern the text read so far may stand; each place once. */
class Places {
  readonly #nodes: readonly Node[];
  readonly #length: number;
  readonly #seenAt: Int32Array;
  #characters: number[] = [];

  constructor(nodes: readonly Node[], length: number) {
    this.#nodes = nodes;
    this.#length = length;
    this.#seenAt = new Int32Array(nodes.length).fill(-1);
  }

  /** Goes to a node, and on to what needs no character. True: the pattern is through. */
  enter(first: number, at: number): boolean {
    const open = [first];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (this.#seenAt[id] === at) continue;
      this.#seenAt[id] = at;
      const node = this.#nodes[id];
      if (node?.kind === 'match') return true;
      if (node?.kind === 'character') this.#characters.push(id);
      else if (node !== undefined) open.push(...this.#withoutCharacter(node, at));
    }
    return false;
  }

  #withoutCharacter(node: Exclude<Node, { kind: 'match' | 'character' }>, at: number): readonly number[] {
    if (node.kind === 'split') return node.to;
    return at === (node.kind === 'start' ? 0 : this.#length) ? [node.next] : [];
  }

  /** Past one character. True: the pattern is through. */
  advance(code: number, at: number): boolean {
    const before = this.#characters;
    this.#characters = [];
    for (const id of before) {
      const node = this.#nodes[id];
      if (node?.kind === 'character' && node.test(code) && this.enter(node.next, at)) return true;
    }
    return false;
  }
}
