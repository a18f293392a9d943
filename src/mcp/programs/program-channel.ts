import { type Channel, type Limits, type Program, UpstreamFailure } from '../mcp-model.ts';
import { openProgram } from './stdio-process.ts';

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** A program that lived this long was well: its next death is a new story. */
const healthyMs = 30_000;

/** A program that is started when it is needed, and again when it died: after a pause that doubles while it keeps dying. */
export function createProgramUpstream(deps: {
  readonly program: Program;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly now: () => number;
  readonly onNoise: (line: string) => void;
}): Channel {
  const { now } = deps;
  let running: Promise<Channel> | undefined;
  let ready: Channel | undefined;
  let startedAt = 0;
  let pauseMs = 0;
  let deaths = 0;
  let notBefore = 0;
  let closed = false;

  const ended = () => {
    running = undefined;
    ready = undefined;
    const wasWell = now() - startedAt > healthyMs;
    deaths = wasWell ? 1 : deaths + 1;
    // The first death is an accident; from the second on it has to wait.
    pauseMs = deaths === 1 ? 0 : Math.min(Math.max(pauseMs * 2, firstPauseMs), longestPauseMs);
    notBefore = now() + pauseMs;
  };
  const open = (): Promise<Channel> => {
    if (running !== undefined) return running;
    if (closed) throw new UpstreamFailure('refused', 'The program was stopped');
    const restMs = notBefore - now();
    if (restMs > 0)
      throw new UpstreamFailure('refused', 'The program keeps ending and is started again a little later', {
        retryAfterMs: restMs,
      });
    startedAt = now();
    let over = false;
    const onEnd = () => {
      if (over) return;
      over = true;
      ended();
    };
    running = openProgram({ ...deps, onEnd });
    running.then((channel) => {
      if (!over) ready = channel;
    }, onEnd);
    return running;
  };

  const openAndSend: Channel['send'] = async (request, options) => (await open()).send(request, options);

  return {
    send: (request, options) => ready?.send(request, options) ?? openAndSend(request, options),
    close() {
      closed = true;
      running?.then((channel) => channel.close()).catch(() => undefined);
    },
  };
}
