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

const mostSteps = 8;

/** What a schema stands for: what it refers to in `root`, the only form it has beside null, a choice of constants. */
export function resolved(schema: ParameterSchema, root: ParameterSchema): ParameterSchema {
  let found = schema;
  for (let step = 0; step < mostSteps; step++) {
    const next = resolvedOnce(found, root);
    if (next === found) break;
    found = next;
  }
  return found;
}

/** What is said beside a reference counts more than what is said there. */
function resolvedOnce(schema: ParameterSchema, root: ParameterSchema): ParameterSchema {
  const { $ref, allOf, anyOf, oneOf, const: constant, ...said } = schema;
  if (constant !== undefined) return { ...said, enum: [constant] };
  if ($ref !== undefined) return { ...targetOf($ref, root), ...said };
  const [whole] = allOf ?? [];
  if (whole !== undefined && allOf?.length === 1) return { ...whole, ...said };
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

export function typeName({ type, enum: values, items, anyOf, oneOf }: ParameterSchema): string {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' | ');
  if (type === 'array') return items === undefined ? 'array' : `${typeName(items)}[]`;
  if (Array.isArray(type)) return type.join(' | ');
  if (typeof type === 'string') return type;
  const forms = anyOf ?? oneOf;
  return forms === undefined ? 'any' : forms.map(typeName).join(' | ');
}
