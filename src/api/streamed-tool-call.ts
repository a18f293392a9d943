import { scanJson } from '../base/json-scanner.ts';
import { Problem, problemTable } from '../base/problem.ts';
import type { OtherReply, Reply } from '../http/route.ts';
import type { Caller } from '../mcp/mcp.ts';
import { EventStream, streamHeaders, streamType } from '../mcp-server/mcp-server.ts';

type OnNotification = NonNullable<Caller['onNotification']>;

export const streamedReply: OtherReply = {
  status: 200,
  description:
    'with `Accept: text/event-stream`, where the server tells something on the way: `{"progress": …}`, `{"log": …}`, then `{"result": …}` or `{"problem": …}`',
  contentType: streamType,
};

/** Asks a server for progress; the name is ours, each channel has its own. */
export const progressMeta = scanJson(Buffer.from('{"progressToken":"progress"}'), { progressToken: true });

const members: Readonly<Record<string, string>> = {
  'notifications/progress': 'progress',
  'notifications/message': 'log',
};

export function takesStream(accept: string | undefined): boolean {
  return accept?.includes(streamType) === true;
}

/** Answers as JSON where nothing is told before the answer, else as an event stream that begins with the first thing told. */
export function streamToolCall(
  run: (onNotification: OnNotification) => Promise<Reply<never>>,
): Promise<Reply<never>> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply<never>>();
  let stream: EventStream | undefined;
  const begin = () => {
    const begun = new EventStream();
    resolve({ status: 200, contentType: streamType, headers: streamHeaders, body: begun.body });
    return begun;
  };
  const onNotification: OnNotification = ({ method, params }) => {
    const member = members[method];
    if (member === undefined || params === undefined) return;
    stream ??= begin();
    stream.send([`{"${member}":`, ...params, '}']);
  };
  run(onNotification).then(
    (reply) => {
      if (stream === undefined) return resolve(reply);
      stream.send(['{"result":', ...(reply.body as readonly (Buffer | string)[]), '}']);
      stream.end();
    },
    (error: unknown) => {
      if (stream === undefined) return reject(error);
      stream.send([JSON.stringify({ problem: inWords(error) })]);
      stream.end();
    },
  );
  return promise;
}

function inWords(error: unknown): {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
} {
  const problem = error instanceof Problem ? error : new Problem('internal', 'Internal error');
  const { status, code } = problemTable[problem.kind];
  return { status, code, detail: problem.detail };
}
