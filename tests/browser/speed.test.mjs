// How long it takes from the click to the wire and to the ear. The figures are printed, not judged:
// a busy machine is no mistake. What is judged is that all of it happens.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium, openPage } from './lib/chromium.mjs';
import { Panel } from './lib/panel.mjs';
import { until } from './lib/wait.mjs';
import { WirePhone } from './lib/wire-phone.mjs';

const CALLS = 10;
const HAND = 150;
const bell = await WirePhone.start();
const appliance = await Appliance.start('speed', {
  accounts: { main: bell.trunk },
  buttons: { sales: { destination: bell.uri, origins: ['https://www.shop.example'] } },
});
await appliance.ready();
const browser = await launchChromium('speed');

/** Notes in `window.moments` when the call was clicked, sent, told to ring, and heard to ring. */
function watchMoments() {
  const now = () => performance.timeOrigin + performance.now();
  window.moments = {};
  const first = (what, at = now()) => { window.moments[what] ??= at; };
  addEventListener('click', (event) => {
    if (event.target.closest?.('#call')) window.moments = { clicked: performance.timeOrigin + event.timeStamp };
  }, true);
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function sendIt(data) {
    if (/"call"/i.test(data)) first('sent');
    return send.call(this, data);
  };
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function connectTo(node, ...words) {
    if (node instanceof AudioDestinationNode) {
      const analyser = this.context.createAnalyser();
      analyser.fftSize = 256;
      const samples = new Float32Array(analyser.fftSize);
      connect.call(this, analyser);
      setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        if (samples.some((sample) => Math.abs(sample) > 0.01)) {
          first('heard');
          window.moments.output ??= 1000 * (this.context.outputLatency || this.context.baseLatency || 0);
        }
      }, 2);
    }
    return connect.call(this, node, ...words);
  };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

test('from the click to the Call message, to the INVITE on the wire and to the ringback', { timeout: 120_000 }, async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await openPage(context, `${appliance.url}/b/sales`, { before: [watchMoments] });
  const panel = await new Panel(page).ready();
  const rounds = [];
  for (let round = 0; round < CALLS; round += 1) {
    const before = bell.messages.length;
    await page.hover('#call');
    // A hand needs longer than this between the button's edge and the press.
    await new Promise((resolve) => { setTimeout(resolve, HAND); });
    await panel.press('call');
    const moments = await until('the ringback is heard', () => page.evaluate(() => window.moments.heard && window.moments));
    const { at } = bell.messages.slice(before).find(({ method }) => method === 'INVITE');
    assert.ok(moments.clicked < moments.sent, JSON.stringify(moments));
    rounds.push({
      message: moments.sent - moments.clicked,
      invite: at - moments.clicked,
      ringback: moments.heard + moments.output - moments.clicked,
    });
    await panel.press('hangup');
    await panel.reaches('ended');
    await bell.silent();
    await appliance.idle();
  }
  for (const [what, words] of [['message', 'Call message'], ['invite', 'INVITE on the wire'], ['ringback', 'ringback audible']]) {
    const all = rounds.map((round) => round[what]);
    console.log(`click -> ${words}: first ${all[0].toFixed(1)} ms, median ${median(all).toFixed(1)} ms, worst ${Math.max(...all).toFixed(1)} ms of ${CALLS}`);
  }
  assert.deepEqual(page.mistakes, []);
});
