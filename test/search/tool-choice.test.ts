/** Which of a server's tools stands first: the one with what tells it from its server's others. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { SearchView } from '../../src/search/search.ts';
import { searchedServer, startSearchRoom } from '../support/search-room.ts';

const inputSchema = '{"type":"object"}';
const tool = (name: string, description: string) => ({ name, description, inputSchema });
const others = Array.from({ length: 30 }, (_, i) =>
  searchedServer(
    `other-${i}`,
    `${i % 3 !== 0 ? 'Sends' : 'Does'} something else, number ${i}, in place of it.`,
  ),
);
const tools = [
  tool('invoice_invoice', 'The invoice.'),
  tool('invoice_send', 'Sends.'),
  tool('invoice_list', 'Lists.'),
  tool('invoice_void', 'Voids.'),
];
const room = await startSearchRoom([...others, searchedServer('billing', 'Bills.', { tools })]);
after(room.close);

test('a word that all tools of a server have tells nothing of which one is meant', async () => {
  assert.equal((await room.ask('send an invoice')).tools[0], 'invoice_send');
});

test('hidden tools take no part in which of the others is first', async () => {
  const seen = new Set(['invoice_invoice', 'invoice_send']);
  const view: SearchView = {
    key: 'two tools',
    toolsOf: () => (one) => one === null || seen.has(one.name),
  };
  const hidden = await room.ask('send an invoice', { view });
  const two = tools.filter(({ name }) => seen.has(name));
  const alone = await startSearchRoom([...others, searchedServer('billing', 'Bills.', { tools: two })]);
  after(alone.close);
  assert.deepEqual(hidden.tools, (await alone.ask('send an invoice')).tools);
});
