/** Curves over logarithmic axes as one SVG; it brings its own white ground, for dark pages. */
export type Curve = { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] };

const [width, height] = [720, 400];
const frame = { left: 64, right: 190, top: 44, bottom: 52 };
const colours = ['#3b82f6', '#d97706', '#16a34a', '#c026d3'];
const text = '#7a818c';

export function logLogPicture(title: string, xName: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const [x, y] = [
    axis(
      all.map(([value]) => value),
      frame.left,
      width - frame.right,
    ),
    axis(
      all.map(([, value]) => value),
      height - frame.bottom,
      frame.top,
    ),
  ];
  const grid = [
    ...x.powers.map((value) => line(x.at(value), frame.top, x.at(value), height - frame.bottom)),
    ...y.powers.map((value) => line(frame.left, y.at(value), width - frame.right, y.at(value))),
  ];
  const labels = [
    ...x.powers.map((value) => label(x.at(value), height - frame.bottom + 18, number(value), 'middle')),
    ...y.powers.map((value) => label(frame.left - 8, y.at(value) + 4, number(value), 'end')),
    label((frame.left + width - frame.right) / 2, height - 12, xName, 'middle'),
  ];
  const drawn = curves.map(({ name, points }, i) => {
    const colour = colours[i % colours.length];
    const places = points.map((point) => [x.at(point[0]).toFixed(1), y.at(point[1]).toFixed(1)] as const);
    const [lastX, lastY] = places.at(-1) ?? ['0', '0'];
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((one) => one.join(',')).join(' ')}"/>`,
      ...places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
      `<text x="${Number(lastX) + 10}" y="${Number(lastY) + 4}" fill="${colour}">${name}</text>`,
    ].join('\n');
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${frame.left}" y="24" font-size="15" font-weight="600" fill="${text}">${title}</text>`,
    ...grid,
    ...labels,
    ...drawn,
    '</svg>',
  ].join('\n')}\n`;
}

/** From the power of ten below the least to the one above the largest. */
function axis(values: readonly number[], from: number, to: number) {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.ceil(Math.log10(Math.max(...values)));
  return {
    at: (value: number) => from + ((Math.log10(value) - first) / (last - first || 1)) * (to - from),
    powers: Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)),
  };
}

const line = (x1: number, y1: number, x2: number, y2: number) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${text}" stroke-opacity="0.25"/>`;
const label = (x: number, y: number, what: string, anchor: 'middle' | 'end') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${text}">${what}</text>`;
const number = (value: number) => (value < 1 ? String(value) : value.toLocaleString('en'));
