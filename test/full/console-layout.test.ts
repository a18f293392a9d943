/**
 * How every page looks, held against what was looked at: in either theme, at 360 pixels and on a desk.
 *
 * Twice, because each sees what the other cannot. As blocks: which there are, in which order, on which twelfths of the page each
 * stands, what is beside what, and the colours of ground and text; that is the same with any fonts, and says in words what moved. And
 * as pictures, with Debian's own fonts: `npm run pictures` writes both anew; look at the pictures then.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { noChromium } from '../support/console.ts';
import { consolePages, demo, openPage, show, signIn } from '../support/console-browser.ts';
import { root } from '../support/paths.ts';
import { keepPicture, pictureFault, sheetOf } from '../support/pictures.ts';

const file = join(root, 'test/full/console-layout.json');
const pictures = join(root, 'test/full/console-pictures');
const isUpdate = process.env.UPDATE_LAYOUT !== undefined;
type Baseline = Record<string, readonly string[]>;

const sizes = { desk: { width: 1280, height: 1200 }, phone: { width: 360, height: 1600 } } as const;
const themes = ['light', 'dark'] as const;

/**
 * One line a block that is seen, the same after each other once: its name, where it begins and how wide it is in twelfths of the page,
 * how it stands to the one before (beside it, above it, over it), and its colours; one that is hidden says no more than that; and
 * first, whether the page is wider than its window. Blocks whose width is that of their words are not among them.
 */
const blocksOf = `(() => {
  const selector = 'body, main, .page-head, .filters, .stack > section, .stack > dl, .stats > .stat, .charts > section, .chart, ' +
    '.table-scroll, .rows .row, .hits .card, .tool-list .card, .empty, .tabs, [role=tabpanel], .details > div, .start > section, ' +
    '.notice, .work, .findings, .doc-cards a, .code-block, form.search-form';
  const { width: page } = document.documentElement.getBoundingClientRect();
  const twelfths = (pixels) => Math.round((pixels / page) * 12);
  const { scrollWidth, clientWidth } = document.documentElement;
  const lines = scrollWidth > clientWidth ? ['wider than its window'] : [];
  const relationOf = (box, element, last) => {
    if (last === undefined || last.element.contains(element)) return [];
    const apart = box.left >= last.box.right - 1 || box.right <= last.box.left + 1;
    if (box.bottom <= last.box.top + 1) return ['above'];
    if (box.top >= last.box.bottom - 1) return [];
    return [apart ? 'beside' : 'over'];
  };
  let last;
  for (const element of document.querySelectorAll(selector)) {
    const box = element.getBoundingClientRect();
    const name = element.tagName.toLowerCase() + (element.className === '' ? '' : '.' + String(element.className).split(' ')[0]);
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) {
      const line = name + ' hidden';
      if (element.closest('details:not([open])') === null && lines.at(-1) !== line) lines.push(line);
      continue;
    }
    if (box.width === 0 || box.height === 0) continue;
    const { backgroundColor, color } = getComputedStyle(element);
    const line = [name, twelfths(box.left) + '+' + twelfths(box.width), ...relationOf(box, element, last), backgroundColor, color].join(' ');
    if (lines.at(-1) !== line) lines.push(line);
    last = { box, element };
  }
  return lines;
})()`;

/** How wide these letters are in the fonts that the pictures were taken with. */
const fontWidths = `(() => {
  const context = document.createElement('canvas').getContext('2d');
  return ['DejaVu Sans', 'DejaVu Sans Mono'].map((family) => {
    context.font = '100px "' + family + '"';
    return family + ' ' + Math.round(context.measureText('Sphinx of black quartz, judge my vow 0123').width);
  });
})()`;
const nextFrame = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))';
const expectedWidths = ['DejaVu Sans 2171', 'DejaVu Sans Mono 2468'];

/**
 * Puts a copy in the page's place, which nothing moves any more, and in which what differs from run to run is the same: numbers,
 * ids, times, what charts draw, whether a key's use is written down yet, and what a document is about.
 */
const freeze = `(() => {
  const plain = (text) => text
    .replace(/(\\/[\\w.-]+)+\\/mcprank-test-\\w+/g, '…')
    .replace(/[\\w-]*[_\\d][\\w-]{11,}|\\w+_[0-9a-f]{5,}|mcprank-test-\\w+/g, '…')
    .replace(/\\b\\w+day, \\w+ (?=\\d)/g, 'Monday, January ')
    .replace(/\\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?=\\d)/g, 'Jan ')
    .replace(/^never$|just now|in a moment|yesterday|tomorrow|(in )?\\d+ (second|minute|hour|day)s?( ago)?/g, 'just now')
    .replace(/\\d[\\d.,:]*(\\s(ms|s)\\b)?/g, (number, unit) => unit === undefined ? '0' : '0 ms');
  const { style } = document.documentElement;
  style.setProperty('--sans', '"DejaVu Sans"');
  style.setProperty('--mono', '"DejaVu Sans Mono"');
  const live = document.body;
  const copy = live.cloneNode(true);
  const chosen = [...live.querySelectorAll('select')].map((select) => select.selectedIndex);
  for (const [i, select] of copy.querySelectorAll('select').entries()) select.selectedIndex = chosen[i];
  const texts = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = plain(texts.currentNode.data);
  for (const said of copy.querySelectorAll('.doc-cards span')) said.textContent = 'What it is about';
  for (const drawn of copy.querySelectorAll('.hours td, td[data-head="Last used"]')) drawn.style.visibility = 'hidden';
  live.replaceWith(copy);
  window.thaw = () => copy.replaceWith(live);
})()`;

/** Where it is noon: all that happened just before is of one day. */
function noon(): string {
  const ahead = 12 - new Date().getUTCHours();
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

test('every page looks as it was looked at, in either theme, on a desk and on a phone', {
  skip: noChromium,
  timeout: 240_000,
}, async (t) => {
  const app = await demo();
  const { page } = await openPage(t, app, {
    reducedMotion: 'reduce',
    viewport: sizes.desk,
    timezoneId: noon(),
  });
  await signIn(page, app);
  assert.deepEqual(
    await page.evaluate(fontWidths),
    expectedWidths,
    'other fonts than the pictures were taken with: they need fonts-dejavu-core',
  );
  const layouts: Record<string, readonly string[]> = {};
  const faults: string[] = [];
  for (const [title, path] of consolePages) {
    await show(page, app, path, title);
    // Its stream never ends; what every other page asks for is there when nothing is asked any more.
    if (path === '/activity') await page.locator('.chart').first().waitFor();
    else await page.waitForLoadState('networkidle');
    const looks = await looksOf(page, path, layouts);
    const name = path.replace(/\W+/g, '-').slice(1) || 'search';
    if (isUpdate) keepPicture(pictures, name, sheetOf(looks));
    else
      faults.push(...[pictureFault(pictures, name, sheetOf(looks))].filter((fault) => fault !== undefined));
  }
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
  const expected = isUpdate ? { ...kept, ...layouts } : kept;
  if (isUpdate) writeFileSync(file, `${JSON.stringify(expected, null, 2)}\n`);
  for (const [name, lines] of Object.entries(layouts)) assert.deepEqual(lines, expected[name], name);
  assert.ok(Object.values(layouts).every((lines) => lines.length > 1));
  assert.deepEqual(faults, []);
});

/** Screenshots of one page, and its blocks beside. */
async function looksOf(
  page: Page,
  path: string,
  layouts: Record<string, readonly string[]>,
): Promise<Buffer[]> {
  const looks: Buffer[] = [];
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    await page.evaluate(nextFrame);
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      layouts[`${path} ${colorScheme} ${size}`] = (await page.evaluate(blocksOf)) as string[];
    }
    await page.evaluate(freeze);
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      looks.push(await page.screenshot({ animations: 'disabled' }));
    }
    await page.evaluate('thaw()');
  }
  await page.setViewportSize(sizes.desk);
  return looks;
}
