import { type TSchema, Type } from 'typebox';
import { JsonFault, type JsonShape, type JsonView } from '../../base/json-scanner.ts';
import { isLarge } from '../../base/large-json.ts';
import { Problem } from '../../base/problem.ts';
import type { LifecycleStep } from '../lifecycle.ts';
import type { RequestContext } from '../request-context.ts';
import { isPassthrough, type JsonRoute, type Route } from '../route.ts';
import type { ArrivalDeadline } from './arrival-deadline.ts';
import {
  bodyKind,
  bodyLimitBytes,
  expectedType,
  isBodiless,
  parseForm,
  parseJsonBody,
  receiveBody,
  refuseBadText,
  scanJsonBody,
  scanLargeBody,
} from './body.ts';
import { coerceQuery, validator } from './validate.ts';

/** The step that takes in a body, where the route wants one whole. */
export function createReadBody(deadline: ArrivalDeadline): LifecycleStep {
  return (context) => {
    const { request, reply, route } = context;
    if (route === undefined || isPassthrough(route) || isBodiless(request)) return undefined;
    const kind = bodyKind(request.headers['content-type'] ?? '', route.form === true);
    if (kind === null) throw new Problem('invalid_request', expectedType(route.form === true));
    const limitBytes = route.maxBodyBytes ?? bodyLimitBytes;
    return receiveBody(request, reply, { limitBytes, deadline }).then((bytes) => {
      if (bytes === undefined) return undefined;
      context.bytes = bytes;
      if (route.rawBody === true) return undefined;
      if (kind === 'json') return readJson(context, route, bytes);
      context.body = parseForm(bytes);
      return undefined;
    });
  };
}

function readJson(context: RequestContext, route: JsonRoute, bytes: Buffer): undefined | Promise<void> {
  const { spans } = route;
  if (spans === undefined) {
    context.body = parseJsonBody(bytes);
    return undefined;
  }
  const shape = shapeFor(route, spans);
  const take = (view: JsonView) => {
    context.bytes = view.bytes;
    context.json = view;
    context.body = view.kind === 'object' ? valueAround(view, spans) : view.value();
  };
  if (isLarge(bytes))
    return scanLargeBody(bytes, shape)
      .then(take)
      .catch((error: unknown) => answerBroken(context, route, error));
  try {
    take(scanJsonBody(bytes, shape));
  } catch (error) {
    answerBroken(context, route, error);
  }
  return undefined;
}

/** The route may have an answer of its own for what is no JSON. */
function answerBroken(context: RequestContext, route: JsonRoute, error: unknown): void {
  const fault = error instanceof Problem ? error.cause : undefined;
  const isBroken = fault instanceof JsonFault && (fault.reason === 'syntax' || fault.reason === 'utf8');
  if (route.onBrokenJson === undefined || !isBroken) throw error;
  context.answer = route.onBrokenJson();
}

const shapes = new WeakMap<JsonRoute, JsonShape>();

/** Every member that the schema knows is read, so none of them may stand twice. */
function shapeFor(route: JsonRoute, spans: JsonShape): JsonShape {
  let shape = shapes.get(route);
  if (shape === undefined) {
    const { properties = {} } = (route.body ?? {}) as { properties?: Record<string, TSchema> };
    shape = { ...Object.fromEntries(Object.keys(properties).map((name) => [name, true as const])), ...spans };
    shapes.set(route, shape);
  }
  return shape;
}

/** The members of a body parsed, but for those that are passed on as they came: of these only the kind is looked at. */
function valueAround(view: JsonView, spans: JsonShape): Record<string, unknown> {
  const entries = view.noted().map(({ name, value: member }): readonly [string, unknown] => {
    if (spans[name] !== undefined) return [name, kindOnly(member)];
    const value = member.value();
    refuseBadText(value, name);
    return [name, value];
  });
  if (view.other !== undefined) entries.push([view.other, null]);
  return Object.fromEntries(entries);
}

function kindOnly(view: JsonView): unknown {
  if (view.kind === 'object') return {};
  return view.kind === 'array' ? [] : view.value();
}

/** The step that holds body, query and path against what the route declares. Throws `invalid_request` naming the field. */
export function createValidate(): LifecycleStep {
  const checks = new WeakMap<Route, (context: RequestContext) => RequestContext['input']>();
  return (context) => {
    const { route } = context;
    if (route === undefined || isPassthrough(route) || context.answer !== undefined) return;
    let check = checks.get(route);
    if (check === undefined) {
      check = compileChecks(route);
      checks.set(route, check);
    }
    context.input = check(context);
  };
}

function compileChecks({
  body,
  query,
  params,
  rawBody,
  uncheckedMembers,
}: JsonRoute): (context: RequestContext) => RequestContext['input'] {
  const checked = body === undefined || rawBody ? undefined : withoutMembers(body, uncheckedMembers);
  const checkBody = checked === undefined ? undefined : validator(checked, 'body');
  const checkQuery = query === undefined ? undefined : validator(query, 'query');
  const checkParams = params === undefined ? undefined : validator(params, 'path');
  return (context) => ({
    body: checkBody?.(context.body),
    query: query && checkQuery?.(coerceQuery(query, context.query)),
    params: checkParams?.(context.params),
  });
}

/** The schema with some members left to the handler. */
function withoutMembers(schema: TSchema, names: readonly string[] = []): TSchema {
  if (names.length === 0) return schema;
  const { properties, required, ...rest } = schema as TSchema & {
    properties: Record<string, TSchema>;
    required?: readonly string[];
  };
  const open = Object.fromEntries(names.map((name) => [name, Type.Unknown()]));
  return {
    ...rest,
    properties: { ...properties, ...open },
    required: (required ?? []).filter((name) => !names.includes(name)),
  } as unknown as TSchema;
}
