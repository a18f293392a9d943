/** The learning curves as a picture, written by hand: two lines, their bars as ticks, readable on light and dark. */
import { writeFileSync } from 'node:fs';
import type { LearningRow } from './eval-learning.ts';

const size = { width: 640, height: 360 };
const plot = { left: 56, right: 150, top: 40, bottom: 48 };
const colours = ['#0969da', '#bc4c00'];
const lowest = 30;
const highest = 100;

export function writeCurves(file: string, rows: readonly LearningRow[]): void {
  const curves = [...new Set(rows.filter(({ kind }) => kind === 'logged').map(({ set }) => set))];
  const counts = [0, ...new Set(rows.filter(({ kind }) => kind === 'logged').map(({ logs }) => logs))];
  const x = (logs: number) => {
    const far = Math.log1p(logs) / Math.log1p(counts.at(-1) ?? 1);
    return plot.left + far * (size.width - plot.left - plot.right);
  };
  const y = (ndcg: number) => {
    const up = (ndcg - lowest) / (highest - lowest);
    return size.height - plot.bottom - up * (size.height - plot.top - plot.bottom);
  };
  const text = (at: number, up: number, words: string, more = '') =>
    `<text x="${at.toFixed(1)}" y="${up.toFixed(1)}" fill="#6e7781" ${more}>${words}</text>`;
  const lines = [
    text(plot.left, 22, 'nDCG@10 × 100 after so many logged successes a server', 'font-size="15"'),
  ];
  for (let level = lowest; level <= highest; level += 10) {
    const up = y(level).toFixed(1);
    lines.push(
      `<line x1="${plot.left}" x2="${size.width - plot.right}" y1="${up}" y2="${up}" stroke="#d0d7de" stroke-width=".5"/>`,
      text(plot.left - 8, y(level) + 4, String(level), 'text-anchor="end"'),
    );
  }
  for (const logs of counts)
    lines.push(text(x(logs), size.height - plot.bottom + 20, String(logs), 'text-anchor="middle"'));
  for (const [i, set] of curves.entries()) {
    const own = rows.filter((row) => row.set === set && row.kind === 'logged');
    const points = [{ logs: 0, ndcg: own[0]?.base ?? 0, bar: null }, ...own];
    const path = points.map(({ logs, ndcg }) => `${x(logs).toFixed(1)},${y(ndcg).toFixed(1)}`).join(' ');
    const colour = colours[i % colours.length];
    lines.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2.5"/>`);
    for (const { logs, ndcg, bar } of points) {
      lines.push(`<circle cx="${x(logs).toFixed(1)}" cy="${y(ndcg).toFixed(1)}" r="4" fill="${colour}"/>`);
      lines.push(text(x(logs), y(ndcg) - 10, ndcg.toFixed(1), 'text-anchor="middle"'));
      if (bar !== null)
        lines.push(
          `<line x1="${(x(logs) - 10).toFixed(1)}" x2="${(x(logs) + 10).toFixed(1)}" y1="${y(bar).toFixed(1)}" y2="${y(bar).toFixed(1)}" stroke="#6e7781" stroke-width="1.5"/>`,
        );
    }
    const last = points.at(-1);
    if (last) lines.push(text(x(last.logs) + 16, y(last.ndcg) + 4, set, 'font-weight="bold"'));
  }
  lines.push(
    text(size.width - plot.right + 16, size.height - plot.bottom, 'ticks: the bars', 'font-size="11"'),
  );
  writeFileSync(
    file,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12">\n<title>nDCG@10 by logged successes a server</title>\n<rect width="${size.width}" height="${size.height}" fill="#fff"/>\n${lines.join('\n')}\n</svg>\n`,
  );
}
