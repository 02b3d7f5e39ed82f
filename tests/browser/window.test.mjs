// The button in a foreign frame when its microphone cannot be had: a window is offered where it
// would help, and only there, and it opens within the click.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { holdMicrophone, watchClicks } from './lib/meddle.mjs';
import { Panel } from './lib/panel.mjs';
import { openShop, storePage } from './lib/shop.mjs';
import { until } from './lib/wait.mjs';
import { WirePhone } from './lib/wire-phone.mjs';

const LIMIT = { timeout: 60_000 };

const pages = {};
const shop = await openShop(pages);
const bell = await WirePhone.start();
const appliance = await Appliance.start('window', {
  accounts: { main: bell.trunk },
  buttons: { sales: { destination: bell.uri, origins: [shop.origin] } },
});
await appliance.ready();
pages['/'] = storePage(`${appliance.url}/b/sales`);
pages['/bare'] = storePage(`${appliance.url}/b/sales`, '');
const browser = await launchChromium('window');

async function visit(t, path) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await openPage(context, `${shop.origin}${path}`, { before: [holdMicrophone, watchClicks] });
  const frame = await (await page.waitForSelector('#call-us')).contentFrame();
  return { page, frame, panel: await new Panel(frame).ready() };
}

for (const [error, words] of [
  ['NotReadableError', /another program uses the microphone/i],
  ['NotFoundError', /no microphone was found/i],
]) {
  test(`in a frame, ${error} offers no window, since that would not help`, LIMIT, async (t) => {
    const { page, frame, panel } = await visit(t, '/');
    await frame.evaluate((wanted) => { window.microphone = wanted; }, error);
    await panel.press('call');
    const problem = await panel.complains(words);
    assert.equal(problem.popup, false);
    assert.doesNotMatch(problem.hint, /window/);
    await panel.reaches('ended');
    await bell.silent();
    assert.equal(page.context().pages().length, 1);
  });
}

test('a refusal that the visitor gave just now offers no window', LIMIT, async (t) => {
  const { frame, panel } = await visit(t, '/');
  await frame.evaluate(() => {
    window.microphone = 'NotAllowedError';
    window.thinks = true;
  });
  await panel.press('call');
  await until('the phone rings', async () => (await panel.state()) === 'ringing');
  await until('the visitor is asked', async () => /allow the microphone/i.test(await panel.status()));
  await frame.evaluate(() => window.decide());
  const problem = await panel.complains(/was not allowed/i);
  assert.equal(problem.popup, false);
  await bell.silent();
});

test('a refusal that the browser remembers for the store offers a window, which opens in its click', LIMIT, async (t) => {
  const { page, frame, panel } = await visit(t, '/');
  await frame.evaluate(() => { window.microphone = 'NotAllowedError'; });
  await panel.press('call');
  const problem = await panel.complains(/was not allowed/i);
  assert.equal(problem.popup, true);
  assert.match(problem.hint, /window of its own/);
  await panel.reaches('ended');
  await bell.silent();
  const opened = page.context().waitForEvent('page');
  await panel.press('popup');
  const popup = await opened;
  assert.ok((await frame.evaluate(() => window.inClick)).includes('open'));
  assert.equal(await panel.problem(), null, 'what was solved is not complained about');
  assert.match(await panel.status(), /window/i);
  const inside = await new Panel(popup).ready();
  await inside.press('call');
  await inside.reaches('ringing');
  await inside.press('hangup');
  await inside.reaches('ended');
  await bell.silent();
  await appliance.idle();
});

test('without allow the Call click itself opens the window, and no phone rings', LIMIT, async (t) => {
  const { page, frame, panel } = await visit(t, '/bare');
  const calls = bell.count('INVITE');
  const opened = page.context().waitForEvent('page');
  await panel.press('call');
  assert.equal(new URL((await opened).url()).pathname, '/b/sales');
  assert.ok((await frame.evaluate(() => window.inClick)).includes('open'));
  assert.equal(bell.count('INVITE'), calls);
  assert.equal(await panel.problem(), null);
});
