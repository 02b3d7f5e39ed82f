// The Flash WebPhone in Ruffle, the one Flash runtime that a test can have. Ruffle has no RTMFP, no
// microphone and no camera: what is seen here is that the committed film comes up from the
// appliance, that page and film hear each other, what the page is told when nothing answers, and
// what the visitor sees. flash-shim/README.md lists what it cannot show.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium } from './lib/chromium.mjs';
import { SCREENS } from './lib/folder.mjs';
import { filmAnswers, heard, openRuffleShop, run, visitWithRuffle } from './lib/ruffle.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 120_000 };
const FILM = fileURLToPath(new URL('../../assets/webphone.swf', import.meta.url));

const appliance = await Appliance.demo('flash');
const shop = await openRuffleShop(appliance);
const browser = await launchChromium('flash', { microphone: 'refused' });

// Ruffle cannot reach the appliance's port for Flash, so it does not matter which one it is told.
const visit = (t, options) => visitWithRuffle(t, browser, shop, options);

async function picture(page, name) {
  mkdirSync(SCREENS, { recursive: true });
  return page.locator('#rtckitFlash1').screenshot({ path: path.join(SCREENS, `flash-${name}.png`) });
}

test('the appliance serves the committed film, as Flash and to any page', LIMIT, async () => {
  const answer = await fetch(`${appliance.url}/api/webphone.swf`);
  assert.equal(answer.headers.get('content-type'), 'application/x-shockwave-flash');
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), readFileSync(FILM));
});

test('a page is told the port that the appliance takes Flash calls on', async () => {
  const { port } = await (await fetch(`${appliance.url}/api/flash.json`)).json();
  assert.equal(port, appliance.ports.rtmfp);
});

test('where the appliance takes no Flash calls the page is told so and loads no film', LIMIT, async (t) => {
  const page = await visit(t, { port: null });
  const [error] = await until('the page is told', async () => {
    const errors = await heard(page, 'onError');
    return errors.length && errors;
  });
  assert.equal(error.code, 'flash-unavailable');
  assert.match(error.message, /takes no calls through Flash/);
  assert.ok(!page.asked.some((url) => url.endsWith('.swf')));
});

test('a visitor with Ruffle gets WebRTC when the page leaves the choice to us', LIMIT, async (t) => {
  const page = await visit(t, { embed: { backend: 'auto', button: 'demo' } });
  const address = await until('there is a frame', () => page.evaluate(() => document.querySelector('#phone iframe')?.src));
  assert.equal(address, `${appliance.url}/b/demo?api=1`);
  assert.ok(!page.asked.some((url) => url.endsWith('.swf')));
});

test('the film comes up and page and film hear each other', LIMIT, async (t) => {
  const page = await visit(t, { embed: { button: 'demo' } });
  assert.deepEqual(await filmAnswers(page), { microphones: [], speakers: [] });
  assert.ok(page.asked.includes(`${appliance.url}/api/webphone.swf`));
  const size = await page.locator('#rtckitFlash1').evaluate((film) => [film.clientWidth, film.clientHeight]);
  assert.deepEqual(size, [217, 140]);
  // What Flash would break: a text comes back as it went, through both of its escapings.
  const text = 'Zoë "\\"\'<&>%41 \n \u{1f4de}';
  const echoed = await page.evaluate((request) => new Promise((resolve) => {
    const { flash } = window.RTCKit;
    const original = flash.heard;
    flash.heard = (number, kind, detail) => {
      if (kind === 'devices') resolve(decodeURIComponent(detail.request));
      return original(number, kind, detail);
    };
    document.getElementById('rtckitFlash1').phoneDevices({ request: encodeURIComponent(request) });
  }), text);
  assert.equal(echoed, text);
  const before = await picture(page, 'idle');
  await run(page, 'connect');
  await until('the panel says so', async () => !before.equals(await picture(page, 'connecting')));
  assert.deepEqual(await heard(page, 'onError'), []);
});

test('a call without a connection is refused in words, and so is every other command', LIMIT, async (t) => {
  const page = await visit(t, { embed: { button: 'demo' } });
  await filmAnswers(page);
  const callId = await run(page, 'call', {});
  await until('the call ends', async () => (await heard(page, 'onCallStateChanged')).some((info) => info.state === 'ended'));
  const states = await heard(page, 'onCallStateChanged');
  assert.deepEqual(states.map((info) => [info.callId, info.state]), [[callId, 'calling'], [callId, 'ended']]);
  const [error] = await heard(page, 'onError');
  assert.deepEqual([error.code, error.callId], ['not-connected', callId]);
  await run(page, 'register', { registrar: 'r', username: 'u', password: 'p' });
  await until('the page knows', async () => (await heard(page, 'onRegStateChanged')).length === 1);
  const [registration] = await heard(page, 'onRegStateChanged');
  assert.equal(registration.registered, false);
  assert.match(registration.reason, /no connection/i);
});

test('a connection that nobody answers is given up, told of and tried again', LIMIT, async (t) => {
  const page = await visit(t, { embed: { button: 'demo' } });
  await filmAnswers(page);
  await run(page, 'connect');
  const [error] = await until('the page is told', async () => {
    const errors = await heard(page, 'onError');
    return errors.length && errors;
  }, { within: 30_000 });
  assert.equal(error.code, 'flash-unreachable');
  assert.match(error.hint, /UDP/);
  await until('the page knows that it is tried again', async () => {
    const states = await heard(page, 'onConnectStateChanged');
    return states.length === 1 && states[0].reconnecting && !states[0].connected;
  });
  await picture(page, 'again');
  await run(page, 'disconnect');
  await until('the page knows that it is over', async () => !(await heard(page, 'onConnectStateChanged')).at(-1).reconnecting);
});
