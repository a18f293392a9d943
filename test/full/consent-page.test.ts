import assert from 'node:assert/strict';
import { test } from 'node:test';
import axe from 'axe-core';
import { chromium, type Page } from 'playwright-core';
import { bootApp } from '../support/app.ts';
import { chromiumPath, noChromium } from '../support/console.ts';
import { providerSettings, startIdp } from '../support/oidc.ts';

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate('axe.run(document)')) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  );
}

test('F8 F10: a person goes the whole way in a browser, on a phone, by keyboard, light and dark; the pages are accessible and small', {
  skip: noChromium,
  timeout: 120_000,
}, async (t) => {
  const idp = await startIdp(t);
  const app = await bootApp(t, providerSettings(t, { idp: idp.row() }, idp));
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
  t.after(() => browser.close());
  for (const colorScheme of ['light', 'dark'] as const) {
    const opened = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: `ann of ${colorScheme}`, provider: 'idp' },
    });
    const context = await browser.newContext({ colorScheme, viewport: { width: 360, height: 640 } });
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(String(opened.body.auth_url));
    const text = (await page.locator('body').innerText()).toLowerCase();
    for (const named of ['admin', `ann of ${colorScheme}`, 'test suite', 'calendar.read'])
      assert.ok(text.includes(named), `${named} is named: ${text}`);
    assert.deepEqual(await violations(page), []);
    const width = Number(await page.evaluate('document.documentElement.scrollWidth'));
    assert.ok(width <= 360, `${width}`);
    assert.ok((await page.content()).length < 16_000);
    assert.equal(requests.length, 1, 'nothing else is fetched');
    // By keyboard alone: the first thing that can be reached is the button.
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/v1\/identity\/callback\//);
    assert.deepEqual(await violations(page), []);
    assert.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= 360);
    assert.deepEqual(faults, []);
    const seen = await app.call('GET', `/v1/identity/sessions/${String(opened.body.session_id)}`);
    assert.equal(seen.body.status, 'complete');
    await context.close();
  }
});
