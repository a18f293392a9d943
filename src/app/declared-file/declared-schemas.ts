import { Type } from 'typebox';
import { strict } from '../../api/field-schemas.ts';

/** Looked at when the server is read, in words of its own. */
const any = Type.Optional(Type.Unknown());
const flag = Type.Optional(Type.Boolean());
const string = Type.Optional(Type.String());
const texts = Type.Optional(Type.Array(Type.String()));

const tool = Type.Object(
  {
    ...{ name: any, description: any, inputSchema: any, input_schema: any, title: any, outputSchema: any },
    ...{ icons: any, execution: any, _meta: any },
    annotations: Type.Optional(
      Type.Object({
        ...{ title: string, readOnlyHint: flag, destructiveHint: flag },
        ...{ idempotentHint: flag, openWorldHint: flag },
      }),
    ),
  },
  strict,
);
const userVariable = Type.Object(
  {
    ...{ description: any, choices: any, default: string },
    ...{ required: flag, secret: flag, isRequired: flag, isSecret: flag, is_required: flag, is_secret: flag },
  },
  strict,
);

/**
 * What stands below a server's members, and what an import leaves out where it cannot use it: in a file that is a typing
 * error. Members that are null are absent.
 */
export const serverBelowSchema = Type.Object({
  verified: flag,
  popularity: Type.Optional(
    Type.Union([Type.Number(), Type.Object({})], { description: 'a number, or an object of numbers' }),
  ),
  repository_url: string,
  launch: Type.Optional(
    Type.Object(
      { registryType: any, identifier: any, version: any, runtimeHint: any, args: texts, env: texts },
      strict,
    ),
  ),
  client_credentials: Type.Optional(
    Type.Object(
      { issuer: any, client_id: any, client_secret: any, client_key: any, workload_token: any, scopes: any },
      strict,
    ),
  ),
  user_credentials: Type.Optional(
    Type.Object({ headers: any, variables: Type.Optional(Type.Record(Type.String(), userVariable)) }, strict),
  ),
  tools: Type.Optional(Type.Array(tool)),
});
