const numbers = new Intl.NumberFormat('en');
const dates = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** Between a number and its unit no line ends. */
const space = '\u00a0';

export function count(n: number, noun?: string): string {
  const text = numbers.format(n);
  return noun === undefined ? text : `${text} ${n === 1 ? noun : `${noun}s`}`;
}

export function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)}${space}%`;
}

/** Milliseconds with as many digits as one reads. */
export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return `0${space}ms`;
  if (value < 1) return `${value.toFixed(2)}${space}ms`;
  if (value < 10) return `${value.toFixed(1)}${space}ms`;
  return value < 10_000
    ? `${numbers.format(Math.round(value))}${space}ms`
    : `${(value / 1000).toFixed(1)}${space}s`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value}${space}B`;
  return value < 1_048_576
    ? `${(value / 1024).toFixed(1)}${space}KB`
    : `${(value / 1_048_576).toFixed(0)}${space}MB`;
}

export function when(iso: string): string {
  return dates.format(new Date(iso));
}

const units = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

export function ago(iso: string): string {
  const seconds = (new Date(iso).getTime() - Date.now()) / 1000;
  for (const [unit, size] of units)
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  return seconds > 5 ? 'in a moment' : 'just now';
}

export function duration(seconds: number): string {
  if (seconds < 120) return count(Math.round(seconds), 'second');
  if (seconds < 7_200) return count(Math.round(seconds / 60), 'minute');
  return seconds < 172_800
    ? count(Math.round(seconds / 3_600), 'hour')
    : count(Math.round(seconds / 86_400), 'day');
}

/** `o'clock` for a shell: quoted so that nothing in it means anything. */
function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curlOf(method: string, path: string, body?: unknown): string {
  const lines = [
    `curl -s${method === 'GET' || method === 'POST' ? '' : ` -X ${method}`} ${shellQuoted(`${location.origin}${path}`)}`,
    `-H "X-API-Key: $KEY"`,
    ...(body === undefined
      ? []
      : [`-H 'content-type: application/json'`, `-d ${shellQuoted(JSON.stringify(body))}`]),
  ];
  return lines.join(' \\\n  ');
}

/** JSON over several lines; any other text as it is. */
export function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
