import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Problem } from '../../base/problem.ts';

type Node = {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Node>>;
  /** Of members with names of the caller's choice. */
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly description?: string;
};

/** A check that returns the value or throws `invalid_request` naming the field and what was expected. */
export function validator(schema: TSchema, subject: string): (value: unknown) => unknown {
  const compiled = Compile(schema);
  const root = schema as Node;
  return (value) => {
    if (compiled.Check(value)) return value;
    const errors = compiled.Errors(value);
    const error =
      errors.find((each) => each.keyword === 'additionalProperties') ??
      errors.find((each) => each.keyword !== 'boolean') ??
      errors[0];
    throw new Problem(
      'invalid_request',
      error === undefined ? `${subject}: not as expected` : faultText(root, subject, error),
    );
  };
}

type ValidationError = { readonly keyword: string; readonly instancePath: string; readonly params: unknown };

function faultText(root: Node, subject: string, error: ValidationError): string {
  const steps = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const node = nodeAt(root, steps);
  const params = error.params as { requiredProperties?: string[]; additionalProperties?: string[] };
  const missing = params.requiredProperties?.[0];
  if (error.keyword === 'required' && missing !== undefined) {
    return `${fieldName([...steps, missing], subject)}: required; expected ${expectation(node?.properties?.[missing])}`;
  }
  const unknown = params.additionalProperties?.[0];
  if (error.keyword === 'additionalProperties' && unknown !== undefined) {
    return `${fieldName([...steps, unknown], subject)}: unknown field; expected ${Object.keys(node?.properties ?? {}).join(', ') || 'none'}`;
  }
  return `${fieldName(steps, subject)}: expected ${expectation(node)}`;
}

function nodeAt(root: Node, steps: readonly string[]): Node | undefined {
  let node: Node | undefined = root;
  for (const step of steps)
    node = /^\d+$/.test(step) && node?.items !== undefined ? node.items : memberOf(node, step);
  return node;
}

function memberOf(node: Node | undefined, name: string): Node | undefined {
  return node?.properties?.[name] ?? Object.values(node?.patternProperties ?? {})[0];
}

function fieldName(steps: readonly string[], subject: string): string {
  if (steps.length === 0) return subject;
  const name = steps.reduce(
    (path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path === '' ? step : `${path}.${step}`),
    '',
  );
  // What a caller sent comes back in our reply: keep it short and printable.
  return name.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}

function expectation(node: Node | undefined): string {
  if (node === undefined) return 'something else';
  if (node.description !== undefined) return node.description;
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`;
  switch (node.type) {
    case 'string':
      return node.maxLength === undefined
        ? 'a string'
        : `a string of ${node.minLength ?? 0} to ${node.maxLength} characters`;
    case 'integer':
      return range('an integer', node);
    case 'number':
      return range('a number', node);
    case 'array':
      return node.maxItems === undefined
        ? 'an array'
        : `an array of ${node.minItems ?? 0} to ${node.maxItems} items`;
    case 'boolean':
      return 'true or false';
    default:
      return `an ${node.type ?? 'object'}`;
  }
}

function range(noun: string, { minimum, maximum }: Node): string {
  if (minimum !== undefined && maximum !== undefined) return `${noun} from ${minimum} to ${maximum}`;
  return minimum === undefined ? noun : `${noun} of at least ${minimum}`;
}

/** Query strings carry text only: digits become numbers and true/false booleans where the schema wants them. */
export function coerceQuery(
  schema: TSchema,
  query: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const properties = (schema as Node).properties ?? {};
  return Object.fromEntries(
    Object.entries(query).map(([name, text]) => {
      const type = properties[name]?.type;
      if (type === 'integer' && typeof text === 'string' && /^\d{1,15}$/.test(text))
        return [name, Number(text)];
      if (type === 'boolean' && (text === 'true' || text === 'false')) return [name, text === 'true'];
      return [name, text];
    }),
  );
}
