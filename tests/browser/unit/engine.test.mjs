// The parts of the page engine that need no browser: figures, tones, addresses.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

const app = (name) => new URL(`../../../assets/src/app/${name}`, import.meta.url);
const { measure } = await import(app('media.js'));
const { keyFrequencies, meter } = await import(app('sound.js'));
const { microphoneInfo } = await import(app('trouble.js'));

test('a report covers the time since the last one', () => {
  const inbound = (values) => [{ type: 'inbound-rtp', kind: 'audio', jitter: 0.012, ...values }];
  const before = inbound({ packetsLost: 10, packetsReceived: 90, totalSamplesReceived: 1000, concealedSamples: 100 });
  const now = inbound({ packetsLost: 15, packetsReceived: 185, totalSamplesReceived: 3000, concealedSamples: 150 });
  const report = measure([...now, { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.08 }], before);
  assert.deepEqual(report, { loss: 5, jitter: 12, roundTrip: 80, concealed: 2.5 });
});

test('a report of nothing is nothing, not a division by it', () => {
  assert.deepEqual(measure([], []), { loss: 0, jitter: 0, roundTrip: 0, concealed: 0 });
  const late = [{ type: 'inbound-rtp', kind: 'audio', packetsLost: -1, packetsReceived: 1 }];
  assert.equal(measure(late, []).loss, 0);
});

test('keys sound with their two frequencies', () => {
  assert.deepEqual(keyFrequencies('5'), [770, 1336]);
  assert.deepEqual(keyFrequencies('#'), [941, 1477]);
  assert.deepEqual(keyFrequencies('d'), [941, 1633]);
  for (const none of ['', 'x', '12']) assert.equal(keyFrequencies(none), null);
});

test('a meter is empty at silence and full at full scale', () => {
  assert.equal(meter(0), 0);
  assert.equal(meter(1), 1);
  assert.ok(Math.abs(meter(10 ** (-30 / 20)) - 0.5) < 1e-9);
});

test('every state of the microphone has words, and a window is offered only where it helps', () => {
  for (const state of ['asking', 'live', 'muted', 'ended', 'refused', 'none', 'busy', 'no-allow', 'policy', 'insecure', 'failed']) {
    const info = microphoneInfo(state);
    assert.equal(info.state, state);
    assert.ok(info.message);
    assert.doesNotMatch(info.hint, /window of its own/);
  }
  assert.match(microphoneInfo('no-allow', true).hint, /window of its own/);
});

test('the engine speaks of every cause and light that the server knows', () => {
  const declarations = readFileSync(new URL('../../../assets/src/api/rtckit.d.ts', import.meta.url), 'utf8');
  const kebab = (name) => name.replace(/(?<!^)([A-Z])/g, '-$1').toLowerCase();
  const variants = (file, name) => {
    const text = readFileSync(new URL(`../../../server/signalling/src/${file}`, import.meta.url), 'utf8');
    const body = new RegExp(`pub enum ${name} \\{([\\s\\S]*?)\\n\\}`).exec(text)[1];
    return [...body.matchAll(/^    ([A-Z]\w+),/gm)].map(([, variant]) => kebab(variant));
  };
  const names = [...variants('progress.rs', 'EndCause'), ...variants('progress.rs', 'CallState'),
    ...variants('message.rs', 'QualityReason'), ...variants('message.rs', 'ErrorCode')];
  assert.ok(names.length > 40);
  for (const name of names) assert.ok(declarations.includes(`'${name}'`), name);
  const words = readFileSync(app('quality.js'), 'utf8');
  for (const reason of variants('message.rs', 'QualityReason')) assert.ok(words.includes(`'${reason}'`), reason);
});
