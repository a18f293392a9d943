import type { Activity } from '../../../sdk/api.ts';
import { count } from '../browser/format.ts';
import { callsPath, serverPath } from '../browser/router.ts';
import { Table } from '../components/table.tsx';

type Day = Activity['day'];
type Hour = Day[number]['hours'][number];

const hourMs = 3_600_000;
/** The darkest is half of the busiest hour or more. */
const depths = 4;
/** Of so many hours one is named. */
const labelled = 3;

/** A day of calls, hour by hour: how many, and whose fault it was where they failed; an hour leads to its calls. */
export function DayMap({ day }: { readonly day: Day }) {
  const busiest = Math.max(1, ...day.flatMap(({ hours }) => hours.map(({ calls }) => calls)));
  const [first] = day;
  if (first === undefined) return <p class="muted">No tool was called in the last day.</p>;
  return (
    <>
      <Table label="Calls of the last day, by server and hour" kind="hours">
        <thead>
          <tr>
            <th scope="col">Server</th>
            {first.hours.map(({ at }, i) => (
              <th key={at} scope="col">
                <span class={i % labelled === 0 ? 'mark' : 'visually-hidden'}>{hourOf(at)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {day.map(({ server_id: id, hours }) => (
            <tr key={id}>
              <th scope="row">
                <a href={serverPath(id)}>{id}</a>
              </th>
              {hours.map((hour) => (
                <td key={hour.at}>{hour.calls > 0 && <Cell id={id} hour={hour} busiest={busiest} />}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </Table>
      <p class="muted small-text legend">
        <span>
          <i class="cell" data-depth="4" /> went well
        </span>
        <span>
          <i class="cell caller" data-depth="4" /> failed by its caller
        </span>
        <span>
          <i class="cell server" data-depth="4" /> failed by its server: a tenth of an hour’s calls or more
        </span>
      </p>
    </>
  );
}

function Cell(props: { readonly id: string; readonly hour: Hour; readonly busiest: number }) {
  const { id, hour, busiest } = props;
  const { at, calls, caller_faults: callers, server_faults: servers } = hour;
  const faults = [
    servers > 0 ? `${count(servers)} failed by the server` : '',
    callers > 0 ? `${count(callers)} failed by the caller` : '',
  ].filter(Boolean);
  const words = [`${count(calls, 'call')} at ${hourOf(at)}`, ...faults].join(', ');
  const to = new Date(Date.parse(at) + hourMs).toISOString();
  return (
    <a
      class={`cell ${toneOf(hour)}`}
      data-depth={Math.min(depths, Math.ceil((calls / busiest) * 2 * depths))}
      href={callsPath({ server_id: id, from: at, to })}
      title={words}
    >
      <span class="visually-hidden">{words}</span>
    </a>
  );
}

/** One failure of a hundred calls is no colour. */
const worthAColour = 0.1;

function toneOf({ calls, caller_faults: callers, server_faults: servers }: Hour): string {
  if (servers / calls >= worthAColour) return 'server';
  return callers / calls >= worthAColour ? 'caller' : '';
}

function hourOf(at: string): string {
  return new Date(at).toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hour12: false });
}
