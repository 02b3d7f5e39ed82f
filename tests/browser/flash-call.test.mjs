// The Flash WebPhone's own part of a call, in Ruffle: what it sends, what it does with its streams,
// the microphone and the panel. It is the shipped source in a test's build, in which the network
// and the microphone are stand-ins (flash-shim/stand-in) and this file is the appliance.

import { ownNetwork } from './lib/network.mjs';
await ownNetwork(import.meta.url);

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Appliance } from './lib/appliance.mjs';
import { launchChromium } from './lib/chromium.mjs';
import { freshFolder, ROOT, SCREENS } from './lib/folder.mjs';
import { find } from './lib/program.mjs';
import { heard, filmAnswers, openRuffleShop, run, visitWithRuffle } from './lib/ruffle.mjs';
import { until } from './lib/wait.mjs';

const LIMIT = { timeout: 120_000 };

const made = path.join(freshFolder('browser', 'flash-call', 'film'), 'stand-in.swf');
execFileSync(find('haxe'), ['build.hxml', '-cp', 'stand-in', '-D', 'stand_in', '-swf', made], {
  cwd: path.join(ROOT, 'flash-shim'), stdio: 'inherit',
});
const film = readFileSync(made);
const appliance = await Appliance.demo('flash-call');
const shop = await openRuffleShop(appliance);
const browser = await launchChromium('flash-call', { microphone: 'refused' });

/** A page with the film up, and the far end of it. */
async function visit(t, { embed = { button: 'sales' } } = {}) {
  const page = await visitWithRuffle(t, browser, shop, { film, embed, port: 4935 });
  await page.evaluate(() => {
    window.notes = [];
    window.StandIn = { note(name, what, argument) { window.notes.push({ name, what, argument }); } };
  });
  await filmAnswers(page);
  const note = (what, after = 0) => until(`the film does ${what}`, async () => {
    const notes = await page.evaluate((from) => window.notes.slice(from), after);
    return notes.find((it) => it.what === what);
  });
  const play = (name, what, argument) => page.evaluate(
    ([to, it, given]) => document.getElementById('rtckitFlash1').standIn(to, it, given),
    [name, what, argument],
  );
  const status = (name, code, level = 'status', description = '') => play(name, 'status', { code, level, description });
  return {
    page,
    /** The first note of this kind from the given place on. */
    note,
    notes: () => page.evaluate(() => window.notes),
    /** Until a handler of the page has heard something that fits. */
    hears: (name, fits) => until(`the page hears ${name}`, async () => (await heard(page, name)).find(fits)),
    play,
    status,
    async connect() {
      await run(page, 'connect');
      const { name, argument } = await note('connect');
      await status(name, 'NetConnection.Connect.Success');
      await until('the page is connected', async () => (await heard(page, 'onConnectStateChanged')).at(-1)?.connected);
      return { name, address: argument };
    },
  };
}

/** A call that the appliance has named and the visitor has allowed the microphone for. */
async function call(t, options) {
  const visitor = await visit(t, options);
  const { name: connection } = await visitor.connect();
  const callId = await run(visitor.page, 'call', { uri: 'sip:bob@r', video: Boolean(options?.video) });
  const { name: answer, argument } = await visitor.note('call');
  const microphone = (await visitor.note('open')).name;
  await visitor.play(answer, 'result', { callId: 'seven' });
  const up = (await visitor.note('publish')).name;
  const down = (await visitor.note('play')).name;
  const says = (state, more) => visitor.play(connection, 'onCallState', {
    callId: 'seven', direction: 'out', state, uri: 'sip:bob@r', displayName: '', video: false, code: 0, reason: '', ...more,
  });
  return { ...visitor, connection, callId, argument, microphone, up, down, says };
}

async function picture(page, name) {
  mkdirSync(SCREENS, { recursive: true });
  return page.locator('#rtckitFlash1').screenshot({ path: path.join(SCREENS, `flash-${name}.png`) });
}

test('it connects to the host that it came from, at the port and with the name that it was given', LIMIT, async (t) => {
  const { connect } = await visit(t);
  assert.equal((await connect()).address, 'rtmfp://127.0.0.1:4935/sales');
});

test('a registration goes out as the protocol names it, and its outcome comes back', LIMIT, async (t) => {
  const { page, note, play, hears, connect } = await visit(t, { embed: {} });
  const { name, address } = await connect();
  assert.equal(address, 'rtmfp://127.0.0.1:4935/webphone');
  await run(page, 'register', { registrar: 'sip.example', username: 'ü', password: 'p"\\%41' });
  const { name: answer, argument } = await note('register');
  assert.deepEqual(argument, { registrar: 'sip.example', username: 'ü', password: 'p"\\%41' });
  await play(answer, 'result', null);
  await play(name, 'onRegState', { registered: true, code: 200, reason: 'OK' });
  assert.deepEqual(await hears('onRegStateChanged', () => true), { registered: true, code: 200, reason: 'OK' });
  await run(page, 'register', { registrar: 'evil.example', username: 'u', password: 'p' });
  const second = await until('it is sent', async () => (await page.evaluate(() => window.notes)).filter((it) => it.what === 'register')[1]);
  await play(second.name, 'error', { code: 'forbidden', description: 'This registrar is not allowed' });
  const refused = await hears('onRegStateChanged', (info) => !info.registered);
  assert.equal(refused.reason, 'This registrar is not allowed');
  assert.equal((await hears('onError', () => true)).code, 'forbidden');
  await run(page, 'unregister');
  assert.equal((await note('unregister')).argument, null);
});

test('a call publishes and plays under its name, and sends the microphone once it is allowed', LIMIT, async (t) => {
  const { page, argument, note, notes, hears, play, says, up, down, microphone, callId } = await call(t);
  assert.deepEqual(argument, { uri: 'sip:bob@r', video: false });
  const of = async (name, what) => (await notes()).filter((it) => it.name === name && it.what === what).map((it) => it.argument);
  assert.deepEqual(await of(up, 'publish'), ['seven'], 'late packets are not sent again');
  assert.deepEqual(await of(down, 'play'), ['seven']);
  assert.deepEqual(await of('Built-in', 'settings'), ['Speex 1 0']);
  assert.equal((await hears('onMicStateChanged', () => true)).state, 'asking');
  await picture(page, 'asking');
  assert.deepEqual(await of(up, 'attachAudio'), [], 'nothing is sent before the visitor has allowed it');
  await play(microphone, 'decide', true);
  assert.equal((await note('attachAudio')).argument, 'Built-in');
  await hears('onMicStateChanged', (info) => info.state === 'live');
  await picture(page, 'allowed');
  await says('ringing');
  await says('active', { code: 200, displayName: 'Bob' });
  const active = await hears('onCallStateChanged', (info) => info.state === 'active');
  assert.deepEqual([active.callId, active.displayName], [callId, 'Bob']);
  await until('the level is drawn', async () => (await picture(page, 'active')).length > 0);
  await run(page, 'setMicMuted', true);
  await until('it is silent', async () => (await of(up, 'attachAudio')).at(-1) === null);
  await hears('onMicStateChanged', (info) => info.state === 'live' && info.micMuted);
  await run(page, 'setMicMuted', false);
  await until('it is heard again', async () => (await of(up, 'attachAudio')).at(-1) === 'Built-in');
  await run(page, 'setVolume', 0.25);
  await until('it is quieter', async () => (await of(down, 'volume')).at(-1) === 0.25);
  await says('ended', { code: 200 });
  assert.equal((await hears('onCallStateChanged', (info) => info.state === 'ended')).cause, 'shop-hung-up');
  await until('both streams are closed', async () => (await of(up, 'close')).length + (await of(down, 'close')).length === 2);
  assert.deepEqual((await of(up, 'attachAudio')).at(-1), null);
  assert.deepEqual(await heard(page, 'onError'), []);
});

test('keys, hold, transfer and hang-up go out under the appliance\'s name of the call', LIMIT, async (t) => {
  const { page, note } = await call(t);
  for (const [member, given, command, sent] of [
    ['sendDtmf', { digits: '1#' }, 'dtmf', { callId: 'seven', digits: '1#' }],
    ['hold', undefined, 'hold', { callId: 'seven' }],
    ['resume', undefined, 'resume', { callId: 'seven' }],
    ['transfer', { uri: 'sip:carol@r' }, 'transfer', { callId: 'seven', uri: 'sip:carol@r' }],
    ['reject', undefined, 'reject', { callId: 'seven' }],
    ['hangup', undefined, 'hangup', { callId: 'seven' }],
  ]) {
    await run(page, member, given);
    assert.deepEqual((await note(command)).argument, sent);
  }
});

test('somebody calls: the page is told, answers, and has the streams', LIMIT, async (t) => {
  const { page, note, play, hears, connect } = await visit(t);
  const { name } = await connect();
  await play(name, 'onIncomingCall', {
    callId: 'nine', direction: 'in', state: 'ringing', uri: 'sip:bob@r', displayName: '"\\");alert(1)//', video: false, code: 0, reason: '',
  });
  const incoming = await hears('onIncomingCall', () => true);
  assert.deepEqual([incoming.callId, incoming.state, incoming.displayName], ['nine', 'ringing', '"\\");alert(1)//']);
  await run(page, 'answer', { callId: 'nine' });
  const { name: answer, argument } = await note('answer');
  assert.deepEqual(argument, { callId: 'nine' });
  await play(answer, 'result', null);
  assert.equal((await note('publish')).argument, 'nine');
  assert.equal((await note('play')).argument, 'nine');
});

test('a visitor who says no is told how to allow it, and may still do so', LIMIT, async (t) => {
  const { page, note, hears, play, microphone } = await call(t);
  await play(microphone, 'decide', false);
  const refused = await hears('onMicStateChanged', (info) => info.state === 'refused');
  assert.match(refused.hint, /Allow/);
  await picture(page, 'refused');
  // Flash does not always tell of a change in its dialog; the next look finds it after an answer.
  await play(microphone, 'decide', true);
  assert.equal((await note('attachAudio')).argument, 'Built-in');
});

test('an answer that Flash does not tell of is found by looking', LIMIT, async (t) => {
  const { note, play, microphone } = await call(t);
  await play(microphone, 'quietly', true);
  assert.equal((await note('attachAudio')).argument, 'Built-in');
});

test('another microphone takes over in the middle of a call', LIMIT, async (t) => {
  const { page, notes, play, microphone } = await call(t);
  await play(microphone, 'decide', true);
  const { microphones } = await run(page, 'devices');
  assert.deepEqual(microphones, [{ id: '0', label: 'Built-in' }, { id: '1', label: 'Headset "ä"' }]);
  await run(page, 'selectDevice', { kind: 'microphone', id: '1' });
  const other = await until('it is opened', async () => (await notes()).find((it) => it.what === 'open' && it.argument.startsWith('Headset')));
  await play(other.name, 'decide', true);
  await until('it is sent', async () => (await notes()).filter((it) => it.what === 'attachAudio').at(-1).argument === 'Headset "ä"');
});

test('a camera that is not there is said once, and the call goes on', LIMIT, async (t) => {
  const { argument, hears, says } = await call(t, { video: true });
  assert.equal(argument.video, true);
  assert.equal((await hears('onError', () => true)).code, 'camera-none');
  await says('active');
  await hears('onCallStateChanged', (info) => info.state === 'active');
});

/** A call that is up, with its microphone on, whose partner the appliance has introduced. */
async function introduced(t) {
  const it = await call(t);
  const { page, note, notes, hears, play, says, microphone } = it;
  const far = '5e'.repeat(32);
  await play(microphone, 'decide', true);
  await note('attachAudio');
  await says('active', { code: 200 });
  await hears('onCallStateChanged', (info) => info.state === 'active');
  const of = async (name, what) => (await notes()).filter((n) => n.name === name && n.what === what).map((n) => n.argument);
  const offer = (more) => says('active', { direct: false, farId: far, farCallId: 'two', ...more });
  /** The newest streams from player to player. */
  const streams = () => until('direct streams are there', async () => {
    const peers = (await notes()).filter((n) => n.what === 'peer');
    const up = peers.filter((n) => n.argument === 'directConnections').at(-1)?.name;
    const down = peers.filter((n) => n.argument === far).at(-1)?.name;
    return up && down ? { up, down } : undefined;
  });
  const told = (on, times = 1) => until(`the appliance is told ${on}`, async () => (await notes())
    .filter((n) => n.what === 'direct' && n.argument.callId === 'seven' && n.argument.on === on).length >= times);
  const last = (words, name, what, value) => until(words, async () => (await of(name, what)).at(-1) === value);
  await offer();
  const direct = await streams();
  await last('it publishes for peers', direct.up, 'publish', 'seven');
  await last('it plays the partner', direct.down, 'play', 'two');
  /** The partner's stream says that it is alive, from now on until the page is told to be silent. */
  const beats = (name) => page.evaluate((to) => {
    const film = document.getElementById('rtckitFlash1');
    window.beats = setInterval(() => film.standIn(to, 'beat', null), 300);
  }, name);
  const silence = () => page.evaluate(() => clearInterval(window.beats));
  return { ...it, far, of, offer, streams, told, last, direct, beats, silence };
}

test('a partner that is heard directly is heard so by the visitor once the appliance says it', LIMIT, async (t) => {
  const { page, far, of, offer, told, last, direct, beats, silence, up, down, note, play, says, streams } = await introduced(t);
  assert.deepEqual((await of(direct.up, 'publish')), ['seven'], 'late packets are not sent again');
  for (const [who, admitted] of [[far, true], [far.toUpperCase(), true], ['77'.repeat(32), false]]) {
    await play(direct.up, 'onPeerConnect', who);
    assert.equal((await note(`admits ${who}`)).argument, admitted);
  }
  await last('its stream says that it is alive', direct.up, 'send', 'beat');
  await last('both ways carry the microphone', direct.up, 'attachAudio', 'Built-in');
  assert.equal((await of(up, 'attachAudio')).at(-1), 'Built-in');
  assert.equal((await of(direct.down, 'volume')).at(-1), 0, 'nobody is heard twice');
  await beats(direct.down);
  await told(true);
  await offer({ direct: true });
  await last('nothing goes to the appliance', up, 'attachAudio', null);
  await last('the bridge is not heard', down, 'volume', 0);
  await last('the partner is', direct.down, 'volume', 1);
  await run(page, 'setVolume', 0.5);
  await last('it is quieter', direct.down, 'volume', 0.5);
  assert.equal((await of(down, 'volume')).at(-1), 0);
  await run(page, 'setMicMuted', true);
  await last('it is silent', direct.up, 'attachAudio', null);
  await run(page, 'setMicMuted', false);
  await last('it is heard again', direct.up, 'attachAudio', 'Built-in');
  assert.equal((await of(up, 'attachAudio')).at(-1), null);
  // The partner's machine is not heard of any more.
  await silence();
  await told(false);
  await last('the appliance gets the microphone again', up, 'attachAudio', 'Built-in');
  await last('the bridge is heard', down, 'volume', 0.5);
  for (const name of [direct.up, direct.down]) assert.equal((await of(name, 'close')).length, 1);
  // A word that was on its way does not count; what comes after the appliance knows does.
  await offer({ direct: true });
  await says('active', { direct: false });
  await offer();
  const again = await until('it is tried again', async () => {
    const next = await streams();
    return next.up !== direct.up && next.down !== direct.down ? next : undefined;
  });
  assert.equal((await of(up, 'attachAudio')).at(-1), 'Built-in');
  await play(again.down, 'beat', null);
  await told(true, 2);
  await says('ended', { code: 200 });
  for (const name of [again.up, again.down, up, down]) {
    await until('all streams are closed', async () => (await of(name, 'close')).length === 1);
  }
  const states = (await heard(page, 'onCallStateChanged')).map((info) => info.state);
  assert.equal(states.filter((state) => state === 'active').length, 1, 'where sound goes is no news for the page');
  assert.deepEqual(await heard(page, 'onError'), []);
});

test('a direct stream that breaks or never comes leaves the call to the appliance', LIMIT, async (t) => {
  const { page, of, offer, told, last, direct, up, play, says, streams } = await introduced(t);
  // The partner is told later, and does not publish yet.
  await play(direct.down, 'status', { code: 'NetStream.Play.StreamNotFound', level: 'error' });
  const next = await until('it asks again', async () => {
    const now = await streams();
    return now.down !== direct.down ? now : undefined;
  });
  assert.equal(next.up, direct.up);
  await play(next.down, 'beat', null);
  await told(true);
  await offer({ direct: true });
  await last('nothing goes to the appliance', up, 'attachAudio', null);
  await play(next.down, 'status of the connection', { code: 'NetStream.Connect.Closed', level: 'status' });
  await told(false);
  await last('the appliance gets the microphone again', up, 'attachAudio', 'Built-in');
  await says('active', { direct: false });
  // On hold there is no way past the appliance, whatever the partner says.
  await offer();
  const third = await until('it is tried again', async () => {
    const now = await streams();
    return now.up !== direct.up ? now : undefined;
  });
  await says('active', { direct: false });
  await until('both are closed', async () => (await of(third.up, 'close')).length + (await of(third.down, 'close')).length === 2);
  // Nobody answers at all.
  await offer();
  await told(false, 2);
  assert.equal((await of(up, 'attachAudio')).at(-1), 'Built-in');
  assert.deepEqual(await heard(page, 'onError'), []);
});

test('a refused page is told so and not tried again; a lost connection is, and loses its calls', LIMIT, async (t) => {
  const refused = await visit(t);
  await run(refused.page, 'connect');
  const { name } = await refused.note('connect');
  await refused.status(name, 'NetConnection.Connect.Rejected', 'error', 'origin not allowed');
  const error = await refused.hears('onError', () => true);
  assert.deepEqual([error.code, error.status], ['forbidden', 'NetConnection.Connect.Rejected']);
  assert.match(error.message, /origin not allowed/);
  await refused.status(name, 'NetConnection.Connect.Closed');
  const { page, notes, hears, status, connection, up } = await call(t);
  await status(connection, 'NetConnection.Connect.Closed');
  const ended = await hears('onCallStateChanged', (info) => info.state === 'ended');
  assert.equal(ended.cause, 'visitor-lost');
  await hears('onConnectStateChanged', (info) => !info.connected && info.reconnecting);
  await until('its streams are closed', async () => (await notes()).some((it) => it.name === up && it.what === 'close'));
  const again = await until('it connects again', async () => (await notes()).filter((it) => it.what === 'connect')[1]);
  await status(again.name, 'NetConnection.Connect.Success');
  await until('the page knows', async () => (await heard(page, 'onConnectStateChanged')).at(-1).connected);
  assert.equal((await refused.notes()).filter((it) => it.what === 'connect').length, 1);
  assert.deepEqual(await heard(refused.page, 'onConnectStateChanged'), [{ connected: false, reconnecting: false }]);
});

test('every bad word of Flash about a stream reaches the page with its call', LIMIT, async (t) => {
  const { page, callId, up, down, status, hears } = await call(t);
  for (const [stream, code, level, word] of [
    [up, 'NetStream.Publish.BadName', 'error', 'flash-media-failed'],
    [down, 'NetStream.Play.StreamNotFound', 'error', 'flash-media-failed'],
    [down, 'NetStream.Play.InsufficientBW', 'warning', 'flash-slow-network'],
    [down, 'NetStream.Something.New', 'error', 'flash-status'],
  ]) {
    await status(stream, code, level);
    const error = await hears('onError', (info) => info.status === code);
    assert.deepEqual([error.code, error.callId], [word, callId]);
    assert.ok(error.message && error.hint);
  }
  const before = (await heard(page, 'onError')).length;
  await status(down, 'NetStream.Play.Start');
  await status(up, 'NetStream.Publish.Start');
  assert.equal((await heard(page, 'onError')).length, before);
});
