import { type ChildProcess, spawn } from 'node:child_process';
import { type Channel, type Limits, type Program, UpstreamFailure } from './model.ts';
import { createDuplex } from './wire/duplex.ts';
import { parseMessages } from './wire/message.ts';

/** What a child says on its error stream is kept from flooding the log. */
const maxLineChars = 2_000;
/** After its input is closed, a child has this long to go by itself, and as long again after SIGTERM. */
const graceMs = 2_000;

/**
 * A program as an MCP server: one JSON-RPC message a line on its streams. It gets the environment it is given and
 * nothing else of ours. When it dies, every request under way fails, and `onEnd` tells the pool to forget it.
 */
export async function openProgram(deps: {
  readonly program: Program;
  /** What every child may see of our own environment: PATH, HOME and the like. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly onEnd: () => void;
  /** A line of its error stream. */
  readonly onNoise: (line: string) => void;
}): Promise<Channel> {
  const { program, environment, limits, onEnd, onNoise } = deps;
  const child = spawn(program.command, [...program.args], {
    env: { ...environment, ...program.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: what it starts (npx does) goes when it goes.
    detached: true,
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('a child without its streams');

  const write = (text: string) =>
    new Promise<void>((resolve, reject) => {
      stdin.write(`${text}\n`, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(new UpstreamFailure('refused', 'The program has ended', { cause: error }));
      });
    });
  const duplex = createDuplex(write, limits, () => stop(child));
  const end = (failure: UpstreamFailure) => {
    duplex.fail(failure);
    onEnd();
  };
  stdin.on('error', () => undefined);
  child.on('error', (cause) =>
    end(new UpstreamFailure('refused', `The program cannot be started`, { cause })),
  );
  child.on('exit', (code, signal) =>
    end(new UpstreamFailure('broken', `The program ended (${signal ?? `exit status ${code}`})`)),
  );
  readLines(
    stdout,
    limits.maxBytes,
    (line) => {
      // Programs print banners where only messages belong; what is no JSON object is noise.
      if (!line.startsWith('{') && !line.startsWith('[')) return onNoise(line.slice(0, maxLineChars));
      for (const message of parseMessages(line)) duplex.hear(message);
    },
    (error) => {
      end(
        error instanceof UpstreamFailure
          ? error
          : new UpstreamFailure('protocol', 'The program wrote something unusable', { cause: error }),
      );
      stop(child);
    },
  );
  readLines(
    stderr,
    limits.maxBytes,
    (line) => onNoise(line.slice(0, maxLineChars)),
    () => stderr.destroy(),
  );

  try {
    await duplex.open({ mayBeModern: true });
    return duplex;
  } catch (error) {
    stop(child);
    throw error;
  }
}

function readLines(
  stream: NodeJS.ReadableStream,
  maxBytes: number,
  hear: (line: string) => void,
  fail: (error: unknown) => void,
): void {
  let pieces: Buffer[] = [];
  let sizeBytes = 0;
  stream.on('data', (chunk: Buffer) => {
    let rest = chunk;
    try {
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        pieces.push(rest.subarray(0, end));
        const line = Buffer.concat(pieces).toString().trim();
        pieces = [];
        sizeBytes = 0;
        rest = rest.subarray(end + 1);
        if (line !== '') hear(line);
      }
      if (rest.length > 0) pieces.push(rest);
      sizeBytes += rest.length;
      if (sizeBytes > maxBytes)
        throw new UpstreamFailure('too_large', `The program's message is larger than ${maxBytes} bytes`);
    } catch (error) {
      stream.removeAllListeners('data');
      stream.resume();
      fail(error);
    }
  });
  stream.on('error', () => undefined);
}

/** As the specification has it: close its input, then SIGTERM, then SIGKILL. */
function stop(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin?.end();
  const term = setTimeout(() => signalGroup(child, 'SIGTERM'), graceMs);
  const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), 2 * graceMs);
  child.once('exit', () => {
    clearTimeout(term);
    clearTimeout(kill);
    // Whatever it left behind in its group.
    signalGroup(child, 'SIGTERM');
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It is gone: that is what was wanted.
  }
}
