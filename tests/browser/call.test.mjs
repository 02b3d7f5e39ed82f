// Chromium talks with the shop's phone (baresip): sound, keys, and every way in which a call or the
// network under it may end.

import { allowUdp, blockUdp, ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { hear, hearsNothing, hearsTone } from './lib/ear.mjs';
import { Panel } from './lib/panel.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { openWire } from './lib/proxy.mjs';
import { stays, until } from './lib/wait.mjs';

const LIMIT = { timeout: 90_000 };

const phone = await ShopPhone.start('call');
const appliance = await Appliance.start('call', {
  accounts: { main: phone.trunk },
  buttons: { sales: { destination: phone.uri, origins: ['https://www.shop.example'] } },
});
await appliance.ready();
// The same shop behind a wire that can be cut. Its public address is the wire's near end.
const wire = await openWire();
const wired = await Appliance.start('call-wired', {
  accounts: { main: phone.trunk },
  buttons: { sales: { destination: phone.uri, origins: ['https://www.shop.example'] } },
  publicUrl: `http://127.0.0.1:${wire.port}`,
});
wire.to = wired.ports.http;
await wired.ready();
const browser = await launchChromium('call');

/** A visitor on the call page, at `url` instead of the appliance where a wire lies between them. */
async function visit(t, url = appliance.url) {
  const context = await browser.newContext();
  t.after(async () => {
    await context.close();
    if (phone.calls) await phone.idle();
  });
  const page = await openPage(context, `${url}/b/sales`);
  const panel = await new Panel(page).ready();
  return { page, panel, context };
}

async function call(panel) {
  await panel.press('call');
  await phone.talks();
  await panel.reaches('active');
}

test('visitor and shop hear each other, and the keys arrive in their order', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await hearsTone(page, 660);
  await panel.press('keys');
  for (const key of ['1', '*', '9', '#', '0']) await page.click(`[data-digit="${key}"]`);
  await until('the keys are at the phone', () => {
    if (phone.digits === '1*9#0') return true;
    throw new Error(phone.digits);
  });
  await page.keyboard.press('7');
  await until('a key of the keyboard is at the phone', () => phone.digits === '1*9#07');
  await hearsTone(page, 660);
  await phone.heardTone(440, 1.5);
  // Each hears the other and not itself.
  const [own] = (await hear(page, 440)).tones;
  assert.ok(own.share < 0.05, `the visitor hears himself: ${JSON.stringify(own)}`);
  const back = phone.heard(660).filter(({ share, tone }) => share > 0.05 && tone > -45).length;
  assert.equal(back, 0, 'the shop hears itself');
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
  await appliance.idle();
  assert.deepEqual(page.mistakes, []);
});

test('a muted microphone is silent at the shop and comes back', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await hearsTone(page, 660);
  const loud = (slices) => slices.slice(-4).every(({ tone, share }) => tone > -40 && share > 0.8);
  const silent = (slices) => slices.slice(-4).every(({ level }) => level < -55);
  // The phone writes its recording as it goes, a little behind.
  const recorded = (what, condition) => until(what, () => {
    const slices = phone.heard(440);
    return slices.length > 4 && condition(slices);
  });
  await recorded('the shop hears the visitor', loud);
  await panel.press('mute');
  assert.equal(await page.getAttribute('#mute', 'aria-pressed'), 'true');
  await recorded('the shop hears nothing', silent);
  await panel.press('mute');
  await recorded('the shop hears the visitor again', loud);
  await panel.press('hangup');
  await phone.idle();
});

test('when the shop hangs up the page says so and can call again', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  phone.hangUp();
  await panel.reaches('ended');
  assert.match(await panel.status(), /ended|hung up/i);
  assert.equal(await page.textContent('#call-text'), 'Call again');
  await appliance.idle();
  await call(panel);
  await panel.press('hangup');
  await phone.idle();
  assert.deepEqual(page.mistakes, []);
});

test('a reload of the page leaves no call behind', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await page.reload();
  await phone.idle();
  await appliance.idle();
  const again = await new Panel(page).ready();
  assert.equal(await again.state(), 'idle');
});

test('a page that is closed leaves no call behind', LIMIT, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await page.close();
  await phone.idle();
  await appliance.idle();
});

test('a dropped WebSocket leaves the call up, and the page can still hang up', LIMIT, async (t) => {
  const { page, panel } = await visit(t, `http://127.0.0.1:${wire.port}`);
  await call(panel);
  await hearsTone(page, 660);

  assert.equal(wire.cut({ stay: true }), 1);
  await until('the page notices', async () => /reconnect/i.test(await panel.status()));
  await hearsTone(page, 660);
  await stays('the call is up', async () => phone.calls === 1 && (await wired.metric('calls_live')) === 1);
  wire.mend();
  await until('the page is back', async () => (await panel.status()) === 'In call');
  assert.equal(wire.sockets, 1);
  await hearsTone(page, 660);

  // Again, without a pause: the same link is resumed as often as it takes.
  assert.equal(wire.cut(), 1);
  await until('the page is back again', async () => wire.sockets === 1 && (await panel.status()) === 'In call');
  await page.keyboard.press('3');
  await until('a key gets through the new socket', () => phone.digits.endsWith('3'));
  await phone.heardTone(440, 3);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
  await wired.idle();
});

test('what is pressed while the WebSocket is away is done when it is back', LIMIT, async (t) => {
  const { panel } = await visit(t, `http://127.0.0.1:${wire.port}`);
  await call(panel);
  assert.equal(wire.cut({ stay: true }), 1);
  await until('the page notices', async () => /reconnect/i.test(await panel.status()));
  await panel.press('hangup');
  wire.mend();
  await phone.idle();
  await wired.idle();
});

test('with UDP blocked the sound goes over TCP on the same port', LIMIT, async (t) => {
  blockUdp(appliance.ports.webrtc);
  t.after(allowUdp);
  const { page, panel } = await visit(t);
  await call(panel);
  await hearsTone(page, 660);
  await until('the appliance sees TCP', () => /"browser media is up".*Tcp/i.test(appliance.text));
  await phone.heardTone(440, 1.5);
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
});

test('when UDP dies in a call the page finds the way over TCP', { timeout: 120_000 }, async (t) => {
  const { page, panel } = await visit(t);
  await call(panel);
  await hearsTone(page, 660);
  blockUdp(appliance.ports.webrtc);
  t.after(allowUdp);
  await hearsNothing(page);
  const light = () => page.locator('#light').textContent();
  await until('the panel says that the line is interrupted', async () => (await light()).includes('interrupted'));
  await hearsTone(page, 660, { within: 45_000 });
  await until('the panel takes that back', async () => !(await light()).includes('interrupted'));
  await panel.press('hangup');
  await panel.reaches('ended');
  await phone.idle();
});

test('two visitors talk at once and each hangs up alone', LIMIT, async (t) => {
  const one = await visit(t);
  const two = await visit(t);
  await one.panel.press('call');
  await one.panel.reaches('active');
  await two.panel.press('call');
  await two.panel.reaches('active');
  assert.equal(await appliance.metric('calls_live'), 2);
  await one.panel.press('hangup');
  await one.panel.reaches('ended');
  await until('one call is left', async () => (await appliance.metric('calls_live')) === 1);
  assert.equal(await two.panel.state(), 'active');
  await hearsTone(two.page, 660);
  await two.panel.press('hangup');
  await phone.idle();
  await appliance.idle();
});
