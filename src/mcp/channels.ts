import type { Clock } from '../base/clock.ts';
import type { Tracing } from '../base/tracing.ts';
import { inBackground, type Outbound } from '../outbound/outbound.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { ChannelPool } from './channel-pool.ts';
import { type Channel, type Limits, type Program, type Target, UpstreamFailure } from './mcp-model.ts';
import { HttpUpstream } from './negotiation/http-upstream.ts';
import { ChildLedger } from './programs/child-ledger.ts';
import { ProgramChannel, type ProgramMemory } from './programs/program-channel.ts';
import { type OutputLine, ProgramOutput } from './programs/program-output.ts';
import type { OutputKind } from './programs/stdio-process.ts';
import { notCallable } from './targets.ts';

export type ChannelDeps = {
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracing: Tracing;
  readonly limits: Limits;
  readonly environment: Readonly<Record<string, string>>;
  readonly dataDir: string | null;
};

type Opened = Channel & Partial<Pick<HttpUpstream, 'protocolMode'>>;

/** A probe is not worth waiting long for; a server that is slower than this is no use to anybody. */
const probeMs = { firstByteMs: 10_000, idleMs: 10_000, totalMs: 20_000 };

/** Opens channels to servers of every kind, and keeps what is known of programs beyond one child's life. */
export class Channels {
  readonly #deps: ChannelDeps;
  readonly #ledger: ChildLedger;
  /** What was found out about a program is its, whoever calls; it is another one with other values. */
  readonly #memories = new WeakMap<Program, ProgramMemory>();
  readonly #output = new ProgramOutput();
  #noiseLines = 0;

  constructor(deps: ChannelDeps) {
    this.#deps = deps;
    this.#ledger = new ChildLedger(deps.dataDir);
    const orphans = this.#ledger.endOrphans();
    if (orphans > 0) deps.log.warn('mcp.programs.orphans_ended', { programs: orphans });
  }

  get noiseLines(): number {
    return this.#noiseLines;
  }

  /** What a program wrote last. */
  outputOf(serverId: string): readonly OutputLine[] {
    return this.#output.of(serverId);
  }

  open(target: Target, prefersSession: boolean): Opened {
    const { outbound, clock, limits, tracing } = this.#deps;
    const { program, url } = target;
    if (program !== null) return this.#openProgram(target, program, prefersSession);
    if (url === null) throw new UpstreamFailure('refused', notCallable);
    return new HttpUpstream({ target: { ...target, url }, outbound, limits, tracing, now: clock.monotonic });
  }

  /** Nobody waits for it: it takes nothing from calls. A program is not started a second time for a probe. */
  openProbe(target: Target, pool: ChannelPool): Opened {
    const { url, program } = target;
    if (program !== null || url === null) {
      const { channel, release } = pool.acquire(target);
      return { send: channel.send.bind(channel), listen: channel.listen.bind(channel), close: release };
    }
    const { outbound, clock, limits, tracing } = this.#deps;
    return new HttpUpstream({
      tracing,
      target: { ...target, url },
      outbound: inBackground(outbound),
      limits: { ...limits, ...probeMs },
      now: clock.monotonic,
    });
  }

  #openProgram(target: Target, program: Program, prefersSession: boolean): ProgramChannel {
    const { clock, limits, environment, log, tracing } = this.#deps;
    const { serverId, revision } = target;
    return new ProgramChannel({
      program,
      environment,
      limits,
      revision,
      prefersSession,
      ledger: this.#ledger,
      tracing,
      now: clock.monotonic,
      memory: this.#memoryOf(program),
      onFailure: (reason) => log.info('mcp.program.failed', { server_id: serverId, reason }),
      onOutput: (line, kind) => {
        this.#output.add(serverId, { at: clock.now(), line });
        this.#takeOutput(serverId, line, kind);
      },
    });
  }

  #memoryOf(program: Program): ProgramMemory {
    const key = program.template ?? program;
    let memory = this.#memories.get(key);
    if (memory === undefined) {
      memory = {};
      this.#memories.set(key, memory);
    }
    return memory;
  }

  #takeOutput(serverId: string, line: string, kind: OutputKind): void {
    const { log } = this.#deps;
    if (kind === 'noise') this.#noiseLines++;
    log.debug(kind === 'noise' ? 'mcp.program.noise' : 'mcp.program.output', { server_id: serverId, line });
  }
}
