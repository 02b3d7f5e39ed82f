// The button in a store page of another origin, and what the page says when the microphone can't be
// had.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { hearsTone } from './lib/ear.mjs';
import { SCREENS } from './lib/folder.mjs';
import { Panel } from './lib/panel.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { openShop, storePage } from './lib/shop.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 90_000 };
const SNIPPET = 'allow="microphone; camera; autoplay"';

const pages = {};
const shop = await openShop(pages);
const phone = await ShopPhone.start('frame');
// It rings until somebody picks it up, which nobody does.
const quiet = await ShopPhone.start('frame', { user: 'quiet', answers: false });
const appliance = await Appliance.start('frame', {
  accounts: { main: phone.trunk, quiet: quiet.trunk },
  buttons: {
    sales: { account: 'main', destination: phone.uri, origins: [shop.origin] },
    night: { account: 'quiet', destination: quiet.uri, origins: [shop.origin] },
  },
});
await appliance.ready();
const frameUrl = `${appliance.url}/b/sales`;
pages['/'] = storePage(frameUrl);
pages['/bare'] = storePage(frameUrl, '');
pages['/sandbox'] = storePage(frameUrl, 'sandbox="allow-scripts allow-same-origin"');
pages['/policy'] = { html: storePage(frameUrl), headers: { 'permissions-policy': 'microphone=()' } };

const browser = await launchChromium('frame');

async function visit(t, url, { from = browser, before, permissions } = {}) {
  const context = await from.newContext({ permissions });
  t.after(() => context.close());
  return openPage(context, url, { before });
}

/** What a complaint looks like, for people to judge. */
async function picture(page, name) {
  mkdirSync(SCREENS, { recursive: true });
  await page.screenshot({ path: path.join(SCREENS, `problem-${name}.png`) });
}

async function panelIn(page) {
  const frame = await (await page.waitForSelector('#call-us')).contentFrame();
  return new Panel(frame).ready();
}

test('the pasted snippet works in a store page of another origin', LIMIT, async (t) => {
  assert.ok(storePage(frameUrl).includes(SNIPPET));
  const page = await visit(t, `${shop.origin}/`);
  const panel = await panelIn(page);
  await panel.press('call');
  await panel.reaches('active');
  await hearsTone(panel.page, 660);
  await phone.heardTone(440, 1);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
  assert.deepEqual(page.mistakes, []);
});

test('without allow the same click opens a window, which calls', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/bare`);
  const panel = await panelIn(page);
  const opened = page.context().waitForEvent('page');
  await panel.press('call');
  const popup = await opened;
  await until('the panel says where the call went', async () => /window/i.test(await panel.status()));
  assert.equal(new URL(popup.url()).pathname, '/b/sales');
  const inside = await new Panel(popup).ready();
  await inside.press('call');
  await inside.reaches('active');
  await hearsTone(popup, 660);
  await inside.press('hangup');
  await inside.reaches('ended');
  await phone.idle();
});

test('where no window may open, the words name allow and a button offers the window', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/sandbox`);
  const panel = await panelIn(page);
  await panel.press('call');
  const problem = await panel.complains(/does not pass the microphone/i);
  assert.match(problem.hint, /allow="microphone/);
  const place = await panel.page.evaluate(() => document.getElementById('popup').getBoundingClientRect().bottom);
  const line = await panel.page.evaluate(() => document.getElementById('problem').getBoundingClientRect().bottom);
  assert.ok(place <= line, `the button for the window is out of sight: ${place} of ${line}`);
  await picture(page, 'no-allow');
  assert.equal(problem.popup, true);
  await appliance.idle();
});

test('a Permissions-Policy of the store page is told from a missing allow', LIMIT, async (t) => {
  const page = await visit(t, `${shop.origin}/policy`, { before: [() => { window.open = () => null; }] });
  const panel = await panelIn(page);
  await panel.press('call');
  const problem = await panel.complains(/rule of this site/i);
  assert.match(problem.hint, /Permissions-Policy/);
  assert.equal(problem.popup, true);
  await appliance.idle();
});

test('a page of an origin that the file does not name cannot frame the button', LIMIT, async (t) => {
  const foreign = await openShop({ '/': storePage(frameUrl) });
  const page = await visit(t, `${foreign.origin}/`);
  await until('the browser says why', () => page.mistakes.some((words) => /frame-ancestors/.test(words)));
  const frame = await (await page.waitForSelector('#call-us')).contentFrame();
  assert.equal(await frame.$('#call'), null);
});

test('the button\'s policy names exactly the origins of the file', async () => {
  const policy = (await fetch(frameUrl)).headers.get('content-security-policy');
  const ancestors = /frame-ancestors ([^;]*)/.exec(policy)[1].trim().split(/\s+/);
  assert.deepEqual(ancestors, ["'self'", shop.origin]);
  assert.ok(!/unsafe-inline|'unsafe-eval'|\*/.test(policy), policy);
});

test('a refused microphone says what to do and cancels the ringing phone at once', LIMIT, async (t) => {
  const refusing = await launchChromium('frame-refused', { microphone: 'refused' });
  // The visitor takes a moment for the refusal, as people do.
  const thinking = () => {
    const devices = navigator.mediaDevices;
    const original = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      await new Promise((resolve) => { window.decide = resolve; });
      return original(wanted);
    };
  };
  const page = await visit(t, `${appliance.url}/b/night`, { from: refusing, before: [thinking] });
  const panel = await new Panel(page).ready();
  await panel.press('call');
  await quiet.rings();
  await until('the panel asks for the microphone', async () => /allow the microphone/i.test(await panel.status()));
  await page.evaluate(() => window.decide());
  const problem = await panel.complains(/was not allowed/i);
  assert.match(problem.hint, /address bar/);
  await page.setViewportSize({ width: 320, height: 200 });
  await picture(page, 'refused');
  assert.equal(problem.popup, false);
  await quiet.idle(3_000);
  await panel.reaches('ended');
  assert.match(await panel.status(), /microphone/i);
  await appliance.idle();
});

test('a machine without a microphone is told to plug one in', LIMIT, async (t) => {
  const without = await launchChromium('frame-none', { microphone: 'none' });
  const page = await visit(t, `${appliance.url}/b/night`, { from: without, permissions: ['microphone'] });
  const panel = await new Panel(page).ready();
  await panel.press('call');
  const problem = await panel.complains(/no microphone was found/i);
  assert.match(problem.hint, /plug/i);
  await page.setViewportSize({ width: 217, height: 140 });
  await picture(page, 'none');
  await panel.reaches('ended');
  await appliance.idle();
});

test('an insecure page says that it needs https and calls nobody', LIMIT, async (t) => {
  const mapped = await launchChromium('frame-insecure', {
    args: ['--host-resolver-rules=MAP shop.test 127.0.0.1'],
  });
  const insecure = await Appliance.start('frame-insecure', {
    accounts: { main: quiet.trunk },
    buttons: { sales: { destination: quiet.uri, origins: [shop.origin] } },
    publicUrl: (ports) => `http://shop.test:${ports.http}`,
  });
  const before = quiet.events.length;
  const page = await visit(t, `http://shop.test:${insecure.ports.http}/b/sales`, { from: mapped });
  const panel = await new Panel(page).ready();
  await panel.press('call');
  const problem = await panel.complains(/secure \(https\)/i);
  assert.match(problem.hint, /https/);
  await insecure.idle();
  assert.equal(quiet.events.length, before);
});

test('a visitor who hangs up while it rings stops the ringing', LIMIT, async (t) => {
  const page = await visit(t, `${appliance.url}/b/night`);
  const panel = await new Panel(page).ready();
  await panel.press('call');
  await quiet.rings();
  await panel.reaches('ringing');
  await page.keyboard.press('Escape');
  await panel.reaches('ended');
  await quiet.idle();
  await appliance.idle();
  assert.deepEqual(page.mistakes, []);
});

test('a shop that declines is told from one that hung up', LIMIT, async (t) => {
  const page = await visit(t, `${appliance.url}/b/night`);
  const panel = await new Panel(page).ready();
  await panel.press('call');
  await quiet.rings();
  quiet.hangUp();
  await panel.reaches('ended');
  assert.match(await panel.status(), /declin|busy|not take|refus/i);
  await appliance.idle();
});
