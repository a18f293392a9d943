/** Bounds on the streams that stay open here. */
export type StreamSlots = {
  /** How to give it back; null: all are taken, in all, at this server, or of this developer at it. */
  take(serverId: string, developerId: string, cut: () => void): (() => void) | null;
  /** Ends all streams, and takes none any more. */
  close(): void;
};

/** Streams have sockets of their own (256 to one server): these stay below. */
const maxStreams = { all: 1_000, server: 64, developer: 32 };

/** Streams that stay open for what a server may want to tell. */
export function createStreamSlots(max: typeof maxStreams = maxStreams): StreamSlots {
  const taken = new Set<{
    readonly serverId: string;
    readonly developerId: string;
    readonly cut: () => void;
  }>();
  let isClosed = false;
  return {
    take(serverId, developerId, cut) {
      const here = [...taken].filter((slot) => slot.serverId === serverId);
      const own = here.filter((slot) => slot.developerId === developerId);
      if (isClosed || taken.size >= max.all || here.length >= max.server || own.length >= max.developer)
        return null;
      const slot = { serverId, developerId, cut };
      taken.add(slot);
      return () => void taken.delete(slot);
    },
    close() {
      isClosed = true;
      for (const { cut } of [...taken]) cut();
    },
  };
}
