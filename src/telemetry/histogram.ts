/** How often something took so long, by labels. prom-client's own sorts and hashes the labels at each count: 2 % of a cached search. */
export type Histogram<L extends string> = {
  observe(labels: Readonly<Record<L, string | number>>, seconds: number): void;
};

/** Observations of one set of labels: how many fell between one bound and the next, and what they sum up to. */
type Series = { readonly labels: string; readonly counts: Float64Array; sum: number };

/** From half a millisecond (a cached search) to ten seconds (a slow upstream). */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** `text`: as Prometheus reads it (https://prometheus.io/docs/instrumenting/exposition_formats/, "Histograms and summaries"). */
export function createHistogram<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
): Histogram<L> & { text(): string } {
  const known = new Map<string, Series>();

  const seriesOf = (key: string, labels: Readonly<Record<L, string | number>>): Series => {
    const written = labelNames.map((label) => `${label}="${escaped(String(labels[label]))}"`).join(',');
    const series: Series = { labels: written, counts: new Float64Array(bounds.length + 1), sum: 0 };
    known.set(key, series);
    return series;
  };
  return {
    observe(labels, seconds) {
      let key = '';
      for (const label of labelNames) key += `${labels[label]}\n`;
      const series = known.get(key) ?? seriesOf(key, labels);
      let bucket = 0;
      while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
      series.counts[bucket]! += 1;
      series.sum += seconds;
    },
    text() {
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
      for (const { labels, counts, sum } of known.values()) {
        let count = 0;
        for (const [bucket, bound] of [...bounds, '+Inf'].entries()) {
          count += counts[bucket]!;
          lines.push(`${name}_bucket{le="${bound}",${labels}} ${count}`);
        }
        lines.push(`${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${count}`);
      }
      return `${lines.join('\n')}\n`;
    },
  };
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
