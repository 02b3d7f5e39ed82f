// How the pages look and how they are worked without a mouse. The pictures lie in
// tests/output/screens.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { SCREENS } from './lib/folder.mjs';
import { Panel } from './lib/panel.mjs';
import { ShopPhone } from './lib/phone.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 90_000 };
const SIZES = { small: [217, 140], snippet: [320, 200], popup: [360, 560], telephone: [390, 844], desktop: [1280, 800] };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

mkdirSync(SCREENS, { recursive: true });
const phone = await ShopPhone.start('look');
const appliance = await Appliance.start('look', {
  accounts: { main: phone.trunk },
  buttons: { sales: { destination: phone.uri, origins: ['https://www.shop.example'] } },
  webphone: { registrars: ['sip.provider.example'], origins: ['https://www.shop.example'] },
});
await appliance.ready();
const browser = await launchChromium('look');

async function visit(t, where, { size = SIZES.telephone, scheme = 'light', motion = 'no-preference' } = {}) {
  const context = await browser.newContext({
    viewport: { width: size[0], height: size[1] },
    colorScheme: scheme,
    reducedMotion: motion,
    deviceScaleFactor: 2,
  });
  t.after(async () => {
    await context.close();
    if (phone.calls) await phone.idle();
  });
  const page = await openPage(context, `${appliance.url}${where}`);
  await page.evaluate(() => document.fonts.ready);
  return page;
}

const picture = (page, name, options) => page.screenshot({ path: path.join(SCREENS, `${name}.png`), ...options });

/** Nothing that can be pressed may be cut off, too small for a finger, or hidden under another. */
function misplaced() {
  const wrong = [];
  for (const element of document.querySelectorAll('button, input, select, a')) {
    const box = element.getBoundingClientRect();
    if (!box.width || getComputedStyle(element).visibility === 'hidden') continue;
    const name = `${element.id || element.dataset.digit || element.textContent.trim()} ${JSON.stringify(box)}`;
    if (box.left < 0 || box.right > innerWidth + 0.5) wrong.push(`cut off at the side: ${name}`);
    if (document.body.classList.contains('panel-page') && (box.top < 0 || box.bottom > innerHeight + 0.5)) wrong.push(`cut off: ${name}`);
    if (element.tagName === 'BUTTON' && (box.width < 24 || box.height < 24)) wrong.push(`too small: ${name}`);
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (top && !element.contains(top) && !top.contains(element)) wrong.push(`covered by ${top.id || top.tagName}: ${name}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`scrolls sideways: ${document.documentElement.scrollWidth}`);
  return wrong;
}

async function violations(page) {
  // A script of the test's own, past the page's policy: evaluated, not loaded.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.filter(({ impact }) => impact !== 'minor')
    .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

for (const scheme of ['light', 'dark']) {
  for (const [name, size] of Object.entries(SIZES)) {
    test(`the call panel fits ${size.join('x')} in ${scheme}, idle, in a call, with keypad and settings`, LIMIT, async (t) => {
      const page = await visit(t, '/b/sales', { size, scheme });
      const panel = await new Panel(page).ready();
      const shoot = async (what) => {
        await picture(page, `panel-${name}-${scheme}-${what}`);
        assert.deepEqual(await page.evaluate(misplaced), [], what);
      };
      await shoot('idle');
      await panel.press('call');
      await panel.reaches('active');
      await until('the quality is shown', () => page.isVisible('#light'));
      await shoot('call');
      // The browser wants a tap: the words for it must not hide what is pressed in a call.
      await page.evaluate(() => {
        const { play } = HTMLMediaElement.prototype;
        addEventListener('click', () => { HTMLMediaElement.prototype.play = play; }, { capture: true, once: true });
        HTMLMediaElement.prototype.play = () => Promise.reject(new DOMException('as the test wants it', 'NotAllowedError'));
        document.querySelector('audio').pause();
      });
      await panel.complains(/paused the sound/i);
      await shoot('tap');
      await page.click('#problem');
      await until('the words are gone', async () => (await panel.problem()) === null);
      await panel.press('keys');
      await picture(page, `panel-${name}-${scheme}-keypad`);
      await shoot('keypad');
      await panel.press('settings');
      await picture(page, `panel-${name}-${scheme}-settings`);
      if (name !== 'small') await shoot('settings');
      await panel.press('settings');
      if (name !== 'small') assert.deepEqual(await violations(page), []);
      await panel.press('hangup');
      await panel.reaches('ended');
      await shoot('ended');
      assert.deepEqual(await violations(page), []);
    });
  }

  test(`the pages around the panel look right in ${scheme}`, LIMIT, async (t) => {
    for (const [name, where] of [['index', '/'], ['bench', '/demo'], ['missing', '/b/nobody']]) {
      for (const [width, height] of [[1280, 800], [390, 844]]) {
        const page = await visit(t, where, { size: [width, height], scheme });
        if (name === 'index') {
          const frame = await (await page.waitForSelector('iframe')).contentFrame();
          await new Panel(frame).ready();
        }
        await picture(page, `${name}-${width}-${scheme}`, { fullPage: true });
        assert.deepEqual((await page.evaluate(misplaced)).filter((words) => !words.startsWith('covered')), [], where);
        assert.deepEqual(await violations(page), [], where);
        const allowed = name === 'missing' ? page.mistakes.filter((words) => !/404/.test(words)) : page.mistakes;
        assert.deepEqual(allowed, [], where);
        await page.context().close();
      }
    }
  });
}

test('the whole call is worked with the keyboard', LIMIT, async (t) => {
  const page = await visit(t, '/b/sales');
  const panel = await new Panel(page).ready();
  const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.digit);
  await page.keyboard.press('Tab');
  assert.equal(await focus(), 'call');
  await page.keyboard.press('Enter');
  await panel.reaches('active');
  assert.equal(await focus(), 'hangup', 'what is pressed next has the focus');

  const order = [];
  await page.keyboard.press('Tab');
  for (let step = 0; step < 8 && !order.includes(await focus()); step += 1) {
    order.push(await focus());
    await page.keyboard.press('Tab');
  }
  for (const id of ['mute', 'keys', 'settings']) assert.ok(order.includes(id), `${id} cannot be reached: ${order}`);

  await page.focus('#keys');
  await page.keyboard.press('Space');
  assert.equal(await page.getAttribute('#keys', 'aria-expanded'), 'true');
  await page.focus('[data-digit="4"]');
  await page.keyboard.press('Space');
  await until('the key is at the phone', () => phone.digits.endsWith('4'));
  await page.keyboard.press('Escape');
  assert.equal(await page.getAttribute('#keys', 'aria-expanded'), 'false', 'Escape closes the sheet first');
  assert.equal(await panel.state(), 'active');
  assert.equal(await focus(), 'keys', 'the focus goes back to where the sheet came from');

  await page.keyboard.press('m');
  assert.equal(await page.getAttribute('#mute', 'aria-pressed'), 'true');
  await page.keyboard.press('Escape');
  await panel.reaches('ended');
  assert.equal(await focus(), 'call');
});

test('a screen reader is told every state, and the moving parts are kept from it', LIMIT, async (t) => {
  const page = await visit(t, '/b/sales', { motion: 'reduce' });
  const panel = await new Panel(page).ready();
  assert.equal(await page.getAttribute('#status', 'role'), 'status');
  await panel.press('call');
  await panel.reaches('active');
  await panel.press('hangup');
  await panel.reaches('ended');
  const said = await panel.said();
  assert.ok(said.includes('Calling') && said.includes('In call'), said.join());
  assert.ok(said.length <= 6, `too talkative: ${said}`);
  assert.equal(await page.getAttribute('#timer', 'aria-live'), 'off');
  assert.equal(await page.getAttribute('#meter', 'aria-hidden'), 'true');
  for (const id of ['mute', 'keys', 'settings', 'hangup']) {
    assert.ok(await page.getAttribute(`#${id}`, 'aria-label'), id);
  }
});
