import { type ChildProcess, spawn } from 'node:child_process';
import { type Channel, type Limits, type Program, UpstreamFailure } from '../mcp-model.ts';
import { parseMessages } from '../messages/rpc-message.ts';
import { createDuplex } from '../transports/duplex.ts';

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

  const duplex = createDuplex(lineWriter(stdin), limits, () => stop(child));
  const end = (failure: UpstreamFailure) => {
    duplex.fail(failure);
    onEnd();
  };
  // How much of what was written it had read before nobody can tell.
  stdin.on('error', (cause) => {
    end(new UpstreamFailure('broken', 'The program ended or stopped listening', { cause }));
    stop(child);
  });
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

/** Lines of one turn of the event loop go out together: a write costs more than all else that a message takes. */
function lineWriter(stream: NodeJS.WritableStream): (text: string) => undefined {
  let lines = '';
  const flush = () => {
    stream.write(lines);
    lines = '';
  };
  return (text) => {
    if (lines === '') setImmediate(flush);
    lines += `${text}\n`;
  };
}

function readLines(
  stream: NodeJS.ReadableStream,
  maxBytes: number,
  hear: (line: string) => void,
  fail: (error: unknown) => void,
): void {
  // Of a line whose end is still to come.
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  const heard = (text: string) => {
    const line = text.trim();
    if (line !== '') hear(line);
  };
  stream.on('data', (chunk: Buffer) => {
    let start = 0;
    try {
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        const from = start;
        start = end + 1;
        sizeBytes = 0;
        if (pieces.length === 0) heard(chunk.toString('utf8', from, end));
        else heard(Buffer.concat([...pieces.splice(0), chunk.subarray(from, end)]).toString());
      }
      if (start < chunk.length) pieces.push(chunk.subarray(start));
      sizeBytes += chunk.length - start;
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
