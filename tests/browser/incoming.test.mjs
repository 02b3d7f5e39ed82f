// Calls that come in at a WebRTC page: on the test bench, and on a shop's own page by the API.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { Bench } from './lib/bench.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { hearsNothing, hearsTone } from './lib/ear.mjs';
import { SCREENS } from './lib/folder.mjs';
import { holdMicrophone } from './lib/meddle.mjs';
import { frameOf, page2011 } from './lib/page2011.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { openRegistrar } from './lib/registrar.mjs';
import { openShop } from './lib/shop.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 120_000 };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

mkdirSync(SCREENS, { recursive: true });
const registrar = await openRegistrar('incoming');
const bob = await ShopPhone.start('incoming', { user: 'bob', proxy: registrar });
const carol = await ShopPhone.start('incoming', { user: 'carol', hertz: 880, proxy: registrar });
await bob.registered();
await carol.registered();
const pages = {};
const shop = await openShop(pages);
const appliance = await Appliance.start('incoming', { webphone: { registrars: [registrar.address], origins: [shop.origin] } });
pages['/'] = page2011({
  host: appliance.url, registrar: registrar.address, username: 'alice', password: 'secret', uri: 'sip:nobody@nowhere',
}).replace(/RTCKit\.webPhone\.call\(.*\);/, '');
const browser = await launchChromium('incoming');

async function bench(t, { size = [1280, 800], scheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width: size[0], height: size[1] }, colorScheme: scheme });
  t.after(async () => {
    await context.close();
    for (const phone of [bob, carol]) if (phone.calls) await phone.idle();
    await appliance.idle();
  });
  const page = await openPage(context, `${appliance.url}/demo`, { before: [holdMicrophone] });
  return new Bench(page).registered({ registrar: registrar.address, username: 'alice' });
}

const call = (phone) => phone.command('dial', `sip:alice@${registrar.domain}`);

/** `bob` as the bench names him. */
const [BOB, CAROL] = ['bob', 'carol'];

async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.filter(({ impact }) => impact !== 'minor')
    .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

test('the bench is called and worked by the keyboard: answer, hold, resume, keys, hang up', LIMIT, async (t) => {
  const alice = await bench(t);
  const { page, frame } = alice;
  call(bob);
  await alice.reaches(BOB, 'ringing');
  assert.equal(await page.getAttribute('#ringing', 'role'), 'alert');
  assert.match(await alice.said('ringing'), /^bob calls/);
  assert.deepEqual((await alice.calls())[0].buttons, ['answer', 'reject']);
  assert.equal(await frame.evaluate(() => window.asked.length), 0, 'nobody is asked for the microphone before the answer');
  await alice.tabTo('answer');
  await page.keyboard.press('Enter');
  await alice.reaches(BOB, 'active');
  await bob.talks();
  assert.equal(await alice.focus(), 'hangup', 'what is pressed next has the focus');
  await hearsTone(frame, 660);
  await bob.heardTone(440, 1);

  await alice.tabTo('hold');
  await page.keyboard.press('Space');
  await alice.reaches(BOB, 'held');
  assert.equal(await page.getAttribute('[data-do="hold"]', 'aria-pressed'), 'true');
  await hearsNothing(frame);
  await page.keyboard.press('Space');
  await alice.reaches(BOB, 'active');
  await hearsTone(frame, 660);

  await alice.tabTo('keys');
  await page.keyboard.press('Enter');
  assert.equal(await alice.focus(), '1', 'the keypad is opened to be used');
  await page.focus('[data-digit="7"]');
  await page.keyboard.press('Space');
  await until('the key is at the phone', () => bob.digits.endsWith('7'));
  await alice.tabTo('hangup');
  await page.keyboard.press('Enter');
  await alice.reaches(BOB, null);
  await bob.idle();
  await appliance.idle();
  assert.equal(await alice.focus(), 'call');
  assert.equal(await frame.evaluate(() => window.tracks.every(({ readyState }) => readyState === 'ended')), true);
  assert.deepEqual(page.mistakes, []);
});

for (const scheme of ['light', 'dark']) {
  test(`calls look right on a desktop and a telephone in ${scheme}`, LIMIT, async (t) => {
    for (const [name, size] of [['desktop', [1280, 800]], ['telephone', [390, 844]]]) {
      const alice = await bench(t, { size, scheme });
      const shoot = async (what) => {
        await alice.page.screenshot({ path: path.join(SCREENS, `bench-${name}-${scheme}-${what}.png`) });
        assert.ok(await alice.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} scrolls sideways`);
        assert.deepEqual(await violations(alice.page), [], what);
      };
      call(bob);
      await alice.reaches(BOB, 'ringing');
      await shoot('ringing');
      await alice.press(BOB, 'answer');
      await alice.reaches(BOB, 'active');
      await alice.press(BOB, 'keys');
      await alice.press(BOB, 'send');
      await shoot('call');
      call(carol);
      await alice.reaches(CAROL, 'ringing');
      await alice.press(BOB, 'hold');
      await alice.reaches(BOB, 'held');
      await shoot('waiting');
      await alice.press(CAROL, 'reject');
      await alice.press(BOB, 'hangup');
      await alice.reaches(BOB, null);
      await alice.page.context().close();
      await bob.idle();
      await appliance.idle();
    }
  });
}

test('a call is rejected, another is given up by its caller, and nobody was asked for a microphone', LIMIT, async (t) => {
  const alice = await bench(t);
  call(bob);
  await alice.reaches(BOB, 'ringing');
  await alice.press(BOB, 'reject');
  await alice.reaches(BOB, null);
  await bob.idle();
  call(bob);
  await alice.reaches(BOB, 'ringing');
  bob.hangUp();
  await alice.reaches(BOB, null);
  assert.match(await alice.said('state'), /^bob: Ended: Call cancelled/);
  assert.equal(await alice.said('ringing'), '');
  assert.equal(await alice.frame.evaluate(() => window.asked.length), 0);
});

test('a second caller waits; taking that call holds the first one', LIMIT, async (t) => {
  const alice = await bench(t);
  call(bob);
  await alice.reaches(BOB, 'ringing');
  await alice.press(BOB, 'answer');
  await alice.reaches(BOB, 'active');
  await hearsTone(alice.frame, 660);
  call(carol);
  await alice.reaches(CAROL, 'ringing');
  await alice.press(CAROL, 'answer');
  await alice.reaches(CAROL, 'active');
  await alice.reaches(BOB, 'held');
  await carol.heardTone(440, 1);
  await alice.press(BOB, 'hold');
  await alice.reaches(BOB, 'active');
  await alice.reaches(CAROL, 'held');
  carol.hangUp();
  await alice.reaches(CAROL, null);
  await hearsTone(alice.frame, 660);
  await alice.press(BOB, 'hangup');
  await bob.idle();
});

test('two callers are asked by the keyboard to talk to each other, and both calls go on where they cannot', LIMIT, async (t) => {
  const alice = await bench(t);
  for (const [phone, name] of [[bob, BOB], [carol, CAROL]]) {
    call(phone);
    await alice.reaches(name, 'ringing');
    assert.ok((await alice.calls()).every(({ buttons }) => !buttons.includes('join')), 'there is one call to speak of');
    await alice.press(name, 'answer');
    await alice.reaches(name, 'active');
  }
  await carol.heardTone(440, 1);
  await alice.press(BOB, 'send');
  await alice.tabTo('join');
  assert.equal(await alice.page.evaluate(() => document.activeElement.textContent), 'Join with carol');
  assert.deepEqual(await violations(alice.page), []);
  await alice.page.screenshot({ path: path.join(SCREENS, 'bench-desktop-light-join.png') });
  await alice.page.keyboard.press('Enter');
  // This provider knows no user of the name that carol's phone has in its Contact.
  await until('the page is told', async () => /could not be transferred.*The call goes on/.test(await alice.said('state')));
  assert.deepEqual((await alice.calls()).map(({ name, state }) => [name, state]), [[CAROL, 'active'], [BOB, 'held']]);
  assert.deepEqual(alice.page.mistakes, []);
  await alice.press(BOB, 'hangup');
  await alice.press(CAROL, 'hangup');
});

test('a refused microphone turns the caller away, and is told', LIMIT, async (t) => {
  const alice = await bench(t);
  await alice.frame.evaluate(() => { window.microphone = 'NotAllowedError'; });
  const established = bob.count('CALL_ESTABLISHED');
  call(bob);
  await alice.reaches(BOB, 'ringing');
  await alice.press(BOB, 'answer');
  await alice.reaches(BOB, null);
  await bob.idle();
  assert.equal(bob.count('CALL_ESTABLISHED'), established, 'the caller was never answered');
  assert.match(await alice.said('state'), /microphone/i);
});

test('a call that is given up while the browser asks for the microphone was declined', LIMIT, async (t) => {
  const alice = await bench(t);
  await alice.frame.evaluate(() => { window.thinks = true; });
  call(bob);
  await alice.reaches(BOB, 'ringing');
  await alice.press(BOB, 'answer');
  await until('the browser asks', () => alice.frame.evaluate(() => window.asked.length > 0));
  await alice.press(BOB, 'hangup');
  await alice.reaches(BOB, null);
  await bob.idle();
  assert.match(await alice.said('state'), /^bob: Ended: The call was declined/);
  await alice.frame.evaluate(() => window.decide());
  const ended = () => window.tracks.length > 0 && window.tracks.every(({ readyState }) => readyState === 'ended');
  await until('nobody listens any more', () => alice.frame.evaluate(ended));
});

test('a page that is loaded again while it rings lets the caller go', LIMIT, async (t) => {
  const alice = await bench(t);
  call(bob);
  await alice.reaches(BOB, 'ringing');
  await alice.page.reload();
  await bob.idle();
  await appliance.idle();
});

test("a shop's own page is called through the API", LIMIT, async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await openPage(context, `${shop.origin}/`);
  await page.evaluate(() => {
    window.notes = [];
    const { webPhone } = window.RTCKit;
    webPhone.onIncomingCall = (info) => {
      window.notes.push({ name: 'incoming', ...info });
      webPhone.answer({ callId: info.callId });
    };
    webPhone.onCallStateChanged = (info) => window.notes.push({ name: 'state', ...info });
  });
  await until('it is registered', async () => (await page.textContent('#state')) === 'registered');
  const established = bob.count('CALL_ESTABLISHED');
  call(bob);
  await until('the caller is answered', () => bob.count('CALL_ESTABLISHED') > established);
  const frame = await until('the phone is in its frame', () => frameOf(page));
  await hearsTone(frame, 660);
  await page.evaluate(() => window.RTCKit.webPhone.hangup());
  await bob.idle();
  const notes = await page.evaluate(() => window.notes);
  assert.deepEqual(notes.map(({ name, direction, state }) => [name, direction, state]), [
    ['incoming', 'in', 'ringing'], ['state', 'in', 'active'], ['state', 'in', 'ended'],
  ]);
  assert.match(notes[0].uri, /^sip:bob@/);
  assert.equal(notes[2].cause, 'visitor-hung-up');
  assert.deepEqual(page.mistakes, []);
});
