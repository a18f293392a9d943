import { join } from 'node:path';

/** Programs that `mcprank connect` writes an entry for; docs/clients.md shows the same entries. */
export const clientNames = ['claude-code', 'cursor', 'vscode', 'claude-desktop'] as const;
export type ClientName = (typeof clientNames)[number];

export type Machine = {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

type Client = {
  readonly title: string;
  /** The member of the file that its servers stand in. */
  readonly member: 'mcpServers' | 'servers';
  file(machine: Machine): string;
  entry(url: string, authorization: string): Record<string, unknown>;
};

const byHeader = (url: string, authorization: string) => ({ url, headers: { Authorization: authorization } });

export const clients: Readonly<Record<ClientName, Client>> = {
  'claude-code': {
    title: 'Claude Code',
    member: 'mcpServers',
    file: ({ home, environment }) => join(environment.CLAUDE_CONFIG_DIR ?? home, '.claude.json'),
    entry: (url, authorization) => ({ type: 'http', ...byHeader(url, authorization) }),
  },
  cursor: {
    title: 'Cursor',
    member: 'mcpServers',
    file: ({ home }) => join(home, '.cursor', 'mcp.json'),
    entry: byHeader,
  },
  vscode: {
    title: 'VS Code',
    member: 'servers',
    file: (machine) => join(applicationData(machine), 'Code', 'User', 'mcp.json'),
    entry: (url, authorization) => ({ type: 'http', ...byHeader(url, authorization) }),
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    member: 'mcpServers',
    file: (machine) => join(applicationData(machine), 'Claude', 'claude_desktop_config.json'),
    // It starts programs only. The key is in the environment: arguments can be read by everybody on the machine.
    entry: (url, authorization) => ({
      command: 'npx',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: mcp-remote replaces it.
      args: ['-y', 'mcp-remote', url, '--header', 'Authorization:${MCPRANK_AUTH}'],
      env: { MCPRANK_AUTH: authorization },
    }),
  },
};

/** Where Electron's programs keep their settings: https://www.electronjs.org/docs/latest/api/app#appgetpathname */
function applicationData({ platform, home, environment }: Machine): string {
  if (platform === 'darwin') return join(home, 'Library', 'Application Support');
  if (platform === 'win32') return environment.APPDATA ?? join(home, 'AppData', 'Roaming');
  return environment.XDG_CONFIG_HOME ?? join(home, '.config');
}
