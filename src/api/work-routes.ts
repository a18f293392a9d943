import { Type } from 'typebox';
import { json, type Route, route } from '../http/route.ts';
import { type Storage, workNames } from '../storage/storage.ts';
import { orNull, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const workSchema = Type.Object(
  {
    name: Type.Enum(workNames),
    state: Type.Enum(['running', 'done', 'failed', 'broken_off'], {
      description: 'broken_off: whoever did it has not been heard of for three minutes',
    }),
    done: Type.Integer(),
    total: Type.Union([Type.Integer(), Type.Null()], { description: 'null: nobody knows' }),
    unit: Type.String({ description: 'what is counted' }),
    reason: Type.Union([Type.String(), Type.Null()], { description: 'why it failed; else null' }),
    started_at: time,
    told_at: time,
    seconds_left: orNull(Type.Integer()),
  },
  { $id: 'LongWork' },
);

/** How far work is that takes its time, in whichever process. */
export function workRoutes({ longWork }: Pick<Storage, 'longWork'>): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/work',
      summary:
        'The last run of a sync, an import, an embedding and a rotation: how far it is, or how it ended',
      scope: 'admin',
      reply: Type.Object({ work: Type.Array(workSchema) }),
      handle: async () => {
        const work = await longWork.list();
        return json({
          work: work.map(({ startedAt, toldAt, ...each }) => ({
            ...each,
            started_at: isoTime(startedAt),
            told_at: isoTime(toldAt),
            seconds_left: secondsLeft({ ...each, ms: toldAt - startedAt }),
          })),
        });
      },
    }),
  ];
}

/** As fast as until now; null where it is not known. */
function secondsLeft(work: {
  readonly state: string;
  readonly done: number;
  readonly total: number | null;
  readonly ms: number;
}): number | null {
  const { state, done, total, ms } = work;
  if (state !== 'running' || total === null || done <= 0) return null;
  return Math.round((Math.max(0, total - done) * ms) / done / 1_000);
}
