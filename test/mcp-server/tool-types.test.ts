/** /mcp/t/{name}/types.ts: a toolset's tools as typed functions. */
import assert from 'node:assert/strict';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { toolTypes } from '../../src/mcp-server/doors/tool-types.ts';
import { runsOf } from '../support/full-run.ts';
import { bootMcp } from '../support/mcp-app.ts';

type Tools = Record<string, (args: unknown) => Promise<unknown>>;
type Module = { createTools(call: (name: string, args: unknown) => Promise<unknown>): Tools };

/** Runs what was generated, as a client of ours would. */
async function load(source: string): Promise<Module> {
  const code = stripTypeScriptTypes(source);
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as Module;
}

test('whatever a server says of its tools, the module loads and has a function for each, and nothing else', async () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('*/ throw new Error() /*', '\'"`\\', 'a\u2028b', '__proto__', 'constructor', 'a-b'),
  );
  const schema = fc.record({
    type: fc.constantFrom('object', 'array', 'string', ['string', 'null'], 'odd', 7),
    properties: fc.dictionary(hostile, fc.record({ type: fc.constant('integer'), enum: fc.array(hostile) })),
    required: fc.oneof(fc.array(hostile), fc.constant('x')),
    anyOf: fc.oneof(fc.constant(undefined), fc.array(fc.record({ const: hostile }))),
  });
  const tool = fc.record({ name: hostile, description: hostile, schema });
  await fc.assert(
    fc.asyncProperty(fc.array(tool, { maxLength: 4 }), async (tools) => {
      const aliased = tools.map(({ name, description, schema }, i) => ({
        alias: `server__tool_${i}`,
        serverId: 'server',
        tool: {
          name,
          description,
          inputSchema: JSON.stringify(schema),
          details: JSON.stringify({ outputSchema: schema }),
        },
      }));
      const called: unknown[] = [];
      const made = (await load(toolTypes(aliased, '/mcp/t/set'))).createTools(async (name, args) =>
        called.push([name, args]),
      );
      const names = aliased.map(({ alias }) => alias);
      assert.deepEqual(Object.keys(made), names);
      for (const name of names) await made[name]?.({ of: name });
      assert.deepEqual(
        called,
        names.map((name) => [name, { of: name }]),
      );
    }),
    { numRuns: runsOf(60) },
  );
});

test('types are those of the schemas, and only of what the caller sees', async (t) => {
  const app = await bootMcp(t);
  const inputSchema = {
    type: 'object',
    properties: {
      city: { type: 'string' },
      days: { type: 'integer' },
      unit: { enum: ['C', 'F'] },
      tags: { type: 'array', items: { type: 'string' } },
    },
    required: ['city'],
  };
  await app.add('sky', 'http://127.0.0.1:9/mcp', {
    tools: [{ name: 'forecast', description: 'The weather.', inputSchema }],
  });
  await app.add('hidden', 'http://127.0.0.1:9/two', { visibility: 'private', tools: [{ name: 'secret' }] });
  await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
  const key = await app.newKey();
  const reply = await app.call('GET', '/mcp/t/all/types.ts', { key });
  assert.equal(reply.status, 200, reply.text);
  assert.match(reply.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(
    reply.text,
    /sky__forecast: \(args: \{ city: string; days\?: number; unit\?: "C" \| "F"; tags\?: Array<string> \}\): Promise<unknown>/,
  );
  assert.doesNotMatch(reply.text, /secret/);
  assert.equal((await app.call('GET', '/mcp/t/none-such/types.ts', { key })).status, 404);
});
