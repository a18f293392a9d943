import { isNode, LineCounter, parseDocument } from 'yaml';
import { Problem } from '../../base/problem.ts';

/** Where something stands in the file: names of members, and places in lists. */
export type FieldPath = readonly (string | number)[];

const faultsShown = 20;
/** Enough for a person's file; what multiplies itself through aliases is refused. */
const maxAliases = 1_000;

/** A file of the operator's, YAML or JSON, that collects what is wrong in it, with the line of each. */
export class DeclaredFile {
  readonly name: string;
  readonly value: unknown;
  readonly #faults: string[] = [];
  readonly #lineOf: (path: FieldPath) => number | null;

  constructor(name: string, text: string) {
    this.name = name;
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
    this.#lineOf = (path) => {
      for (let depth = path.length; depth >= 0; depth--) {
        const node: unknown = document.getIn(path.slice(0, depth), true);
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
      }
      return null;
    };
    for (const { message, pos } of [...document.errors, ...document.warnings])
      this.#faults.push(`line ${lines.linePos(pos[0]).line}: ${message}`);
    this.throwIfFaulty();
    try {
      this.value = document.toJS({ maxAliasCount: maxAliases });
    } catch (error) {
      this.fault([], error instanceof Error ? error.message : String(error));
      this.throwIfFaulty();
    }
  }

  fault(path: FieldPath, reason: string): void {
    const line = this.#lineOf(path);
    const field = fieldName(path);
    this.#faults.push(`${line === null ? '' : `line ${line}: `}${field === '' ? '' : `${field}: `}${reason}`);
  }

  /** What `act` answers, or undefined where it refuses: its refusal names a field below this one, or none. */
  check<T>(path: FieldPath, act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof Problem) || error.kind !== 'invalid_request') throw error;
      const { below, reason } = readRefusal(error.detail);
      this.fault([...path, ...below], reason);
      return undefined;
    }
  }

  /** Throws `invalid_request` with all of them. */
  throwIfFaulty(): void {
    const count = this.#faults.length;
    if (count === 0) return;
    const shown = this.#faults.slice(0, faultsShown).map((fault) => `  ${fault}`);
    const more = count > faultsShown ? [`  and ${count - faultsShown} more`] : [];
    throw new Problem(
      'invalid_request',
      [
        `${this.name} has ${count === 1 ? 'a fault' : `${count} faults`}, and nothing of it is applied:`,
        ...shown,
        ...more,
      ].join('\n'),
    );
  }
}

export function fieldName(path: FieldPath): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

/** `rules[0].effect: expected …`, as every check of ours says it. */
function readRefusal(detail: string): { readonly below: FieldPath; readonly reason: string } {
  const [, field, reason] = /^([A-Za-z_][\w$-]*(?:\[\d+\]|\.[\w$-]+)*): ([\s\S]*)$/.exec(detail) ?? [];
  if (field === undefined || reason === undefined) return { below: [], reason: detail };
  const steps = field.match(/[^.[\]]+/g) ?? [];
  return { below: steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step)), reason };
}
