import { basename, dirname } from 'node:path';

/**
 * The command as whoever reads a hint can type it. `npx` knows that of a checkout (which has no other: `npm start` leaves
 * nothing in the PATH) and of a project's packages; one that npm installed for the whole machine is a link in a folder of the
 * PATH; where a service manager or an image names the file, it is that file.
 *
 * `script` is what Node was started with, `process.argv[1]`: a link is not followed there.
 */
export function typedCommand(
  script = process.argv[1] ?? '',
  isCheckout = import.meta.url.endsWith('.ts'),
): string {
  const isLink = basename(script) === 'mcprank';
  if (isCheckout || script === '' || (isLink && basename(dirname(script)) === '.bin')) return 'npx mcprank';
  if (isLink) return 'mcprank';
  return `node ${/\s/.test(script) ? JSON.stringify(script) : script}`;
}

/** Rooms that know nothing of how they were started name a command as `mcprank …`, in backticks. */
export function withTypedCommands(text: string, command = typedCommand()): string {
  return text.replaceAll('`mcprank ', () => `\`${command} `);
}
