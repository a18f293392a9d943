import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../../support/paths.ts';
import { python, pythonMissing } from '../../support/python.ts';

/** What stands in an MCP configuration, and a call that is answered offline. */
export type FleetProgram = {
  readonly name: string;
  readonly entry: {
    readonly command: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  readonly call: FleetCall;
  readonly missing: false | string;
};
export type FleetCall = readonly [tool: string, args: Record<string, unknown>, expected?: RegExp];

const packages = join(root, 'test/full/fleet/node_modules');
const own = join(root, 'node_modules');
const nothingListens = 'http://127.0.0.1:9';

type Node = readonly [
  name: string,
  call: FleetCall,
  options?: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly in?: string;
  },
];

/** Programs from npm. Where all tools need a service, what is compared is the refusal. */
const fromNpm = (sandbox: string): readonly Node[] => [
  ['@modelcontextprotocol/server-everything', ['echo', { message: 'hi' }, /Echo: hi/], { in: own }],
  [
    '@modelcontextprotocol/server-filesystem',
    ['list_directory', { path: sandbox }, /note\.md/],
    { in: own, args: [sandbox] },
  ],
  [
    '@modelcontextprotocol/server-memory',
    ['read_graph', {}, /entities/],
    { in: own, env: { MEMORY_FILE_PATH: join(sandbox, 'memory.json') } },
  ],
  [
    '@modelcontextprotocol/server-sequential-thinking',
    [
      'sequentialthinking',
      { thought: 'x', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
      /thoughtNumber/,
    ],
  ],
  ['@antv/mcp-server-chart', ['generate_pie_chart', { data: [] }]],
  ['@brave/brave-search-mcp-server', ['brave_web_search', {}], { env: { BRAVE_API_KEY: 'x' } }],
  ['@eslint/mcp', ['lint-files', { filePaths: [join(sandbox, 'none.js')] }]],
  ['@hubspot/mcp-server', ['hubspot-get-schemas', {}], { env: { PRIVATE_APP_ACCESS_TOKEN: 'x' } }],
  ['@pinecone-database/mcp', ['describe-index', {}], { env: { PINECONE_API_KEY: 'x' } }],
  ['@softeria/ms-365-mcp-server', ['list-accounts', {}, /accounts/]],
  ['airtable-mcp-server', ['list_tables', {}], { env: { AIRTABLE_API_KEY: 'x' } }],
  ['drawio-mcp-server', ['get-shape-categories', {}]],
  [
    'figma-developer-mcp',
    ['get_figma_data', { fileKey: '!' }],
    { args: ['--stdio'], env: { FIGMA_API_KEY: 'x' } },
  ],
  ['mcp-fetch-server', ['fetch_txt', { url: nothingListens }]],
  ['mcp-obsidian', ['search_notes', { query: 'note' }, /note/], { args: [sandbox] }],
  ['mcp-searxng', ['searxng_web_search', {}], { env: { SEARXNG_URL: nothingListens } }],
  ['mcp-server-code-runner', ['run-code', { languageId: 'javascript', code: 'console.log(6 * 7)' }, /42/]],
  ['tavily-mcp', ['tavily_search', {}], { env: { TAVILY_API_KEY: 'x' } }],
];

/** The reference servers in Python, and one built with FastMCP. */
const inPython = (
  sandbox: string,
): readonly (readonly [name: string, command: string, args: readonly string[], call: FleetCall])[] => [
  ['mcp-server-fetch (Python)', 'mcp-server-fetch', [], ['fetch', { url: nothingListens }]],
  ['mcp-server-git (Python)', 'mcp-server-git', [], ['git_status', { repo_path: sandbox }]],
  [
    'mcp-server-time (Python)',
    'mcp-server-time',
    [],
    [
      'convert_time',
      { source_timezone: 'Asia/Kolkata', time: '12:00', target_timezone: 'Asia/Tokyo' },
      /15:30/,
    ],
  ],
  [
    'FastMCP (Python)',
    'python',
    [join(root, 'test/full/python/fastmcp_server.py'), 'stdio'],
    ['numbers', {}, /1267650600228229401496703205376|1\.26/],
  ],
];

/** `sandbox`: a folder of the run's own with a note.md in it, in lower case: one of them reads no other. */
export function fleetPrograms(sandbox: string): readonly FleetProgram[] {
  const env = { PATH: process.env.PATH ?? '', HOME: sandbox };
  const missing: false | string = existsSync(packages)
    ? false
    : 'needs npm ci --ignore-scripts --prefix test/full/fleet';
  return [
    ...fromNpm(sandbox).map(([name, call, options = {}]) => ({
      name,
      call,
      entry: {
        command: process.execPath,
        args: [programOf(options.in ?? packages, name), ...(options.args ?? [])],
        env: { ...env, ...options.env },
      },
      missing: options.in === own ? false : missing,
    })),
    ...inPython(sandbox).map(([name, command, args, call]) => ({
      name,
      call,
      entry: { command: join(dirname(python[2]), command), args, env },
      missing: pythonMissing,
    })),
  ];
}

/** The entry of a package's first command. */
function programOf(modules: string, name: string): string {
  if (!existsSync(modules)) return '';
  const { bin } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as {
    readonly bin: string | Readonly<Record<string, string>>;
  };
  return join(modules, name, typeof bin === 'string' ? bin : (Object.values(bin)[0] ?? ''));
}
