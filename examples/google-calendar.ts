/**
 * Reads a user's calendar with Google's own client. Nobody but the service ever sees Google's tokens.
 *
 *   MCPRANK_URL=… MCPRANK_KEY=… npm run example examples/google-calendar.ts ada
 */
import { calendar } from '@googleapis/calendar';
import { MCPRankClient } from 'mcprank/client';

const { MCPRANK_URL: baseUrl = 'http://127.0.0.1:8787', MCPRANK_KEY: apiKey = '' } = process.env;
const user = new MCPRankClient({ baseUrl, apiKey }).user(process.argv[2] ?? 'ada');

const { connected } = await user.proxy('google').info();
if (!connected)
  await user.connect(
    { provider: 'google' },
    { open: ({ auth_url }) => console.log(`Please open ${auth_url}`) },
  );

// One line is different: where the client gets its `fetch` from.
const { events } = calendar({ version: 'v3', fetchImplementation: user.proxyFetch('google') });
const { data } = await events.list({ calendarId: 'primary' });
for (const { summary } of data.items ?? []) console.log(summary);
