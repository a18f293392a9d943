import { Type } from 'typebox';
import { anything } from './field-schemas.ts';

const id = Type.Union([Type.String(), Type.Number()]);

/** One JSON-RPC message; batches went with the 2025-06-18 revision. */
export const rpcMessageSchema = Type.Object(
  {
    jsonrpc: Type.Literal('2.0'),
    id: Type.Optional(id),
    method: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    params: Type.Optional(anything),
  },
  { $id: 'RpcMessage' },
);

const errorSchema = Type.Object(
  { code: Type.Integer(), message: Type.String(), data: Type.Optional(Type.Unknown()) },
  { $id: 'RpcError' },
);
const envelope = {
  jsonrpc: Type.Literal('2.0'),
  id: Type.Union([...id.anyOf, Type.Null()]),
  result: Type.Optional(anything),
  error: Type.Optional(errorSchema),
};

/** What comes back: a result or an error. */
export const rpcReplySchema = Type.Object(envelope, { $id: 'RpcReply' });

/** The same of a call through `/v1/mcp/call`, which may come back with a question. */
export const rpcEnvelopeSchema = Type.Object(
  {
    ...envelope,
    status: Type.Optional(Type.Literal('input_required')),
    input_requests: Type.Optional(anything),
    approval: Type.Optional(
      Type.Object({ id: Type.String(), expires_at: Type.String(), url: Type.String() }),
    ),
    continuation: Type.Optional(Type.String()),
  },
  { $id: 'RpcEnvelope' },
);
