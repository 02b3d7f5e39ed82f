// One visit with several calls: which devices they use, and what happens when the page is left and
// comes back from the browser's cache.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { hearsTone } from './lib/ear.mjs';
import { holdMicrophone } from './lib/meddle.mjs';
import { Panel } from './lib/panel.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { openShop } from './lib/shop.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 90_000 };

const phone = await ShopPhone.start('visit');
const shop = await openShop({ '/': '<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>' });
const appliance = await Appliance.start('visit', {
  accounts: { main: phone.trunk },
  buttons: { sales: { destination: phone.uri, origins: [shop.origin] } },
});
await appliance.ready();
const browser = await launchChromium('visit', { keepPages: true });

/** Notes in `window.sinks` where elements and contexts were told to play. */
function watchSpeakers() {
  window.sinks = { audio: [], context: [] };
  for (const [kind, type] of [['audio', HTMLMediaElement], ['context', AudioContext]]) {
    const original = type.prototype.setSinkId;
    type.prototype.setSinkId = function setSinkId(id) {
      window.sinks[kind].push(id);
      return original.call(this, id);
    };
  }
}

async function visit(t) {
  const context = await browser.newContext();
  t.after(async () => {
    await context.close();
    if (phone.calls) await phone.idle();
  });
  const page = await openPage(context, `${appliance.url}/b/sales`, { before: [holdMicrophone, watchSpeakers] });
  return { page, context, panel: await new Panel(page).ready() };
}

async function call(panel) {
  await panel.press('call');
  await phone.talks();
  await panel.reaches('active');
}

test('microphone and loudspeaker are chosen in a call and kept for the next, without a cookie', LIMIT, async (t) => {
  const { page, context, panel } = await visit(t);
  await call(panel);
  await hearsTone(page, 660);
  await panel.press('settings');
  const options = (id) => page.evaluate((name) => [...document.getElementById(name).options].map(({ value, text }) => ({ value, text })), id);
  const microphones = await until('the microphones are listed', async () => {
    const all = await options('microphone');
    return all.length > 1 && all;
  });
  const speakers = await options('speaker');
  assert.ok(speakers.length > 1, JSON.stringify(speakers));
  for (const { value, text } of [...microphones, ...speakers]) assert.ok(value && text, JSON.stringify({ value, text }));

  const microphone = microphones.at(-1).value;
  const speaker = speakers.at(-1).value;
  await page.selectOption('#microphone', microphone);
  await until('the chosen microphone is open', () => page.evaluate((id) => window.tracks.at(-1).getSettings().deviceId === id, microphone));
  assert.equal(await page.evaluate(() => window.tracks[0].readyState), 'ended', 'the first one is let go');
  await page.selectOption('#speaker', speaker);
  const sink = () => page.evaluate(() => document.querySelector('audio').sinkId);
  await until('the chosen loudspeaker plays', async () => (await sink()) === speaker);
  assert.deepEqual(await page.evaluate(() => window.sinks), { audio: [speaker], context: [speaker] });
  const spoken = phone.heard(440).length;
  await until('the shop still hears the visitor', () => phone.heard(440).slice(spoken).filter(({ tone, share }) => tone > -40 && share > 0.8).length >= 5);
  await hearsTone(page, 660);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();

  await call(panel);
  const asked = await page.evaluate(() => window.asked.at(-1).audio.deviceId);
  assert.deepEqual(asked, { exact: microphone });
  assert.equal(await page.evaluate(() => window.tracks.at(-1).getSettings().deviceId), microphone);
  await until('the next call plays there too', async () => (await sink()) === speaker);
  await hearsTone(page, 660);
  await panel.press('settings');
  assert.equal(await page.inputValue('#microphone'), microphone);
  assert.equal(await page.inputValue('#speaker'), speaker);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();

  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), ['', 0, 0]);
  assert.deepEqual(page.mistakes, []);
});

test('a chosen microphone that is gone at the next call is replaced by any other', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await panel.press('settings');
  await until('the microphones are listed', () => page.evaluate(() => document.getElementById('microphone').options.length > 1));
  await page.evaluate(() => {
    const select = document.getElementById('microphone');
    select.append(new Option('A headset of yesterday', 'gone'));
    select.value = 'gone';
    select.dispatchEvent(new Event('change', { bubbles: true }));
  });
  await until('another was taken', () => page.evaluate(() => window.tracks.length > 1 && window.tracks.at(-1).readyState === 'live'));
  assert.equal(await panel.problem(), null);
  await panel.press('hangup');
  await panel.reaches('ended');
  await call(panel);
  await phone.heardTone(440, 1);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
  assert.deepEqual(page.mistakes, []);
});

/** Back by history. Not goBack(): the driver waits for a load that a page out of the cache does not have. */
async function back(page) {
  await page.evaluate(() => { setTimeout(() => history.back()); });
  await until('the page is back', () => page.evaluate(() => location.pathname === '/b/sales'));
  return new Panel(page).ready();
}

async function isIdle(page, panel) {
  assert.equal(await panel.state(), 'idle');
  await until('it is ready', async () => (await panel.status()) === 'Ready');
  assert.equal(await page.textContent('#call-text'), 'Call');
  assert.equal(await page.isVisible('#timer'), false);
  assert.equal(await panel.problem(), null);
}

async function callsAgain(page, panel) {
  await call(panel);
  await hearsTone(page, 660);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
  await appliance.idle();
  assert.deepEqual(page.mistakes, []);
}

test('leaving the page in a call ends it, and coming back by history finds an idle panel that calls again', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await page.goto(`${shop.origin}/`);
  await phone.idle();
  await appliance.idle();
  const again = await back(page);
  await isIdle(page, again);
  await callsAgain(page, again);
});

test('a page out of the browser\'s cache is connected again, and idle', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
  await page.evaluate(() => addEventListener('pageshow', ({ persisted }) => { window.cameBack = persisted; }));
  await page.goto(`${shop.origin}/`);
  const again = await back(page);
  const [kept, why] = await page.evaluate(() => [
    window.cameBack, JSON.stringify(performance.getEntriesByType('navigation')[0].notRestoredReasons),
  ]);
  assert.equal(kept, true, `it was loaded anew: ${why}`);
  await isIdle(page, again);
  await callsAgain(page, again);
});

test('a call does not go on in a page that the browser keeps, as Safari and Firefox do', LIMIT, async (t) => {
  // Chromium keeps no page with an open microphone, so the two events are made here.
  const { page, panel } = await visit(t);
  await call(panel);
  await until('the microphone is open', () => page.evaluate(() => window.tracks.length > 0));
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await phone.idle();
  await appliance.idle();
  assert.deepEqual(await page.evaluate(() => window.tracks.map(({ readyState }) => readyState)), ['ended'], 'the microphone is let go');
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await panel.ready();
  await isIdle(page, panel);
  await callsAgain(page, panel);
});
