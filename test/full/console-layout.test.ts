/**
 * How every page is laid out and coloured, held against what was looked at: in either theme, at 360 pixels and on a desk.
 *
 * Not pictures of pixels: fonts differ from machine to machine, and with them every line break and every pixel of a letter. What is
 * compared is what a picture would show to be broken: which blocks there are, in which order, on which twelfths of the page each
 * stands, what is beside what, and the colours of ground and text. `UPDATE_LAYOUT=1` writes the baselines anew; look at the pages then.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { noChromium } from '../support/console.ts';
import { consolePages, demo, openPage, show, signIn } from '../support/console-browser.ts';
import { root } from '../support/paths.ts';

const file = join(root, 'test/full/console-layout.json');
const isUpdate = process.env.UPDATE_LAYOUT !== undefined;
type Baseline = Record<string, readonly string[]>;

const sizes = { desk: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } } as const;

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

async function layoutOf(page: Page): Promise<string[]> {
  return (await page.evaluate(blocksOf)) as string[];
}

for (const colorScheme of ['light', 'dark'] as const)
  test(`every page in ${colorScheme} is laid out as it was looked at, on a desk and on a phone`, {
    skip: noChromium,
    timeout: 240_000,
  }, async (t) => {
    const app = await demo();
    const expected = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
    const found: Record<string, string[]> = {};
    for (const [size, viewport] of Object.entries(sizes)) {
      const { page } = await openPage(t, app, { colorScheme, viewport, reducedMotion: 'reduce' });
      await signIn(page, app);
      for (const [title, path] of consolePages) {
        await show(page, app, path, title);
        // Its stream never ends; what every other page asks for is there when nothing is asked any more.
        if (path === '/activity') await page.locator('.chart').first().waitFor();
        else await page.waitForLoadState('networkidle');
        found[`${path} ${colorScheme} ${size}`] = await layoutOf(page);
      }
    }
    if (isUpdate) writeFileSync(file, `${JSON.stringify({ ...expected, ...found }, null, 2)}\n`);
    for (const [name, lines] of Object.entries(found))
      assert.deepEqual(lines, isUpdate ? lines : expected[name], name);
    assert.ok(Object.values(found).every((lines) => lines.length > 1));
  });
