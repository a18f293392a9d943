import { createTurn, fewUnderWay } from '../../base/turn.ts';
import { Connection, type Job, type Keeper, type Line } from './connection.ts';

/** Where connections of one kind lead. */
export type Origin = {
  /** Tells it from all others. */
  readonly origin: string;
  readonly isSecure: boolean;
  readonly hostname: string;
  readonly port: number;
};

export type Connections = {
  /** Runs it on a free connection, or a new one, or when one becomes free. */
  send(origin: Origin, job: Job): void;
  close(): void;
};

type Place = {
  readonly origin: Origin;
  /** Free ones, the one used last at the end: the others may rest and be closed. */
  readonly idle: Connection[];
  readonly all: Set<Connection>;
  /** For each of these a connection is on its way, unless there are as many as there may be. */
  readonly waiting: Job[];
  dialing: number;
  readonly keeper: Keeper;
};

/** A server that says how long it keeps a connection may close it a little earlier, and a request on its way would be lost. */
const marginMs = 2_000;
const longestKeptMs = 600_000;
/** What is too slow is found out so much later at most. A timer for each exchange would cost a fiftieth of a call. */
const lookMs = 100;

/** Connections by origin: bounded, kept for a while, used again latest first. */
export function createConnections(deps: {
  readonly dial: (origin: Origin) => Promise<Line>;
  readonly now: () => number;
  /** To one origin. */
  readonly most: number;
  /** A free connection is kept so long unless the server says otherwise. */
  readonly keepAliveMs: number;
}): Connections {
  const { dial, now, most, keepAliveMs } = deps;
  const places = new Map<string, Place>();
  const turn = createTurn();
  let isClosed = false;

  const placeOf = (origin: Origin): Place => {
    const known = places.get(origin.origin);
    if (known !== undefined) return known;
    const keeper: Keeper = {
      turn: () => (made.all.size - made.idle.length > fewUnderWay ? turn : undefined),
      free: (connection) => release(made, connection),
      gone: (connection) => forget(made, connection),
    };
    const made: Place = { origin, idle: [], all: new Set(), waiting: [], dialing: 0, keeper };
    places.set(origin.origin, made);
    return made;
  };
  const isStale = (connection: Connection) => {
    const { keepAliveMs: said } = connection;
    const keptMs = said === undefined ? keepAliveMs : Math.min(said - marginMs, longestKeptMs);
    return now() - connection.freeSince >= keptMs;
  };
  /** The next job that somebody still waits for. */
  const nextJob = ({ waiting }: Place): Job | undefined => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) if (!job.isDone) return job;
    return undefined;
  };
  const release = (place: Place, connection: Connection) => {
    const job = nextJob(place);
    if (job !== undefined) return connection.run(job);
    connection.freeSince = now();
    place.idle.push(connection);
  };
  const forget = (place: Place, connection: Connection) => {
    place.all.delete(connection);
    const at = place.idle.indexOf(connection);
    if (at >= 0) place.idle.splice(at, 1);
    // There is room for one more.
    dialFor(place);
  };
  /** As many connections as there are jobs that wait, within the bound. */
  const dialFor = (place: Place) => {
    while (!isClosed && place.dialing < place.waiting.length && place.all.size + place.dialing < most) {
      place.dialing++;
      dial(place.origin).then(
        (line) => {
          place.dialing--;
          if (isClosed) return void line.socket.destroy();
          const connection = new Connection(line, place.keeper);
          place.all.add(connection);
          release(place, connection);
        },
        (error: Error) => {
          place.dialing--;
          nextJob(place)?.failed(error);
          dialFor(place);
        },
      );
    }
  };
  const looking = setInterval(() => {
    const time = performance.now();
    for (const [name, { idle, all, dialing }] of places) {
      for (const connection of all) connection.look(time);
      for (const connection of idle.filter(isStale)) connection.destroy();
      if (all.size === 0 && dialing === 0) places.delete(name);
    }
  }, lookMs).unref();

  return {
    send(origin, job) {
      const place = placeOf(origin);
      for (let free = place.idle.pop(); free !== undefined; free = place.idle.pop()) {
        if (!isStale(free)) return free.run(job);
        free.destroy();
      }
      place.waiting.push(job);
      dialFor(place);
    },
    close() {
      isClosed = true;
      clearInterval(looking);
      for (const { all, waiting } of [...places.values()]) {
        for (const job of waiting.splice(0)) job.failed(new Error('shutting down'));
        for (const connection of [...all]) connection.fail(new Error('shutting down'));
      }
    },
  };
}
