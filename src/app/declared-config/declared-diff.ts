import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonObject } from '../../base/json.ts';
import type { Change, FieldChange } from '../declared-file/declared-model.ts';

/** What has to change, field by field; undefined where nothing has to. */
export function changeBetween(
  { kind, name }: Pick<Change, 'kind' | 'name'>,
  current: JsonObject | undefined,
  desired: JsonObject,
): Change | undefined {
  if (current === undefined) return { action: 'add', kind, name, fields: members(desired) };
  const fields = differences('', current, desired);
  return fields.length === 0 ? undefined : { action: 'change', kind, name, fields };
}

function members(object: JsonObject): FieldChange[] {
  return Object.entries(object).map(([field, to]) => ({ field, to }));
}

function differences(field: string, from: unknown, to: unknown): FieldChange[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (isObject(from) && isObject(to)) {
    const names = new Set([...Object.keys(from), ...Object.keys(to)]);
    return [...names].flatMap((name) =>
      differences(field === '' ? name : `${field}.${name}`, from[name], to[name]),
    );
  }
  if (isListOfObjects(from) && isListOfObjects(to)) {
    const length = Math.max(from.length, to.length);
    return Array.from({ length }).flatMap((_, i) => differences(`${field}[${i}]`, from[i], to[i]));
  }
  return [{ field, ...(from !== undefined && { from }), ...(to !== undefined && { to }) }];
}

function isListOfObjects(value: unknown): value is readonly JsonObject[] {
  return Array.isArray(value) && value.every(isObject);
}
