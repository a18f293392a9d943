/**
 * The least a proxy in Node can do: fastify takes the request, undici.dispatch passes it on, bytes go back as they come.
 *   node bench/peers/proxy-gateway.ts UPSTREAM_ORIGIN
 */
import Fastify from 'fastify';
import { Agent } from 'undici';

const origin = process.argv[2] ?? '';
const agent = new Agent({ connections: 64, pipelining: 1 });
const app = Fastify();
app.get('/v1/proxy/bench/*', (request, reply) => {
  reply.hijack();
  const { raw } = reply;
  agent.dispatch(
    {
      origin,
      path: (request.raw.url ?? '').slice('/v1/proxy/bench'.length),
      method: 'GET',
      headers: { authorization: 'Bearer token' },
    },
    {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, status, headers) => void raw.writeHead(status, headers),
      onResponseData: (_controller, chunk) => void raw.write(chunk),
      onResponseEnd: () => void raw.end(),
      onResponseError: () => void raw.destroy(),
    },
  );
});
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);
