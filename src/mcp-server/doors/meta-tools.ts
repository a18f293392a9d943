import { mostCalls } from './call-many.ts';

/** Which tool, and with what: alone for call_tool, up to ten times for call_tools. */
const namedCall = {
  type: 'object',
  properties: {
    server_id: { type: 'string', description: 'As search_tools answered it' },
    name: { type: 'string', description: "The tool's name" },
    arguments: { type: 'object', description: "As the tool's input schema wants them" },
  },
  required: ['server_id', 'name'],
  additionalProperties: false,
};

/**
 * The four tools of a large catalogue. Their names and schemas never change, and the description of `search_tools` only when the
 * catalogue does: clients cache prompts by them. The schema of a found tool travels in an answer instead of in the list.
 */
const metaTools = [
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
    inputSchema: namedCall,
    annotations: { openWorldHint: true },
  },
  {
    name: 'call_tools',
    title: 'Call several tools',
    description: `Call up to ${mostCalls} tools at once, where none needs what another answers. Answers {results: [{server_id, name, result}]} in their order; one that fails does not stop the others.`,
    inputSchema: {
      type: 'object',
      properties: {
        calls: {
          type: 'array',
          minItems: 1,
          maxItems: mostCalls,
          items: namedCall,
        },
      },
      required: ['calls'],
      additionalProperties: false,
    },
    annotations: { openWorldHint: true },
  },
];

export const instructions =
  'One endpoint for many MCP servers. Use search_tools with the task in plain words, then call_tool with the server_id and name it answered. Search again when a tool does not fit.';

/** With what there is to find. */
export function metaToolsFor(contents: string) {
  return metaTools.map((tool) =>
    tool.name === 'search_tools' && contents !== ''
      ? { ...tool, description: `${tool.description} ${contents}` }
      : tool,
  );
}

/** Few servers by name; of many the operator's own and the most used, and what they are for. */
const shownNames = 12;
const shownCategories = 10;
const longestName = 60;
type Shown = { readonly name: string; readonly category: string | null };

/** Of the operator's own servers, and of others from the most used on. */
export function describeContents(own: readonly Shown[], others: readonly Shown[]): string {
  const servers = [...own, ...others];
  if (servers.length === 0) return '';
  const names = servers.slice(0, shownNames).map(({ name }) => plain(name).slice(0, longestName));
  const categories = [...new Set(servers.flatMap(({ category }) => category ?? []))].slice(
    0,
    shownCategories,
  );
  const among = servers.length > shownNames ? 'Among its servers: ' : 'Its servers: ';
  const about = categories.length === 0 ? '' : ` They are about ${categories.map(plain).join(', ')}.`;
  return `${among}${names.join(', ')}.${about}`;
}

/** A name is another's words: what it could break out of a sentence with goes. */
function plain(text: string): string {
  return text.replace(/[^\p{L}\p{N} ._/@&+-]+/gu, ' ').trim();
}
