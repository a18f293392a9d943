/** A small catalogue in the documented format: enough to rank, small enough to read. */
export const fixtureServers = [
  {
    id: 'com.example/mail',
    name: 'Example Mail',
    description: 'Send, read and search e-mail in a mailbox.',
    remote_url: 'https://mail.example.com/mcp',
    auth_type: 'oauth2',
    category: 'communication',
    tools: [
      {
        name: 'send_email',
        description: 'Send an e-mail to one or more people.',
        inputSchema: { type: 'object', properties: { to: { type: 'string' }, subject: { type: 'string' } } },
      },
      {
        name: 'search_mailbox',
        description: 'Find messages by words, sender or date.',
        inputSchema: { type: 'object', properties: { query: { type: 'string' } } },
      },
    ],
  },
  {
    id: 'com.example/calendar',
    name: 'Example Calendar',
    description: 'Create, move and list events of a calendar.',
    remote_url: 'https://calendar.example.com/mcp',
    category: 'productivity',
    tools: [
      {
        name: 'create_event',
        description: 'Put an event into the calendar.',
        inputSchema: { type: 'object', properties: { start: { type: 'string' } } },
      },
    ],
  },
  {
    id: 'local-database',
    name: 'SQL database',
    description: 'Query a relational database with SQL.',
    transport: 'stdio',
    category: 'databases',
    tools: [
      { name: 'run_query', description: 'Run a read-only SQL statement.', inputSchema: { type: 'object' } },
    ],
  },
  {
    id: 'bare',
    name: 'Weather',
    description: 'Forecasts and current conditions for a place.',
    remote_url: 'https://weather.example.com/mcp',
    tools: [],
  },
] as const;
