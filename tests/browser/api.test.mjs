// The JavaScript API in Chromium: the page of 2011 with an account of its own, and what the file
// does not allow.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { hearsTone } from './lib/ear.mjs';
import { frameOf, page2011 } from './lib/page2011.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { openRegistrar } from './lib/registrar.mjs';
import { openShop } from './lib/shop.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 90_000 };

const registrar = await openRegistrar('api');
const callee = await ShopPhone.start('api', { user: 'bob', proxy: registrar });
await callee.registered();
const pages = {};
const shop = await openShop(pages);
const appliance = await Appliance.start('api', {
  webphone: { registrars: [registrar.address], origins: [shop.origin] },
});
const plan = {
  host: appliance.url,
  registrar: registrar.address,
  username: 'alice',
  password: 'secret',
  uri: `sip:bob@${registrar.address}`,
};
pages['/'] = page2011(plan);
pages['/wrong'] = page2011({ ...plan, password: 'guessed' });
pages['/elsewhere'] = page2011({ ...plan, registrar: '127.0.0.1:5099' });
pages['/quiet'] = page2011(plan).replace('onload="start()"', '');

const browser = await launchChromium('api');

async function visit(t, url, before = []) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return openPage(context, url, { before });
}

// Notes everything that the API says, before the page's own handlers are set.
const notes = () => {
  window.notes = [];
  const names = ['onCallStateChanged', 'onError', 'onMicStateChanged', 'onQualityChanged'];
  addEventListener('DOMContentLoaded', () => {
    for (const name of names) {
      window.RTCKit.webPhone[name] = (info) => window.notes.push({ name, ...info });
    }
  });
};

test('the page of 2011 registers and calls with only its host changed', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/`);
  await callee.talks();
  const frame = await until('the phone is in its frame', () => frameOf(page));
  await hearsTone(frame, 660);
  await callee.heardTone(440, 1);
  assert.equal(await page.textContent('#state'), 'registered');
  callee.hangUp();
  await callee.idle();
  await appliance.idle();
  assert.deepEqual(page.mistakes, []);
});

test('the members of today: states, keys, mute and hang-up through the same frame', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/`, [notes]);
  await callee.talks();
  const states = () => page.evaluate(() => window.notes.filter(({ name }) => name === 'onCallStateChanged').map(({ state }) => state));
  await until('the page is told of the call', async () => (await states()).includes('active'));
  await page.evaluate(() => window.RTCKit.webPhone.sendDtmf({ digits: '42' }));
  await until('the keys are at the phone', () => callee.digits.endsWith('42'));
  await page.evaluate(() => window.RTCKit.webPhone.setMicMuted(true));
  await until('the page is told of the mute', () => callee.heard(440).slice(-4).every(({ level }) => level < -55));
  await page.evaluate(() => window.RTCKit.webPhone.hangup());
  await callee.idle();
  await until('the page is told of the end', async () => (await states()).at(-1) === 'ended');
  assert.equal((await states())[0], 'calling');
  await appliance.idle();
});

test('a wrong password is told to the page and calls nobody', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/wrong`);
  await until('the page knows', async () => (await page.textContent('#state')) === 'not registered');
  assert.equal(callee.calls, 0);
});

test('a registrar that the file does not name is refused', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/elsewhere`);
  await until('the page knows', async () => (await page.textContent('#state')) === 'not registered');
});

test('a page of an origin that the file does not name gets no phone', LIMIT, async (t) => {
  const foreign = await openShop({ '/': page2011(plan) });
  const page = await visit(t, `${foreign.origin}/`);
  await until('the browser says why', () => page.mistakes.some((words) => /frame-ancestors/.test(words)));
  assert.equal(callee.calls, 0);
});

test('a page that is left takes its registration and its call along', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/`);
  await callee.talks();
  await page.goto('about:blank');
  await callee.idle();
  await appliance.idle();
  await until('the account is gone', async () => (await appliance.metric('accounts_registered')) === 0, { within: 45_000 });
});
