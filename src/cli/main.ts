import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { exitCodes, fail } from './output.ts';
import { typedCommand, withTypedCommands } from './typed-command.ts';

/**
 * A person's way in. Every command imports what it needs when it runs, so that `--help` answers at once.
 */
const program = new Command(typedCommand())
  .description('Find the right MCP server and tool, call it, and act for a user.')
  .option('--json', 'print JSON, for programs')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .addHelpText(
    'after',
    withTypedCommands(`
Settings come from the environment; \`mcprank doctor\` shows them and tries everything they name.
Exit codes: ${Object.entries(exitCodes)
      .map(([name, code]) => `${code} ${name}`)
      .join(', ')}.`),
  );

const integer = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  return value;
};
const json = () => program.opts<{ json?: true }>().json === true;

program
  .command('serve')
  .description('serve the HTTP API until stopped')
  .option('--mcp-config <file>', "a desktop client's {mcpServers} file: those servers join the catalogue")
  .action(async (options: { mcpConfig?: string }) => (await import('./serve-command.ts')).serve(options));

program
  .command('search')
  .description('search the store without a server')
  .argument('<query>', 'what is wanted, in plain words')
  .option('-n, --limit <n>', 'servers to show', integer(1, 50), 5)
  .option('--explain', 'show why each server stands where it stands')
  .action(async (query: string, options: { limit: number; explain?: true }) =>
    (await import('./search-command.ts')).search(query, options, json()),
  );

program
  .command('explain')
  .description('show why a server stands where it stands for a query')
  .argument('<query>', 'as it was searched')
  .argument('<server_id>')
  .option('--developer <id>', 'as this developer sees it (dev_…), own outcomes included')
  .action(async (query: string, id: string, options: { developer?: string }) =>
    (await import('./explain-command.ts')).explain(query, id, options.developer, json()),
  );

program
  .command('learning')
  .description('what is learned from')
  .command('export')
  .description('write recorded outcomes, with the searches they followed, as JSON Lines')
  .argument('<file>')
  .action(async (file: string) => (await import('./learning-command.ts')).exportLearning(file, json()));

const keys = program.command('keys').description('API keys');
keys
  .command('create')
  .description('make a key; its text is printed once')
  .requiredOption('--developer <name>', 'whose key; a new name makes a new tenant')
  .option('--name <name>', 'what the key is for', 'unnamed')
  .option('--tier <tier>', 'free, pro, enterprise or a tier of MCPRANK_TIERS', 'free')
  .option(
    '--scopes <list>',
    'with commas: search,invocations,identity,proxy,mcp,approve,admin (all but the last two)',
  )
  .option('--expires <time>', 'ISO 8601, for example 2027-01-31')
  .action(
    async (options: { developer: string; name: string; tier: string; scopes?: string; expires?: string }) =>
      (await import('./keys-command.ts')).createKey(options, json()),
  );
keys
  .command('list')
  .description('all keys, without their texts')
  .action(async () => (await import('./keys-command.ts')).listKeys(json()));
keys
  .command('revoke')
  .description('stop a key; running servers refuse it within a second')
  .argument('<key_id>')
  .action(async (id: string) => (await import('./keys-command.ts')).revokeKey(id, json()));

const servers = program.command('servers').description('servers of the catalogue');
servers
  .command('add')
  .description('add or change one server')
  .argument('<id>')
  .requiredOption('--name <name>', 'its name')
  .option('--description <text>', 'what it is for', '')
  .option('--url <url>', 'where it is reached')
  .option('--transport <transport>', 'streamable-http, sse or stdio')
  .action(
    async (id: string, options: { name: string; description: string; url?: string; transport?: string }) =>
      (await import('./servers-command.ts')).addServer(id, options, json()),
  );
servers
  .command('list')
  .description('the catalogue by id')
  .option('-n, --limit <n>', 'servers to show', integer(1, 100_000), 50)
  .action(async (options: { limit: number }) =>
    (await import('./servers-command.ts')).listServers(options, json()),
  );
servers
  .command('remove')
  .description('take a server out; its id answers 410 from then on')
  .argument('<id>')
  .action(async (id: string) => (await import('./servers-command.ts')).removeServer(id, json()));

servers
  .command('probe')
  .description('connect now: is it alive, how does it speak, which tools, what changed')
  .argument('<id>')
  .action(async (id: string) => (await import('./servers-command.ts')).probeServer(id, json()));

const catalog = program.command('catalog').description('fill the catalogue');
catalog
  .command('import')
  .description('import JSON Lines, JSON, server.json, or a folder of them')
  .argument('<path>')
  .option('--replace', 'remove servers of earlier imports that are not in it')
  .action(async (path: string, options: { replace?: true }) =>
    (await import('./catalog-command.ts')).importCatalog(path, options, json()),
  );
catalog
  .command('sync')
  .description('sync from MCPRANK_REGISTRY_URL now')
  .action(async () => (await import('./catalog-command.ts')).syncCatalog(json()));

program
  .command('apply')
  .description('make servers, toolsets, keys and providers as a YAML or JSON file says; says what it changes')
  .argument('<file>', 'the file; - for standard input')
  .option('--plan', 'show the changes and make none')
  .action(async (file: string, options: { plan?: true }) =>
    (await import('./apply-command.ts')).apply(file, options, json()),
  );
program
  .command('export')
  .description('write what `apply` takes: servers, toolsets, and keys by their digests')
  .argument('[file]', 'standard output unless given')
  .action(async (file: string | undefined) =>
    (await import('./export-command.ts')).exportConfiguration(file, json()),
  );

program
  .command('connect')
  .description("write this service into a client's settings, with a key of its own")
  .argument('<client>', 'claude-code, cursor, vscode or claude-desktop')
  .option('--undo', 'take the entry out again and revoke its key')
  .action(async (client: string, options: { undo?: true }) =>
    (await import('./connect-command.ts')).connectClient(client, options.undo === true, json()),
  );

program
  .command('demo')
  .description('fill a new store with a week of made-up traffic, to look around in the console')
  .action(async () => (await import('./demo-command.ts')).demo(json()));

program
  .command('vault')
  .description('the keys that seal what the store holds')
  .command('rotate')
  .description('put every sealed value under the first key of MCPRANK_VAULT_KEYS, while servers go on')
  .action(async () => (await import('./vault-command.ts')).rotateVault(json()));

program
  .command('doctor')
  .description('show the effective settings and try what they need')
  .action(async () => (await import('./doctor-command.ts')).doctor(json()));
program
  .command('backup')
  .description('copy the store to a file, also while it is in use')
  .argument('<file>')
  .action(async (file: string) => (await import('./backup-command.ts')).backup(file, json()));
program
  .command('restore')
  .description('fill an empty store from such a file: also the way from SQLite to PostgreSQL and back')
  .argument('<file>')
  .action(async (file: string) => (await import('./restore-command.ts')).restore(file, json()));
program
  .command('version')
  .description('print the version')
  .action(async () => (await import('./version.ts')).printVersion(json()));

// `mcprank … | head` closes our output early: that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  else fail(error, json());
}
