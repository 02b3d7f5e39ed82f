// Firefox ESR: the demo, the page of 2011, and a call that comes in.

import { ownAddress, ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { Bench } from './lib/bench.mjs';
import { hearsNothing, hearsSound, hearsTone } from './lib/ear.mjs';
import { launchFirefox, openFirefoxPage } from './lib/firefox.mjs';
import { frameOf, page2011 } from './lib/page2011.mjs';
import { Panel } from './lib/panel.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { openRegistrar } from './lib/registrar.mjs';
import { openShop, storePage } from './lib/shop.mjs';
import { soon, until } from './lib/wait.mjs';

const LIMIT = { timeout: 150_000 };
// Firefox does not send anything to candidates on loopback.
const webrtc = ownAddress();

// The demo's own default: every address of the machine, since loopback alone would not do.
const demo = await Appliance.demo('firefox-demo', { webrtc: '0.0.0.0' });
const registrar = await openRegistrar('firefox');
const callee = await ShopPhone.start('firefox', { user: 'bob', proxy: registrar });
await callee.registered();
const pages = {};
const shop = await openShop(pages);
const appliance = await Appliance.start('firefox', {
  accounts: { main: callee.trunk },
  buttons: { sales: { destination: callee.uri, origins: [shop.origin] } },
  webphone: { registrars: [registrar.address], origins: [shop.origin] },
  webrtc,
});
await appliance.ready();
pages['/2011'] = page2011({
  host: appliance.url, registrar: registrar.address, username: 'alice', password: 'secret', uri: `sip:bob@${registrar.address}`,
});
pages['/'] = storePage(`${appliance.url}/b/sales`);

const browser = await launchFirefox();

async function visit(t, url) {
  const page = await soon('Firefox opens a page', openFirefoxPage(browser, url), 45_000);
  t.after(() => soon('Firefox closes the page', page.close(), 10_000).catch(() => {}));
  return page;
}

test('Firefox talks with the demo phone', LIMIT, async (t) => {
  const page = await visit(t, `${demo.url}/b/demo`);
  const panel = await new Panel(page).ready();
  await panel.press('call');
  await panel.reaches('active');
  await hearsSound(page);
  await hearsTone(page, 440, { within: 30_000 });
  await panel.press('mute');
  await hearsNothing(page);
  await panel.press('keys');
  await page.click('[data-digit="5"]');
  await hearsSound(page);
  await panel.press('hangup');
  await panel.reaches('ended');
  await demo.idle();
  assert.deepEqual(page.mistakes, []);
});

test('Firefox and the shop hear each other through the pasted snippet', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/`);
  const frame = await (await page.waitForSelector('#call-us')).contentFrame();
  const panel = await new Panel(frame).ready();
  await panel.press('call');
  await panel.reaches('active');
  await hearsTone(frame, 660);
  await callee.heardTone(440, 1);
  await panel.press('keys');
  await frame.click('[data-digit="8"]');
  await until('the key is at the phone', () => callee.digits.endsWith('8'));
  callee.hangUp();
  await panel.reaches('ended');
  await callee.idle();
  await appliance.idle();
});

test('the page of 2011 calls in Firefox', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/2011`);
  await callee.talks();
  const frame = await until('the phone is in its frame', () => frameOf(page));
  await hearsTone(frame, 660);
  await callee.heardTone(440, 1);
  await page.evaluate(() => window.RTCKit.webPhone.hangup());
  await callee.idle();
  await appliance.idle();
});

test('the bench is called in Firefox and worked by the keyboard: answer, hold, resume, hang up', LIMIT, async (t) => {
  const page = await visit(t, `${appliance.url}/demo`);
  const alice = await new Bench(page).registered({ registrar: registrar.address, username: 'alice' });
  callee.command('dial', `sip:alice@${registrar.domain}`);
  await alice.reaches('bob', 'ringing');
  // The Tab key would leave the page after its last button; calls stand at the top.
  await page.click('h1');
  await alice.tabTo('answer');
  await page.keyboard.press(' ');
  await alice.reaches('bob', 'active');
  assert.equal(await alice.focus(), 'hangup');
  await hearsTone(alice.frame, 660);
  await callee.heardTone(440, 1);
  await page.click('h1');
  await alice.tabTo('hold');
  await page.keyboard.press(' ');
  await alice.reaches('bob', 'held');
  await hearsNothing(alice.frame);
  await page.keyboard.press(' ');
  await alice.reaches('bob', 'active');
  await hearsTone(alice.frame, 660);
  await alice.tabTo('hangup');
  await page.keyboard.press(' ');
  await alice.reaches('bob', null);
  await callee.idle();
  await appliance.idle();
  assert.deepEqual(page.mistakes, []);
});

test('a closed Firefox page leaves no call behind', LIMIT, async (t) => {
  const page = await visit(t, `${appliance.url}/b/sales`);
  const panel = await new Panel(page).ready();
  await panel.press('call');
  await callee.talks();
  await page.close();
  await callee.idle();
  await appliance.idle();
});
