import {
  createMcpHandler,
  type Implementation,
  type InputRequests,
  inputRequired,
  type JSONRPCRequest,
  type McpRequestContext,
  ProtocolError,
  Server,
  type ServerCapabilities,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { isObject } from '../base/json.ts';
import { type Caller, type Json, type Mcp, UpstreamFailure } from '../mcp/mcp.ts';
import { serveInSession } from './session-passthrough.ts';

/**
 * One server of the catalogue as if it were called without us, for a client of either era: every method goes through,
 * what the server says of itself is said, its errors are its own, and what it tells on the way is told.
 */
export type PassThrough = {
  serve(request: Request, body: unknown, caller: Caller, serverId: string): Promise<Response>;
};

type Deps = { readonly mcp: Pick<Mcp, 'call' | 'relay'>; readonly version: string };
type Subject = {
  readonly caller: Caller;
  readonly serverId: string;
  /** The client's answers to questions have not the form that the revision gives them. */
  readonly misfit: boolean;
  /** The upstream's error, which the status of our reply has to match. */
  refused?: number;
};
type About = {
  readonly capabilities: ServerCapabilities;
  readonly info: Implementation;
  readonly instructions?: string;
};

/** Requests in which a server introduces itself. */
const introductions = new Set(['initialize', 'server/discover']);
/** The server could not be used (JSON-RPC 2.0 leaves -32000 to -32099 to implementations). */
const unusable = -32000;
const notFound = -32601;
const invalidParams = -32602;
const modernRevision = '2026-07-28';
/** What the revision wants the HTTP status of these errors to be: unknown method, header mismatch. */
const refusals: ReadonlyMap<number, number> = new Map([
  [notFound, 404],
  [-32020, 400],
]);
const needsModern =
  'The server asks for input in the middle of this call, which needs a client of the 2026-07-28 revision';

export function createPassThrough({ mcp, version }: Deps): PassThrough {
  const introduce = async ({ caller, serverId }: Subject): Promise<About> => {
    const answer = await mcp.call(caller, { serverId, method: 'server/discover' });
    const result = answer.kind === 'reply' && 'result' in answer.reply ? answer.reply.result : {};
    const {
      name = serverId,
      version: its = version,
      ...rest
    } = (result.serverInfo ?? {}) as Partial<Implementation>;
    return {
      capabilities: reachable((result.capabilities ?? {}) as ServerCapabilities),
      info: { ...rest, name, version: its },
      ...(typeof result.instructions === 'string' ? { instructions: result.instructions } : {}),
    };
  };

  const forward = async (subject: Subject, request: JSONRPCRequest, context: ServerContext, era: Era) => {
    const { caller, serverId, misfit } = subject;
    const { mcpReq } = context;
    // An upstream of an older revision would not look at them, and what it answered would pass for the answer to them.
    if (misfit)
      throw new ProtocolError(
        invalidParams,
        'inputResponses: expected an object with an object for each question',
      );
    const continuation = mcpReq.requestState<string>();
    const answer = await mcp.call(
      {
        ...caller,
        signal: mcpReq.signal,
        // Nobody waits for these; a client that has gone is found out by the answer.
        notice: (told) => void mcpReq.notify(told as never).catch(() => undefined),
      },
      {
        serverId,
        method: request.method,
        params: paramsOf(request),
        ...(continuation === undefined
          ? {}
          : { continuation, inputResponses: (mcpReq.inputResponses ?? {}) as Record<string, Json> }),
      },
    );
    if (answer.kind === 'input') {
      if (era === 'legacy') throw new ProtocolError(unusable, needsModern);
      return inputRequired({
        inputRequests: answer.inputRequests as unknown as InputRequests,
        requestState: answer.continuation,
      });
    }
    const { reply } = answer;
    if ('result' in reply) return reply.result;
    // That revision has no such method, and the older one's clients ask for it as soon as there is a log.
    if (era === 'legacy' && request.method === 'logging/setLevel' && reply.error.code === notFound) return {};
    subject.refused = reply.error.code;
    throw new ProtocolError(reply.error.code, reply.error.message, reply.error.data);
  };

  const makeServer = ({ era, authInfo }: McpRequestContext): Server => {
    const { subject, about } = (authInfo?.extra ?? {}) as { subject: Subject; about: About };
    const { capabilities, info, instructions } = about;
    const server = new Server(info, {
      capabilities,
      ...(instructions === undefined ? {} : { instructions }),
      inputRequired: { legacyShim: false },
    });
    server.fallbackRequestHandler = async (request, context) => {
      try {
        return await forward(subject, request, context, era);
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        throw new ProtocolError(unusable, error.detail, { reason: error.reason });
      }
    };
    return server;
  };
  const handler = createMcpHandler(makeServer, { maxSubscriptions: 1 });

  return {
    async serve(request, body, caller, serverId) {
      const { id = null, method = '' } = (body ?? {}) as { id?: unknown; method?: string };
      const isModern = request.headers.get('mcp-protocol-version') === modernRevision;
      const mirrored = isModern ? mirroredIn(request.headers) : undefined;
      const subject: Subject = {
        caller: mirrored === undefined ? caller : { ...caller, mirrored },
        serverId,
        misfit: isModern && !answersFit(body),
      };
      try {
        const call = { request, body, caller, serverId };
        const inSession = isModern ? null : await serveInSession(mcp, call);
        if (inSession !== null) return inSession;
        const about = introductions.has(method) ? await introduce(subject) : nobody;
        const reply = await handler.fetch(request, {
          parsedBody: body,
          authInfo: { token: '', clientId: caller.keyId, scopes: [], extra: { subject, about } },
        });
        const status = isModern ? refusals.get(subject.refused ?? 0) : undefined;
        return status === undefined ? reply : new Response(reply.body, { status, headers: reply.headers });
      } catch (failure) {
        if (!(failure instanceof UpstreamFailure)) throw failure;
        const { detail: message, reason } = failure;
        const error = { code: unusable, message, data: { reason } };
        return Response.json(
          { jsonrpc: '2.0', id, error },
          { status: request.method === 'POST' ? 200 : 502 },
        );
      }
    },
  };
}

type Era = McpRequestContext['era'];

/** For requests that no introduction is needed for. */
const nobody: About = { capabilities: {}, info: { name: 'mcprank', version: '0' } };

/** What a server promises to tell later, it could tell nobody: without a session there is no stream beside the requests. */
function reachable(capabilities: ServerCapabilities): ServerCapabilities {
  const { tools, prompts, resources, ...rest } = capabilities;
  return {
    ...rest,
    ...(tools === undefined ? {} : { tools: { ...tools, listChanged: false } }),
    ...(prompts === undefined ? {} : { prompts: { ...prompts, listChanged: false } }),
    ...(resources === undefined ? {} : { resources: { ...resources, listChanged: false } }),
  };
}

/** 2026-07-28, "InputResponses": absent, or an object by the questions' keys. */
function answersFit(body: unknown): boolean {
  const { inputResponses = {} } = ((body as { params?: unknown }).params ?? {}) as {
    inputResponses?: unknown;
  };
  return isObject(inputResponses) && Object.values(inputResponses as Json).every(isObject);
}

function mirroredIn(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('mcp-param-')));
}

function paramsOf({ params }: JSONRPCRequest): Json | undefined {
  return params as Json | undefined;
}
