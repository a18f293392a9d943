import { type TSchema, Type } from 'typebox';
import { printableForm, printablePattern, userIdForm, userIdPattern } from '../base/user-id.ts';

/**
 * What fields of requests and replies are made of. A schema with a `$id` is a component of the OpenAPI document and a named
 * type of the SDK: it stands there once, however often it is used here.
 */
export const strict = { additionalProperties: false };
/** A text that somebody sends. */
export const text = (maxLength: number) => Type.String({ minLength: 1, maxLength });
/** A text that people are shown. */
export const printable = (maxLength: number) =>
  Type.String({
    pattern: printablePattern(maxLength),
    description: printableForm(maxLength),
    examples: ['Ann at work'],
  });
export const idPath = Type.Object({ id: text(200) });
export const userId = Type.String({
  pattern: userIdPattern,
  description: userIdForm,
  examples: ['ann@example.com'],
});

/** A time in a reply, as ISO 8601 in UTC. */
export const time = Type.String({ format: 'date-time' });
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const textOrNull = orNull(Type.String());
/** An object whose members are somebody else's. */
export const anything = Type.Record(Type.String(), Type.Unknown());

export const deletedSchema = Type.Object(
  { id: Type.String(), deleted: Type.Literal(true) },
  { $id: 'Deleted' },
);
export const successSchema = Type.Object({ success: Type.Literal(true) }, { $id: 'Success' });
