import { Problem, type ProblemKind, problemTable } from '../base/problem.ts';
import { withTypedCommands } from './typed-command.ts';

/** What a command's exit status says; docs/cli.md has the same table. */
export const exitCodes = { done: 0, failed: 1, usage: 2, setup: 3, 'not found': 4, unavailable: 5 } as const;

/** Prints a result: as JSON for programs, else the lines for people. */
export function print(json: boolean, value: unknown, lines: readonly string[]): void {
  console.log(json ? JSON.stringify(value) : lines.join('\n'));
}

/** Names on the error stream what is being done when it takes longer than a second. */
export async function withSpinner<T>(what: string, act: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => console.error(`${what} …`), 1_000);
  try {
    return await act();
  } finally {
    clearTimeout(timer);
  }
}

/** Prints what went wrong on the error stream and sets the exit status. */
export function fail(error: unknown, json: boolean): void {
  const problem = error instanceof Problem ? error : undefined;
  process.exitCode = problem === undefined ? exitCodes.failed : exitCodeOf(problem.kind);
  const said = problem?.detail ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
  const detail = withTypedCommands(said);
  console.error(
    json
      ? JSON.stringify({
          detail,
          code: problem === undefined ? 'internal_error' : problemTable[problem.kind].code,
        })
      : `mcprank: ${detail}`,
  );
}

function exitCodeOf(kind: ProblemKind): number {
  if (kind === 'setup') return exitCodes.setup;
  if (kind === 'not_found' || kind === 'server_gone') return exitCodes['not found'];
  if (problemTable[kind].retryable) return exitCodes.unavailable;
  return problemTable[kind].status < 500 ? exitCodes.usage : exitCodes.failed;
}

/** Columns as wide as their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [header, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** What a user typed or a catalogue says may hold control characters that would drive the terminal. */
export function stripControl(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
}
