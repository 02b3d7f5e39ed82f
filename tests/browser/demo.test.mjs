// The demo in Chromium: the first thing that a newcomer does.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage, weigh } from './lib/chromium.mjs';
import { hearsNothing, hearsSound, hearsTone } from './lib/ear.mjs';
import { Panel } from './lib/panel.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = 60_000;

const demo = await Appliance.demo('demo');
const browser = await launchChromium('demo');

async function visit(test, path) {
  const context = await browser.newContext();
  test.after(() => context.close());
  return openPage(context, path && `${demo.url}${path}`);
}

test('the first page of the demo leads to a talk with the demo phone', { timeout: 120_000 }, async (t) => {
  const page = await visit(t, '/');
  const element = await page.waitForSelector('iframe[src="/b/demo"]');
  const frame = await element.contentFrame();
  const panel = await new Panel(frame).ready();

  await panel.press('call');
  await panel.reaches('active');
  await hearsSound(frame);
  await hearsTone(frame, 440, { within: 30_000 });
  const words = await panel.said();
  assert.deepEqual(words.filter((word) => ['Calling', 'Ringing', 'In call'].includes(word)), ['Calling', 'Ringing', 'In call'], words.join());
  const began = await panel.timer();
  await until('the timer runs', async () => (await panel.timer()) !== began);

  await panel.press('mute');
  await hearsNothing(frame);
  await panel.press('keys');
  await frame.click('[data-digit="5"]');
  await hearsSound(frame);
  await hearsNothing(frame);
  await frame.click('#keys');
  await panel.press('mute');
  await hearsTone(frame, 440);

  await panel.press('hangup');
  await panel.reaches('ended');
  await demo.idle();
  assert.deepEqual(page.mistakes, []);
});

test('the call page weighs less than 60 KB over the wire and loads nothing from elsewhere', async (t) => {
  const page = await visit(t);
  const { octets, addresses } = await weigh(page, `${demo.url}/b/demo`);
  await new Panel(page).ready();
  const sum = [...octets.values()].reduce((all, one) => all + one, 0);
  const table = [...octets].map(([url, size]) => `${size} ${url}`).join('\n');
  console.log(`the call page weighs ${sum} octets in ${octets.size} answers`);
  assert.ok(octets.size >= 5, table);
  assert.ok(sum < LIMIT, `${sum} octets\n${table}`);
  for (const address of addresses()) assert.ok(address.startsWith(`${demo.url}/`) || address.startsWith('data:'), address);
  assert.deepEqual(page.mistakes, []);
});

test('a second visit takes everything but the page itself from the browser', async (t) => {
  const page = await visit(t, '/b/demo');
  await new Panel(page).ready();
  const asked = [];
  page.on('response', async (response) => {
    if (response.request().url().includes('/a/') && !response.fromServiceWorker()) {
      const size = (await response.request().sizes().catch(() => null))?.responseBodySize;
      asked.push({ url: response.url(), size });
    }
  });
  await page.reload();
  await new Panel(page).ready();
  const entries = await page.evaluate(() => performance.getEntriesByType('resource')
    .filter(({ name }) => name.includes('/a/')).map(({ name, transferSize }) => ({ name, transferSize })));
  assert.ok(entries.length >= 3, JSON.stringify(entries));
  for (const { name, transferSize } of entries) assert.equal(transferSize, 0, name);
});

test('the demo refuses nothing of a second call right after the first', { timeout: 60_000 }, async (t) => {
  const page = await visit(t, '/b/demo');
  const panel = await new Panel(page).ready();
  for (let turn = 0; turn < 2; turn += 1) {
    await panel.press('call');
    await panel.reaches('active');
    await panel.press('hangup');
    await panel.reaches('ended');
  }
  await demo.idle();
  assert.deepEqual(page.mistakes, []);
});
