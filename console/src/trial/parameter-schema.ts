/** The part of JSON Schema that a form is made of, as tools describe their parameters with it. */
export type ParameterSchema = {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, ParameterSchema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  /** What the values of `enum` are called. */
  readonly enumNames?: readonly string[];
  readonly items?: ParameterSchema;
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly ParameterSchema[];
  readonly oneOf?: readonly ParameterSchema[];
  readonly allOf?: readonly ParameterSchema[];
  readonly const?: unknown;
  readonly $ref?: string;
};

/** So many steps, all together, lead from a schema to what it stands for: one may refer to itself, and twice in each. */
const mostSteps = 64;
type Steps = { left: number };

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const isForms = listOf(isObject);

const kinds: Readonly<Record<string, Check>> = {
  type: (value) => isText(value) || listOf(isText)(value),
  title: isText,
  description: isText,
  properties: isObject,
  required: listOf(isText),
  enum: Array.isArray,
  enumNames: listOf(isText),
  items: isObject,
  format: isText,
  pattern: isText,
  minLength: isNumber,
  maxLength: isNumber,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  minItems: isNumber,
  maxItems: isNumber,
  anyOf: isForms,
  oneOf: isForms,
  allOf: isForms,
  $ref: isText,
};

/** What a server sent as a schema, without the members that are of no kind that one has: they say nothing. */
function readable(schema: unknown): ParameterSchema {
  if (!isObject(schema)) return {};
  const members = Object.entries(schema as object);
  return members.every(([name, value]) => kinds[name]?.(value) !== false)
    ? (schema as ParameterSchema)
    : Object.fromEntries(members.filter(([name, value]) => kinds[name]?.(value) !== false));
}

/** What a schema stands for: what it refers to in `root`, the only form it has beside null, a choice of constants. */
export function resolved(
  schema: ParameterSchema,
  root: ParameterSchema,
  steps: Steps = { left: mostSteps },
): ParameterSchema {
  let found = readable(schema);
  while (steps.left-- > 0) {
    const next = readable(resolvedOnce(found, root, steps));
    if (next === found) break;
    found = next;
  }
  return found;
}

/** What is said beside a reference counts more than what is said there. */
function resolvedOnce(schema: ParameterSchema, root: ParameterSchema, steps: Steps): ParameterSchema {
  const { $ref, allOf, anyOf, oneOf, const: constant, ...said } = schema;
  if (constant !== undefined) return { ...said, enum: [constant] };
  if ($ref !== undefined) return { ...targetOf($ref, root), ...said };
  if (allOf !== undefined && allOf.length > 0)
    return [...allOf.map((form) => resolved(form, root, steps)), schemaWithout(schema)].reduce(both);
  const forms = (anyOf ?? oneOf ?? []).filter(({ type }) => type !== 'null');
  const [only] = forms;
  if (only === undefined) return schema;
  if (forms.length === 1) return { ...only, ...said };
  const constants = forms.map((form) => form.const);
  if (constants.includes(undefined)) return schema;
  return {
    ...said,
    enum: constants,
    enumNames: forms.map(({ title, const: value }) => title ?? String(value)),
  };
}

function schemaWithout({ allOf: _, ...said }: ParameterSchema): ParameterSchema {
  return said;
}

/** What two schemas say together; of what both say, the second counts. */
function both(one: ParameterSchema, other: ParameterSchema): ParameterSchema {
  const required = [...new Set([...(one.required ?? []), ...(other.required ?? [])])];
  return {
    ...one,
    ...other,
    ...(one.properties && other.properties && { properties: { ...one.properties, ...other.properties } }),
    ...(required.length > 0 && { required }),
  };
}

/** The objects of which a value is one, each with what is said of all; none where it is no such choice. */
export function variantsOf(schema: ParameterSchema, root: ParameterSchema): readonly ParameterSchema[] {
  const { anyOf, oneOf, ...said } = schema;
  const forms = (oneOf ?? anyOf ?? []).map((form) => resolved(form, root));
  if (forms.length < 2 || !forms.every(({ properties }) => properties !== undefined)) return [];
  return forms.map((form) => ({
    ...said,
    ...form,
    type: 'object',
    properties: { ...said.properties, ...form.properties },
    required: [...(said.required ?? []), ...(form.required ?? [])],
  }));
}

/** What a variant is called: as it is titled, by its constants, else by its members. */
export function variantName({ title, properties = {} }: ParameterSchema): string {
  const constants = Object.values(properties).flatMap(({ const: value, enum: values }) =>
    value === undefined ? (values?.length === 1 ? [String(values[0])] : []) : [String(value)],
  );
  return title ?? (constants.join(', ') || Object.keys(properties).join(', '));
}

/** `#/$defs/Name`; nothing where it is not there, or elsewhere. */
function targetOf(ref: string, root: ParameterSchema): ParameterSchema {
  if (!ref.startsWith('#/')) return {};
  let at: unknown = root;
  for (const step of ref.slice(2).split('/')) {
    const member = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, member)) return {};
    at = (at as Readonly<Record<string, unknown>>)[member];
  }
  return typeof at === 'object' && at !== null ? (at as ParameterSchema) : {};
}

export function typeName(schema: ParameterSchema): string {
  const { type, enum: values, items, anyOf, oneOf } = readable(schema);
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' | ');
  if (type === 'array') return items === undefined ? 'array' : `${typeName(items)}[]`;
  if (Array.isArray(type)) return type.join(' | ');
  if (typeof type === 'string') return type;
  const forms = anyOf ?? oneOf;
  return forms === undefined ? 'any' : forms.map(typeName).join(' | ');
}
