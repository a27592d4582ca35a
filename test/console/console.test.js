// The console in a real browser, against the built server. The first three tests are those of make
// test; the others run with LEASEHOLD_TEST=long.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { browse, Server } from './server.js';
import { fill } from './fill.js';

const long = process.env.LEASEHOLD_TEST === 'long' ? test : (name, f) => test(name, { skip: 'LEASEHOLD_TEST=long runs it' }, f);
const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

let browser;
const server = new Server();
before(async () => {
  await server.start();
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server.stop();
});

const wide = { viewport: { width: 1280, height: 800 } }, narrow = { viewport: { width: 360, height: 740 } };

/** Signs in with a browser of its own. What the page says to the console, and asks of other hosts, is collected. */
async function signIn(options = wide, on = server) {
  const context = await browser.newContext(options), page = await context.newPage();
  page.complaints = [];
  page.on('console', m => page.complaints.push(m.text()));
  page.on('pageerror', e => page.complaints.push(String(e)));
  page.on('request', r => { if (new URL(r.url()).origin !== on.origin && !r.url().startsWith('data:')) page.complaints.push(r.url()); });
  await page.goto(on.fresh());
  await page.waitForURL(on.origin + '/');
  await page.locator('.live.on').waitFor();
  return page;
}

const row = (page, name) => page.locator(`tr[data-k="${name}"]`);

test('a lease appears, counts down, is renewed and ends', async () => {
  const page = await signIn();
  const id = await server.lease('live/one', 15), one = row(page, 'live/one');
  await one.waitFor({ timeout: 2000 });
  await one.locator('.left', { hasText: /^1[0-3] s$/ }).waitFor({ timeout: 6000 });
  await server.act('live/one', 'renew', { 'x-ms-lease-id': id });
  await one.locator('.left', { hasText: /^1[45] s$/ }).waitFor({ timeout: 2000 });
  await page.locator('tr.low[data-k="live/one"]').waitFor({ timeout: 15000 });
  await one.waitFor({ state: 'detached', timeout: 10000 });
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

for (const [width, options] of [[1280, wide], [360, narrow]]) {
  test(`an orphaned lease is found and broken by keyboard at ${width} pixels`, async () => {
    const name = `night/lock-${width}`;
    await server.lease(name, -1);
    const page = await signIn(options);
    await page.keyboard.press('/');
    await page.keyboard.type(name);
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=/);
    await page.locator('.live.on').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('b');
    await page.locator('dialog[open]').waitFor();
    await page.keyboard.type(name);
    await page.keyboard.press('Enter');
    await page.getByText('free now').waitFor();
    assert.equal(await server.state(name), 'broken');
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width);
    await page.keyboard.press('Enter'); // Close
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test('a page says that it is stale when the server is killed, and is live again after the restart', async () => {
  const own = new Server();
  try {
    await own.start();
    await own.lease('live/kept', -1);
    const page = await signIn(wide, own);
    await row(page, 'live/kept').waitFor();
    await own.kill();
    await page.getByText('No connection').waitFor({ timeout: 3000 });
    await page.keyboard.press('j');
    await page.keyboard.press('b');
    assert.equal(await page.locator('dialog[open]').count(), 0, 'a lease can be broken on a stale page');
    await own.start();
    // Sessions end with the process: the page asks to sign in, and shows the lease that was kept.
    await page.waitForURL(own.origin + '/sign-in', { timeout: 5000 });
    await page.goto(own.fresh());
    await page.waitForURL(own.origin + '/');
    await page.locator('.live.on').waitFor({ timeout: 3000 });
    await row(page, 'live/kept').waitFor({ timeout: 3000 });
    await page.context().close();
  } finally {
    await own.stop();
  }
});

long('cancel, a wrong name and a changed epoch break nothing', async () => {
  await server.lease('safe/lock', -1);
  const page = await signIn();
  const open = async () => {
    await row(page, 'safe/lock').waitFor();
    await page.getByRole('button', { name: 'Break safe/lock' }).click({ force: true });
    await page.locator('dialog[open]').waitFor();
  };
  await open();
  await page.locator('#dtype').fill('safe/lock');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await open();
  await page.locator('#dtype').fill('safe/loc');
  assert.equal(await page.locator('#dok').isDisabled(), true);
  await page.locator('#dtype').press('Enter');
  assert.equal(await server.state('safe/lock'), 'leased');
  await server.act('safe/lock', 'break', { 'x-ms-lease-break-period': '0' });
  await server.lease('safe/lock', -1);
  await page.locator('#dtype').fill('safe/lock');
  await page.locator('#dok').click();
  await page.getByText('changed hands').waitFor();
  assert.equal(await server.state('safe/lock'), 'leased');
  await page.context().close();
});

long('several leases are broken together, but for one that changed hands', async () => {
  for (const name of ['a', 'b', 'c']) await server.lease('bulk/' + name, -1);
  const page = await signIn();
  await page.goto(server.origin + '/?q=bulk%2F');
  await page.locator('.live.on').waitFor();
  for (const name of ['a', 'b', 'c']) await page.getByLabel('Select bulk/' + name).check();
  await page.getByRole('button', { name: 'Break selected' }).click();
  await server.act('bulk/b', 'break', { 'x-ms-lease-break-period': '0' });
  await server.lease('bulk/b', -1);
  await page.locator('#dtype').fill('break 3');
  await page.locator('#dok').click();
  await page.getByText('bulk/b — Not broken').waitFor();
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(n => server.state('bulk/' + n))), ['broken', 'leased', 'broken']);
  await page.context().close();
});

long('axe finds nothing on any page, light, dark, narrow, or in the dialog', async () => {
  await fill(server);
  for (const options of [wide, { ...wide, colorScheme: 'dark' }, narrow]) {
    const page = await signIn({ ...options, bypassCSP: true });
    const look = async where => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate('axe.run()');
      assert.deepEqual(violations.map(v => `${where}: ${v.id} ${v.nodes.map(n => n.html).slice(0, 2)}`), []);
      assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), where + ' scrolls sideways');
    };
    for (const path of ['/', '/lease?name=jobs/nightly', '/break?name=jobs/nightly', '/contention', '/containers', '/containers?container=jobs',
      '/connect', '/access', '/health', '/?q=nothing']) {
      await page.goto(server.origin + path);
      await look(path);
    }
    await page.goto(server.origin + '/');
    await page.locator('.live.on').waitFor();
    await page.getByRole('button', { name: 'Break tfstate/staging/app.tfstate' }).click({ force: true });
    await page.locator('dialog[open]').waitFor();
    await look('the dialog');
    await page.context().close();
  }
});

long('list, detail and break work without JavaScript', async () => {
  await server.lease('plain/lock', -1);
  const page = await (await browser.newContext({ ...wide, javaScriptEnabled: false })).newPage();
  await page.goto(server.fresh());
  await page.goto(server.origin + '/');
  await page.getByTitle('plain/lock').click();
  await page.getByRole('link', { name: 'Break…' }).click();
  await page.locator('[name=confirm]').fill('plain/lock');
  await page.getByRole('button', { name: 'Break plain/lock' }).click();
  await page.getByText('free now').waitFor();
  assert.equal(await server.state('plain/lock'), 'broken');
  await page.context().close();
});

long('names are shown as they are', async () => {
  const names = ['<script>alert(1)</script>', '"quoted"', 'a%2Fb', 'a//b', 'شحن', 'x'.repeat(1024)].map(n => 'names/' + n);
  for (const name of names) await server.lease(name, -1);
  const page = await signIn();
  await page.goto(server.origin + '/?q=names%2F');
  assert.deepEqual((await page.locator('#rows th a').evaluateAll(all => all.map(a => a.textContent))).sort(), [...names].sort());
  assert.deepEqual(page.complaints, []);
  assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
  await page.context().close();
});
