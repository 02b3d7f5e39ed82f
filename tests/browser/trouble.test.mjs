// What devices take away: microphones that cannot be had, that end or fall silent in a call, and
// sound that the browser stops. In Chromium and in Firefox.

import { ownAddress, ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { hearsTone } from './lib/ear.mjs';
import { launchFirefox, openFirefoxPage } from './lib/firefox.mjs';
import { holdMicrophone, pauseMicrophone, unplug, watchClicks } from './lib/meddle.mjs';
import { Panel } from './lib/panel.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { soon, stays, until } from './lib/wait.mjs';
import { WirePhone } from './lib/wire-phone.mjs';

const LIMIT = { timeout: 120_000 };

const phone = await ShopPhone.start('trouble');
const bell = await WirePhone.start();
const appliance = await Appliance.start('trouble', {
  accounts: { main: phone.trunk, bell: bell.trunk },
  buttons: {
    sales: { account: 'main', destination: phone.uri, origins: ['https://www.shop.example'] },
    night: { account: 'bell', destination: bell.uri, origins: ['https://www.shop.example'] },
  },
  // Firefox does not send anything to candidates on loopback.
  webrtc: ownAddress(),
});
await appliance.ready();

const before = [holdMicrophone, watchClicks];
const chromium = await launchChromium('trouble');
const firefox = await launchFirefox();

async function visitChromium(t, url) {
  const context = await chromium.newContext();
  t.after(() => context.close());
  return openPage(context, url, { before });
}

async function visitFirefox(t, url) {
  const page = await soon('Firefox opens a page', openFirefoxPage(firefox, url, { before }), 45_000);
  t.after(() => soon('Firefox closes the page', page.close(), 10_000).catch(() => {}));
  return page;
}

/** Slices of the phone's recording in which the visitor is heard. */
const voices = () => phone.heard(440).filter(({ tone, share }) => tone > -40 && share > 0.8).length;

/** Another second of the visitor comes to the shop. */
async function shopHears(what) {
  const before = voices();
  await until(what, () => voices() >= before + 5 || (() => { throw new Error(`${before}, then ${voices()}`); })(), { every: 300 });
}

/** The shop hears nothing any more: silence, or no packets at all. */
async function shopHearsNothing() {
  let before = -1;
  await until('the shop hears nothing', () => {
    const same = voices() === before;
    before = voices();
    return same;
  }, { every: 1_000 });
}

/** The visitor's own element plays, and 660 Hz is what it plays. */
async function plays(page) {
  const at = await page.evaluate(() => document.querySelector('audio').currentTime);
  await until('the audio element goes on', () => page.evaluate((then) => {
    const audio = document.querySelector('audio');
    return !audio.paused && audio.currentTime > then;
  }, at));
  await hearsTone(page, 660);
}

for (const [name, visit] of [['Chromium', visitChromium], ['Firefox', visitFirefox]]) {
  async function open(t, button) {
    const page = await visit(t, `${appliance.url}/b/${button}`);
    return { page, panel: await new Panel(page).ready() };
  }

  async function talk(t) {
    const { page, panel } = await open(t, 'sales');
    await panel.press('call');
    await phone.talks();
    await panel.reaches('active');
    await hearsTone(page, 660);
    await shopHears('the shop hears the visitor');
    return { page, panel };
  }

  async function end(page, panel) {
    await panel.press('hangup');
    await panel.reaches('ended');
    assert.equal(await panel.problem(), null, 'nothing is asked of the visitor after the call');
    await phone.idle();
    await appliance.idle();
    assert.deepEqual(page.mistakes, []);
  }

  for (const [error, words, hint] of [
    ['NotReadableError', /another program uses the microphone/i, /close it there, then call again/i],
    ['NotFoundError', /no microphone was found/i, /plug one in, then call again/i],
    ['NotAllowedError', /was not allowed/i, /address bar, then call again/i],
  ]) {
    test(`${name}: ${error} is told in words and the ringing phone is cancelled at once`, LIMIT, async (t) => {
      const { page, panel } = await open(t, 'night');
      const calls = bell.count('INVITE');
      await page.evaluate((wanted) => {
        window.microphone = wanted;
        window.thinks = true;
      }, error);
      await panel.press('call');
      await panel.reaches('ringing');
      await page.evaluate(() => window.decide());
      const problem = await panel.complains(words);
      assert.match(problem.hint, hint);
      assert.equal(problem.popup, false, 'a window would not help');
      await panel.reaches('ended');
      assert.match(await panel.status(), words);
      await bell.silent();
      assert.equal(bell.count('INVITE'), calls + 1);
      await appliance.idle();

      // The same without a moment to think, and then with what was wrong put right.
      await page.evaluate(() => { window.thinks = false; });
      await panel.press('call');
      await panel.complains(words);
      await panel.reaches('ended');
      await bell.silent();
      await page.evaluate(() => { window.microphone = null; });
      await panel.press('call');
      await panel.reaches('ringing');
      assert.equal(await panel.problem(), null);
      await panel.press('hangup');
      await panel.reaches('ended');
      await bell.silent();
      await appliance.idle();
      assert.deepEqual(page.mistakes, []);
    });
  }

  test(`${name}: a microphone that ends is replaced by another one without a word`, LIMIT, async (t) => {
    const { page, panel } = await talk(t);
    await unplug(page);
    await until('another track was taken', () => page.evaluate(() => window.tracks.length === 2));
    await hearsTone(page, 660);
    await shopHears('the shop hears the visitor again');
    assert.equal(await panel.problem(), null);
    await end(page, panel);
  });

  test(`${name}: a microphone that is gone is asked for by a tap, as often as it takes`, LIMIT, async (t) => {
    const { page, panel } = await talk(t);
    await page.evaluate(() => { window.microphone = 'NotReadableError'; });
    await unplug(page);
    const problem = await panel.complains(/another program uses the microphone/i);
    assert.match(problem.hint, /then tap here/i);
    await shopHearsNothing();
    const asked = await page.evaluate(() => window.asked.length);
    await page.click('#problem');
    await until('the tap asked again', () => page.evaluate((then) => window.asked.length > then, asked));
    await panel.complains(/another program uses the microphone/i);
    assert.equal(await panel.state(), 'active');
    await page.evaluate(() => { window.microphone = null; });
    await page.click('#problem');
    await shopHears('the shop hears the visitor again');
    assert.equal(await panel.problem(), null);
    await plays(page);
    await end(page, panel);
  });

  test(`${name}: a microphone that the device silences is brought back by a tap`, LIMIT, async (t) => {
    const { page, panel } = await talk(t);
    await pauseMicrophone(page, true);
    const problem = await panel.complains(/paused the microphone/i);
    assert.match(problem.hint, /tap/i);
    await shopHearsNothing();
    await page.click('#panel');
    await shopHears('the shop hears the visitor again');
    assert.equal(await panel.problem(), null);
    assert.equal(await page.evaluate(() => window.tracks.length), 2);
    await end(page, panel);
  });

  test(`${name}: a silence of a moment asks for nothing`, LIMIT, async (t) => {
    const { page, panel } = await talk(t);
    await pauseMicrophone(page, true);
    await pauseMicrophone(page, false);
    await stays('nothing is asked', async () => (await panel.problem()) === null, { during: 2_500 });
    await shopHears('the shop hears the visitor');
    assert.equal(await page.evaluate(() => window.tracks.length), 1);
    await end(page, panel);
  });

  test(`${name}: a paused far end goes on by itself, or by a tap where the browser wants one`, LIMIT, async (t) => {
    const { page, panel } = await talk(t);
    await page.evaluate(() => document.querySelector('audio').pause());
    await plays(page);
    assert.equal(await panel.problem(), null);

    await page.evaluate(() => {
      window.soundNeedsTap = true;
      document.querySelector('audio').pause();
    });
    const problem = await panel.complains(/paused the sound/i);
    assert.match(problem.hint, /tap/i);
    assert.equal(await page.evaluate(() => document.querySelector('audio').paused), true);
    // Wherever it lands, also on a button, which then does what it always does.
    await panel.press('mute');
    await plays(page);
    assert.equal(await panel.problem(), null);
    assert.equal(await page.evaluate(() => document.getElementById('mute').getAttribute('aria-pressed')), 'true');
    await panel.press('mute');
    await end(page, panel);
  });

  test(`${name}: a notice that nobody tapped goes with the call`, LIMIT, async (t) => {
    const { page, panel } = await talk(t);
    await page.evaluate(() => {
      window.soundNeedsTap = true;
      document.querySelector('audio').pause();
    });
    await panel.complains(/paused the sound/i);
    phone.hangUp();
    await panel.reaches('ended');
    assert.equal(await panel.problem(), null);
    await phone.idle();
    await appliance.idle();
  });

  test(`${name}: what iOS allows in a click only is done in the click`, LIMIT, async (t) => {
    const { page, panel } = await open(t, 'night');
    assert.deepEqual(await page.evaluate(() => [...window.inClick, ...window.outOfClick]), [], 'nothing before the click');
    await panel.press('call');
    await panel.reaches('ringing');
    const done = await page.evaluate(() => window.inClick);
    for (const what of ['new AudioContext', 'resume', 'play']) assert.ok(done.includes(what), `${what}: ${done}`);
    assert.ok(!(await page.evaluate(() => window.outOfClick)).includes('new AudioContext'));
    await panel.press('hangup');
    await panel.reaches('ended');
    await bell.silent();
  });
}

test('Chromium: tones that the browser suspended go on by a tap', LIMIT, async (t) => {
  const page = await visitChromium(t, `${appliance.url}/b/sales`);
  const panel = await new Panel(page).ready();
  await panel.press('call');
  await panel.reaches('active');
  await hearsTone(page, 660);
  const state = () => page.evaluate(() => window.contexts[0].state);
  await page.evaluate(() => window.contexts[0].suspend());
  await until('they go on by themselves', async () => (await state()) === 'running');
  assert.equal(await panel.problem(), null);

  await page.evaluate(() => {
    window.soundNeedsTap = true;
    return window.contexts[0].suspend();
  });
  await panel.complains(/paused the sound/i);
  await page.click('#problem');
  await until('they go on', async () => (await state()) === 'running');
  await until('nothing is asked any more', async () => (await panel.problem()) === null);
  await plays(page);
  await panel.press('hangup');
  await panel.reaches('ended');
  await until('the sound device is let go', async () => (await state()) === 'suspended');
  await stays('nothing is asked after the call', async () => (await panel.problem()) === null);
  await phone.idle();
  assert.deepEqual(page.mistakes, []);
});
