/** `at` in milliseconds since 1970. */
export type OutputLine = { readonly at: number; readonly line: string };

const linesKept = 50;
const maxLineChars = 500;

/** What programs wrote last, masked already, for whoever runs them: in memory of this process. */
export class ProgramOutput {
  readonly #lines = new Map<string, OutputLine[]>();

  add(serverId: string, { at, line }: OutputLine): void {
    let lines = this.#lines.get(serverId);
    if (lines === undefined) {
      lines = [];
      this.#lines.set(serverId, lines);
    }
    lines.push({ at, line: line.slice(0, maxLineChars) });
    if (lines.length > linesKept) lines.shift();
  }

  /** The newest last. */
  of(serverId: string): readonly OutputLine[] {
    return [...(this.#lines.get(serverId) ?? [])];
  }
}
