import fc from 'fast-check';

type Node = {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
};

/** Values that a JSON Schema accepts (the part of it that our routes use), edges included. */
export function fitting(schema: Node): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(fitting));
  switch (schema.type) {
    case 'string':
      return fc
        .string({
          minLength: schema.minLength ?? 0,
          maxLength: Math.min(schema.maxLength ?? 40, 1000),
          unit: 'grapheme-composite',
        })
        .map((text) => [...text].slice(0, schema.maxLength ?? 40).join(''));
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1000 });
    case 'number':
      return fc.double({ min: schema.minimum ?? 0, max: schema.maximum ?? 1000, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(fitting(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      });
    case 'object':
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, each]) => [name, fitting(each)]),
        ),
        { requiredKeys: [...(schema.required ?? [])] },
      );
    default:
      return fc.jsonValue();
  }
}

/** A fitting value with something wrong or odd put somewhere into it; it may by chance still fit. */
export function spoiled(schema: Node): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.constantFrom<unknown>(null, true, -1, 1e308, '', [], {}, '\u202e', 'x'.repeat(5000)),
    fc.jsonValue({ maxDepth: 4 }),
  );
  const names = fc.oneof(
    fc.constantFrom(
      ...Object.keys(schema.properties ?? { a: {} }),
      '__proto__',
      'constructor',
      'toString',
      'length',
    ),
    fc.string(),
  );
  return fc.oneof(
    odd,
    fc.tuple(fitting(schema), names, odd).map(([value, name, wrong]) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong;
      const copy = structuredClone(value) as Record<string, unknown>;
      Object.defineProperty(copy, name, {
        value: wrong,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      return copy;
    }),
  );
}
