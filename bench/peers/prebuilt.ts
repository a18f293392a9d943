/** What the framework can do at best: a validated POST answered with the same bytes every time. */
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';

const reply = readFileSync(process.argv[2] ?? '');
const app = Fastify();
app.post(
  '/v1/search',
  {
    schema: {
      body: {
        type: 'object',
        required: ['query'],
        properties: { query: { type: 'string', minLength: 1, maxLength: 1000 } },
      },
    },
  },
  (_request, answer) => {
    answer.type('application/json; charset=utf-8').send(reply);
  },
);
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);
