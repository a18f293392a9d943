import type { ByteSink, ByteSource, OpenReply, OutboundCall, Receiver } from './outbound-model.ts';

/** What is taken in before somebody reads: most replies are whole by then, and need no pause and no resumption. */
const earlyBytes = 65_536;

/** Settles with the reply's head; the body waits for its reader and slows the upstream down meanwhile. */
export function openReply(
  start: (receiver: Receiver) => OutboundCall,
  started?: (call: OutboundCall) => void,
): Promise<OpenReply> {
  const { promise, resolve, reject } = Promise.withResolvers<OpenReply>();
  const early: Buffer[] = [];
  let sizeBytes = 0;
  let sink: ByteSink | undefined;
  let ended: Error | null | undefined;

  const body: ByteSource = {
    flow(reader) {
      let ready = true;
      for (const chunk of early.splice(0)) ready = reader.data(chunk) && ready;
      sink = reader;
      if (ended !== undefined) reader.end(ended);
      else if (ready) call.resume();
      else call.pause();
    },
    resume: () => call.resume(),
    cancel: () => call.cancel(),
    finish: () => call.finish(),
  };
  const call = start({
    head: (status, headers) => resolve({ status, headers, body }),
    data(chunk) {
      if (sink !== undefined) {
        if (!sink.data(chunk)) call.pause();
        return false;
      }
      early.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > earlyBytes) call.pause();
      return false;
    },
    end(failure) {
      ended = failure;
      if (failure !== null) reject(failure);
      sink?.end(failure);
    },
  });
  started?.(call);
  return promise;
}
