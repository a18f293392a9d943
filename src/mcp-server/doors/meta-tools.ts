/**
 * The three tools of a large catalogue. Their names, descriptions and schemas never change: clients cache prompts by
 * them, and the schema of a found tool travels in an answer instead of in the list.
 */
export const metaTools = [
  {
    name: 'search_tools',
    title: 'Search tools',
    description:
      'Find tools for a task among all connected MCP servers. Say in plain words what should be done. Answers the best tools with their server_id, name, description and input_schema; call one with call_tool. `connect` says what is missing where one cannot be called yet.',
    inputSchema: {
      type: 'object',
      properties: {
        query: {
          type: 'string',
          minLength: 1,
          maxLength: 1000,
          description: 'What should be done, in plain words',
        },
        limit: { type: 'integer', minimum: 1, maximum: 50, description: 'Tools to answer, 5 unless given' },
      },
      required: ['query'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'describe_tool',
    title: 'Describe a tool',
    description: 'The full description and input schema of one tool of one server.',
    inputSchema: {
      type: 'object',
      properties: {
        server_id: { type: 'string', description: 'As search_tools answered it' },
        name: { type: 'string', description: "The tool's name" },
      },
      required: ['server_id', 'name'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'call_tool',
    title: 'Call a tool',
    description: 'Call one tool of one server, with arguments that fit its input schema.',
    inputSchema: {
      type: 'object',
      properties: {
        server_id: { type: 'string', description: 'As search_tools answered it' },
        name: { type: 'string', description: "The tool's name" },
        arguments: { type: 'object', description: "As the tool's input schema wants them" },
      },
      required: ['server_id', 'name'],
      additionalProperties: false,
    },
    annotations: { openWorldHint: true },
  },
];

export const instructions =
  'One endpoint for many MCP servers. Use search_tools with the task in plain words, then call_tool with the server_id and name it answered. Search again when a tool does not fit.';
