import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isLarge, joinLarge } from '../../base/large-json.ts';
import { type Limits, type Program, UpstreamFailure } from '../mcp-model.ts';
import { type RpcMessage, readLargeMessages, readMessages } from '../messages/rpc-message.ts';
import { Duplex } from '../transports/duplex.ts';
import { type ChildLedger, signalGroup } from './child-ledger.ts';
import { LineWriter } from './line-writer.ts';
import { createOutputMask, maxReadChars } from './output-mask.ts';

/** What a program says on its error stream is kept from flooding the log. */
const maxLineChars = 2_000;
/** Of its last lines, what tells why it failed. */
const tailLines = 5;
const tailChars = 1_000;
/** After its input is closed, a child has this long to go by itself, and as long again after SIGTERM. */
const graceMs = 2_000;

export type StdioProcess = {
  readonly duplex: Duplex;
  /** Settles when it is gone. */
  readonly exited: Promise<void>;
  /** Ends it; safe to call twice. */
  stop(): void;
};

/** A line that a program wrote: of its error stream, or `noise` on its output, where only messages belong. */
export type OutputKind = 'stderr' | 'noise';

export type StdioDeps = {
  readonly program: Program;
  /** What every child may see of our own environment: PATH, HOME and the like. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly onOutput: (line: string, kind: OutputKind) => void;
  /** Told of every child, so that none outlives us. */
  readonly ledger: Pick<ChildLedger, 'add' | 'remove'>;
};

/**
 * A program as an MCP server: one JSON-RPC message a line on its streams. It gets the environment it is given and
 * nothing else of ours. When it dies, every request in flight fails, and `onEnd` is called.
 */
export function startProcess(deps: StdioDeps, onEnd: (failure: UpstreamFailure) => void): StdioProcess {
  const { program, limits, onOutput } = deps;
  const child = spawnProgram(deps);
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('a child without its streams');

  const lastLines: string[] = [];
  // What it writes reaches the log, its server's health and the console.
  const mask = createOutputMask(program);
  const stop = () => stopProcess(child);
  const end = (failure: UpstreamFailure) => {
    duplex.fail(failure);
    onEnd(failure);
  };
  const breakOff = (failure: UpstreamFailure) => {
    end(failure);
    stop();
  };
  const writer = new LineWriter(stdin, breakOff);
  const duplex = new Duplex((message) => writer.write(message), limits, stop);

  // How much of what was written it had read before nobody can tell.
  stdin.on('error', (cause) =>
    breakOff(new UpstreamFailure('broken', 'The program ended or stopped listening', { cause })),
  );
  child.on('error', (cause) => end(new UpstreamFailure('refused', startFailure(program, cause), { cause })));
  // When its streams are read to their end, its last words are there.
  child.on('close', (code, signal) => end(new UpstreamFailure('broken', endText(code, signal, lastLines))));
  readLines(stdout, limits.maxBytes, {
    line: (line) => takeLine(line, duplex, (text) => onOutput(mask(text, maxLineChars), 'noise')),
    fail: breakOff,
  });
  readLines(stderr, limits.maxBytes, {
    line(line) {
      const text = mask(startOf(line), maxLineChars);
      lastLines.push(text);
      if (lastLines.length > tailLines) lastLines.shift();
      onOutput(text, 'stderr');
      return undefined;
    },
    fail: () => stderr.destroy(),
  });
  return { duplex, stop, exited: watchExit(child, deps.ledger) };
}

function watchExit(child: ChildProcess, ledger: StdioDeps['ledger']): Promise<void> {
  const { pid } = child;
  // It never started.
  if (pid === undefined) return Promise.resolve();
  ledger.add(pid);
  return new Promise((resolve) => {
    child.once('exit', () => {
      ledger.remove(pid);
      resolve();
    });
  });
}

function spawnProgram({ program, environment }: StdioDeps): ChildProcess {
  return spawn(program.command, [...program.args], {
    env: { ...environment, ...program.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: what it starts (npx does) goes when it goes.
    detached: true,
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
  });
}

/** A wrong command names the command, a missing folder the folder: Node reports ENOENT for both. */
function startFailure({ command, cwd }: Program, cause: Error): string {
  if (cwd !== undefined && !existsSync(cwd))
    return `The program cannot be started: its folder ${cwd} does not exist`;
  const { code } = cause as NodeJS.ErrnoException;
  return `The program cannot be started: ${command} ${code === 'ENOENT' ? 'was not found' : `failed (${code ?? 'unknown'})`}`;
}

function endText(code: number | null, signal: NodeJS.Signals | null, lastLines: readonly string[]): string {
  const words = lastLines.join(' · ').slice(-tailChars);
  return `The program ended (${signal ?? `exit status ${code}`})${words === '' ? '' : `: ${words}`}`;
}

/** Programs print banners, logs and dumps of objects where only messages belong: what is no message is noise. */
function takeLine(line: Line, duplex: Duplex, onNoise: (line: string) => void): undefined | Promise<void> {
  const noise = () => onNoise(startOf(line).slice(0, maxLineChars));
  const take = (messages: readonly RpcMessage[]) => {
    const isRpc = messages.length > 0 && messages.every(({ view }) => view.get('jsonrpc') !== undefined);
    if (isRpc) for (const message of messages) duplex.take(message);
    else noise();
  };
  const refuse = (error: unknown) => {
    if (!(error instanceof UpstreamFailure)) throw error;
    noise();
  };
  if (isLarge({ length: line.sizeBytes }))
    return joinLarge(line.pieces, line.sizeBytes).then(readLargeMessages).then(take).catch(refuse);
  try {
    take(readMessages(wholeLine(line)));
  } catch (error) {
    refuse(error);
  }
  return undefined;
}

/** As it came. */
type Line = { readonly pieces: readonly Buffer[]; readonly sizeBytes: number };

/** As much as anybody looks at of what is no message. */
function startOf({ pieces, sizeBytes }: Line): string {
  return Buffer.concat(pieces, Math.min(sizeBytes, 4 * maxReadChars + 4)).toString();
}

function wholeLine({ pieces }: Line): Buffer {
  const [first = Buffer.alloc(0)] = pieces;
  return pieces.length === 1 ? first : Buffer.concat(pieces);
}

const lineFeed = 0x0a;

type LineReader = {
  /** A promise: nothing more is read until it settles. */
  readonly line: (line: Line) => undefined | Promise<void>;
  readonly fail: (failure: UpstreamFailure) => void;
};

function readLines(stream: NodeJS.ReadableStream, maxBytes: number, on: LineReader): void {
  // Of a line whose end is still to come.
  let pieces: Buffer[] = [];
  let sizeBytes = 0;
  const give = (end: Buffer): undefined | Promise<void> => {
    const line = { pieces: [...pieces, end], sizeBytes: sizeBytes + end.length };
    pieces = [];
    sizeBytes = 0;
    return line.pieces.some((piece) => piece.some((byte) => byte > 0x20)) ? on.line(line) : undefined;
  };
  const take = (chunk: Buffer): void => {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      const given = give(chunk.subarray(start, end));
      start = end + 1;
      if (given === undefined) continue;
      const rest = chunk.subarray(start);
      stream.pause();
      given.finally(() => {
        take(rest);
        stream.resume();
      });
      return;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
    sizeBytes += chunk.length - start;
    if (sizeBytes <= maxBytes) return;
    stream.off('data', take).resume();
    on.fail(new UpstreamFailure('too_large', `The program's message is larger than ${maxBytes} bytes`));
  };
  stream.on('data', take);
  stream.on('error', () => undefined);
}

/** As the specification has it: close its input, then SIGTERM, then SIGKILL. */
function stopProcess(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin?.end();
  const signal = (name: NodeJS.Signals) => child.pid !== undefined && signalGroup(child.pid, name);
  const term = setTimeout(() => signal('SIGTERM'), graceMs);
  const kill = setTimeout(() => signal('SIGKILL'), 2 * graceMs);
  child.once('exit', () => {
    clearTimeout(term);
    clearTimeout(kill);
    // Whatever it left behind in its group.
    signal('SIGTERM');
  });
}
