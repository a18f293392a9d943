import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { defaultTextMapGetter, ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createTelemetry, createTracing } from '../../src/telemetry/telemetry.ts';
import { adminKey, handClock } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { agree, mitOf, startLoopback, startProtectedWorld } from '../support/mcp-oauth.ts';

type SpanJson = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status: { readonly code?: number };
};

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const clientSpan = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${clientSpan}-01`;
const modern = '2026-07-28';

/** A server of either age that says what it was sent. */
function startServer(
  t: TestContext,
  onCall: (name: string, meta: Record<string, string>) => void = () => undefined,
) {
  return startLoopback(t, ({ body }) => {
    const {
      id,
      method,
      params = {},
    } = JSON.parse(body || '{}') as {
      id?: number;
      method?: string;
      params?: { name?: string; _meta?: Record<string, string> };
    };
    if (method === 'tools/call') onCall(params.name ?? '', params._meta ?? {});
    if (method === 'notifications/initialized') return { status: 202, body: '' };
    if (method === 'server/discover')
      return { body: { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } } };
    const session = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x' } };
    if (method === 'initialize') return { body: { jsonrpc: '2.0', id, result: session } };
    if (params.name === 'fails')
      return { body: { jsonrpc: '2.0', id, result: { content: [], isError: true } } };
    if (params.name === 'unknown')
      return { body: { jsonrpc: '2.0', id, error: { code: -32602, message: 'unknown tool' } } };
    return { body: { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } } };
  });
}

/** Telemetry with a collector, and what it was told once the app is closed. */
async function startTelemetry(t: TestContext) {
  const collector = await startLoopback(t, () => ({ body: {} }));
  const faults: unknown[] = [];
  const lines: string[] = [];
  const tracing = await createTracing({
    endpoint: collector.url,
    serviceName: 'under test',
    version: '1',
    onError: (error) => void faults.push(error),
  });
  const telemetry = createTelemetry({ level: 'debug', write: (line) => void lines.push(line), tracing });
  return {
    telemetry,
    lines,
    url: collector.url,
    text: () => collector.seen.map(({ body }) => body).join(''),
    spans() {
      assert.deepEqual(faults, []);
      return collector.at('/v1/traces').flatMap(({ body }) => spansIn(body));
    },
  };
}

/** The app with that, and a server. */
async function bootTraced(t: TestContext) {
  const { telemetry, lines, text, spans } = await startTelemetry(t);
  const server = await startServer(t);
  const app = await bootMcp(t, { telemetry });
  await app.add('it', `${server.url}/mcp`);
  const told = async () => {
    await app.close();
    return spans();
  };
  return { app, server, lines, text, told };
}

function spansIn(body: string): SpanJson[] {
  const told = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: SpanJson[] }[] }[] };
  return told.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

const attributesOf = ({ attributes }: SpanJson) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** A server that is instrumented itself, with OpenTelemetry's own packages, and tells the same collector. */
async function startInstrumented(t: TestContext, collector: string) {
  const exporter = new OTLPTraceExporter({ url: `${collector}/v1/traces` });
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracer = provider.getTracer('server');
  const propagator = new W3CTraceContextPropagator();
  const server = await startServer(t, (name, meta) => {
    const parent = propagator.extract(ROOT_CONTEXT, meta, defaultTextMapGetter);
    tracer.startSpan(`the server's own ${name}`, { kind: SpanKind.SERVER }, parent).end();
  });
  return { server, told: () => provider.forceFlush() };
}

/** The names from a span up to the one without a parent here. */
function chainOf(spans: readonly SpanJson[], span: SpanJson | undefined): string[] {
  if (span === undefined) return [];
  return [
    span.name,
    ...chainOf(
      spans,
      spans.find(({ spanId }) => spanId === span.parentSpanId),
    ),
  ];
}

test('one trace from the client through us to the server, in fields and in _meta; nothing of the arguments is told', async (t) => {
  const { app, server, lines, text, told } = await bootTraced(t);
  const reply = await app.tool('it', 'echo', { text: 'a secret matter' }, { headers: { traceparent } });
  assert.equal(reply.status, 200, reply.text);
  const called = server.seen.find(({ body }) => body.includes('tools/call'));
  const { params } = JSON.parse(called?.body ?? '{}') as { params: { _meta: { traceparent: string } } };
  const spans = (await told()).filter((span) => span.traceId === traceId);
  const call = spans.find(({ name }) => name === 'tools/call echo');
  const post = spans.find(({ name, parentSpanId }) => name === 'POST' && parentSpanId === call?.spanId);
  assert.deepEqual(chainOf(spans, post), ['POST', 'tools/call echo', 'POST /v1/mcp/tools/call']);
  assert.equal(spans.find(({ name }) => name === 'POST /v1/mcp/tools/call')?.parentSpanId, clientSpan);
  assert.equal(params._meta.traceparent, `00-${traceId}-${call?.spanId}-01`);
  assert.equal(called?.headers.traceparent, `00-${traceId}-${post?.spanId}-01`);
  assert.deepEqual(
    [call?.kind, attributesOf(call as SpanJson)],
    [
      3,
      {
        'mcp.method.name': 'tools/call',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'echo',
        'mcprank.server.id': 'it',
      },
    ],
  );
  for (const name of ['authenticate', 'authorize', 'limit', 'mcp negotiate'])
    assert.ok(
      spans.some((span) => span.name === name),
      name,
    );
  const all = text();
  for (const secret of ['a secret matter', adminKey]) assert.ok(!all.includes(secret), secret);
  assert.match(all, /mcp\.client\.operation\.duration/);
  assert.match(all, /http\.server\.request\.duration/);
  assert.match(all, /"under test"/);
  assert.ok(lines.some((line) => line.includes('http.request.answered') && line.includes(traceId)));
});

test('one trace id from a client through us to a server that is instrumented itself', async (t) => {
  const { telemetry, spans, url } = await startTelemetry(t);
  const { server, told } = await startInstrumented(t, url);
  const app = await bootMcp(t, { telemetry });
  await app.add('it', `${server.url}/mcp`);
  assert.equal((await app.tool('it', 'echo', {}, { headers: { traceparent } })).status, 200);
  await told();
  await app.close();
  const all = spans().filter((span) => span.traceId === traceId);
  const own = all.find(({ name }) => name === "the server's own echo");
  const chain = ["the server's own echo", 'tools/call echo', 'POST /v1/mcp/tools/call'];
  assert.deepEqual(chainOf(all, own), chain);
});

test('a call at an MCP door is below what its _meta names, of either age; failures have their type', async (t) => {
  const { app, told } = await bootTraced(t);
  const meta = {
    'io.modelcontextprotocol/protocolVersion': modern,
    'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const ask = async (name: string, isModern: boolean) =>
    app.call('POST', '/mcp/servers/it', {
      headers: {
        accept: 'application/json, text/event-stream',
        ...(isModern && { 'mcp-protocol-version': modern, 'mcp-method': 'tools/call', 'mcp-name': name }),
      },
      body: {
        jsonrpc: '2.0',
        id: 7,
        method: 'tools/call',
        params: { name, arguments: {}, _meta: { ...(isModern && meta), traceparent } },
      },
    });
  assert.equal((await ask('echo', true)).status, 200);
  assert.equal((await ask('fails', false)).status, 200);
  assert.equal((await ask('unknown', false)).status, 200);
  const spans = await told();
  const served = (name: string) =>
    spans.find((span) => span.name === `tools/call ${name}` && span.kind === 2);
  const asked = (name: string) => spans.find((span) => span.name === `tools/call ${name}` && span.kind === 3);
  for (const name of ['echo', 'fails', 'unknown']) {
    assert.deepEqual([served(name)?.traceId, served(name)?.parentSpanId], [traceId, clientSpan], name);
    assert.equal(asked(name)?.parentSpanId, served(name)?.spanId, name);
  }
  assert.equal(attributesOf(served('echo') as SpanJson)['jsonrpc.request.id'], '7');
  assert.equal(attributesOf(asked('fails') as SpanJson)['error.type'], 'tool_error');
  assert.equal(attributesOf(asked('unknown') as SpanJson)['error.type'], '-32602');
  assert.equal(attributesOf(served('unknown') as SpanJson)['rpc.response.status_code'], '-32602');
});

test('a search has its parts, and a collector that is away costs a line and nothing else', async (t) => {
  const faults: unknown[] = [];
  const tracing = await createTracing({
    endpoint: 'http://127.0.0.1:9',
    serviceName: 'x',
    version: '1',
    timeoutMs: 100,
    onError: (error) => void faults.push(error),
  });
  const app = await bootMcp(t, { telemetry: createTelemetry({ level: 'silent', tracing }) });
  assert.equal((await app.call('POST', '/v1/search', { body: { query: 'mail' } })).status, 200);
  await app.close();
  assert.equal(faults.length, 1);

  const traced = await bootTraced(t);
  await traced.app.call('POST', '/v1/search', { body: { query: 'say it again' } });
  const spans = await traced.told();
  const ranked = spans.find(({ name }) => name === 'search rank');
  assert.deepEqual(chainOf(spans, ranked), ['search rank', 'search', 'POST /v1/search']);
  assert.ok(!JSON.stringify(spans).includes('say it again'));
});

test('a token that is renewed on the way is a span below the call; no token is told', async (t) => {
  const clock = handClock(Date.now());
  const traced = await startTelemetry(t);
  const { app, as, server, ann } = await startProtectedWorld(t, { clock, telemetry: traced.telemetry });
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', server_id: 's' },
  });
  await agree(String(opened.body.auth_url));
  assert.equal((await app.tool('s', 'whoami', {}, { headers: ann })).status, 200);
  clock.advance(3_601_000);
  const again = await app.tool('s', 'whoami', {}, { headers: await mitOf(app, 'ann') });
  assert.equal(again.status, 200, again.text);
  await app.close();
  const spans = traced.spans();
  const refresh = spans.find(({ name }) => name === 'refresh token');
  const chain = chainOf(spans, refresh);
  assert.deepEqual(chain, ['refresh token', 'tools/call whoami', 'POST /v1/mcp/tools/call']);
  assert.ok(spans.some(({ name, parentSpanId }) => name === 'POST' && parentSpanId === refresh?.spanId));
  const tokens = [...as.seen, ...server.seen].flatMap(({ headers, form }) => [
    headers.authorization?.replace('Bearer ', ''),
    form.get('refresh_token'),
    form.get('code'),
  ]);
  for (const token of tokens) if (token) assert.ok(!traced.text().includes(token), 'a token was told');
  assert.ok(tokens.some(Boolean));
});

test('without a collector nothing is added to what is sent', async (t) => {
  const server = await startServer(t);
  const app = await bootMcp(t);
  await app.add('it', `${server.url}/mcp`);
  assert.equal((await app.tool('it', 'echo', {}, { headers: { traceparent } })).status, 200);
  const called = server.seen.find(({ body }) => body.includes('tools/call'));
  assert.equal(called?.headers.traceparent, undefined);
  assert.ok(!called?.body.includes('traceparent'));
});
