// The Flash side of the JavaScript API, with a film that is none.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { APPLIANCE, FLASH_10, flashPage, RUFFLE } from './film.mjs';
import { modern, old, source } from './page.mjs';

async function connected(options) {
  const shop = await flashPage(options);
  shop.phone.connect();
  shop.ready();
  shop.says('connection', { connected: true, reconnecting: false });
  return shop;
}

/** A call that the appliance knows as `seven`. */
async function placed(options) {
  const shop = await connected(options);
  const callId = shop.phone.call({ uri: 'sip:1@r' });
  shop.says('placed', { request: callId, callId: 'seven' });
  return { shop, callId };
}

const state = (word, more) => ({
  callId: 'seven', direction: 'out', state: word, uri: '', displayName: '', video: false, code: 0, reason: '', cause: '', ...more,
});

test('a browser with Flash and without WebRTC gets the film, as large as its dialog needs', async () => {
  const shop = await flashPage({ embed: { button: 'sales & co' } });
  assert.deepEqual(shop.asked, [`GET ${APPLIANCE}/api/flash.json`]);
  const { data, type, width, height } = shop.film.attributes;
  assert.deepEqual([data, type, width, height], [`${APPLIANCE}/api/webphone.swf`, 'application/x-shockwave-flash', '217', '140']);
  assert.equal(shop.params().allowscriptaccess, 'always');
  assert.equal(shop.params().flashvars, 'phone=1&port=1935&app=sales%20%26%20co');
  assert.deepEqual(shop.errors(), []);
});

test('the port is the one that the appliance says, and the usual one where it cannot be asked', async () => {
  const flashvars = async (options) => (await flashPage(options)).params().flashvars;
  assert.equal(await flashvars({ port: 4935 }), 'phone=1&port=4935&app=webphone');
  assert.equal(await flashvars({ port: undefined }), 'phone=1&port=1935&app=webphone');
  const without = { ...old({ name: 'Shockwave Flash', description: 'Shockwave Flash 11.2 r202' }), XMLHttpRequest: undefined };
  assert.equal(await flashvars({ browser: without }), 'phone=1&port=1935&app=webphone');
});

test('an appliance without Flash says so, and what waited is answered', async () => {
  const shop = await flashPage({ port: null });
  shop.phone.connect();
  const callId = shop.phone.call({ uri: 'sip:1@r' });
  await shop.settle();
  assert.equal(shop.film, null);
  assert.deepEqual(shop.errors(), ['flash-unavailable']);
  assert.match(shop.told('onError')[0].message, /no calls through Flash/);
  assert.ok(shop.told('onConnectStateChanged').every((info) => !info.connected && !info.reconnecting));
  assert.deepEqual(shop.told('onCallStateChanged').map((info) => [info.callId, info.state]), [[callId, 'ended']]);
});

test('commands that came before the failure are answered as well', async () => {
  const shop = await flashPage({ blocked: ['flash.js'], embed: {} });
  assert.deepEqual(shop.errors(), ['flash-blocked']);
  const slow = await flashPage();
  slow.phone.connect();
  const callId = slow.phone.call({ uri: 'sip:1@r' });
  slow.pass(15_000);
  await slow.settle();
  assert.deepEqual(slow.errors(), ['flash-blocked']);
  assert.equal(slow.told('onConnectStateChanged').at(-1).connected, false);
  assert.deepEqual(slow.told('onCallStateChanged').map((info) => [info.callId, info.state]), [[callId, 'ended']]);
});

test('a player that is too old is told of', async () => {
  const shop = await flashPage({ browser: old(FLASH_10) });
  assert.deepEqual(shop.errors(), ['flash-unavailable']);
  assert.match(shop.told('onError')[0].hint, /11 or newer/);
  assert.equal(shop.film, null);
});

test('Ruffle is no Flash, unless the page asks for Flash by name', async () => {
  const chosen = await flashPage({ browser: old(RUFFLE) });
  assert.deepEqual(chosen.errors(), ['unsupported-browser']);
  const forced = await flashPage({ browser: { ...modern(), RufflePlayer: {} }, embed: { backend: 'flash' } });
  assert.deepEqual(forced.errors(), []);
  assert.ok(forced.film);
});

test('nothing is said to a film that has not come up, and then all in order', async () => {
  const shop = await flashPage();
  shop.phone.connect();
  shop.phone.register({ registrar: 'r', username: 'u', password: 'p' });
  shop.phone.setMicMuted(true);
  assert.deepEqual(shop.called, []);
  shop.ready();
  assert.deepEqual(shop.called.map(([method]) => method), ['Connect', 'Register', 'SetMicMuted']);
});

test('the page of 2011 connects, registers and calls', async () => {
  const shop = await flashPage();
  const { phone } = shop;
  let callId;
  phone.onConnectStateChanged = (info) => info.connected && phone.register({ registrar: 'r', username: 'u', password: 'p"\\' });
  phone.onRegStateChanged = (info) => { if (info.registered) callId = phone.call({ uri: 'sip:1@r' }); };
  phone.connect();
  shop.ready();
  shop.says('connection', { connected: true, reconnecting: false });
  shop.says('registration', { registered: true, code: 200, reason: 'OK' });
  assert.deepEqual(shop.called, [
    ['Connect', {}],
    ['Register', { registrar: 'r', username: 'u', password: 'p"\\' }],
    ['Call', { request: callId, uri: 'sip:1@r', video: false }],
  ]);
});

test('every member of the API is a method of the film', async () => {
  const { shop, callId } = await placed();
  const { phone } = shop;
  shop.called.length = 0;
  phone.sendDtmf({ digits: '1#' });
  phone.hold();
  phone.resume({ callId });
  phone.transfer({ uri: 'sip:2@r' });
  phone.answer({ callId, video: true });
  phone.reject({ callId });
  phone.hangup();
  phone.setVolume(0.5);
  phone.selectDevice({ kind: 'microphone', id: '1' });
  phone.unregister();
  phone.disconnect();
  assert.deepEqual(shop.called, [
    ['SendDtmf', { callId: 'seven', digits: '1#' }],
    ['Hold', { callId: 'seven' }],
    ['Resume', { callId: 'seven' }],
    ['Transfer', { callId: 'seven', uri: 'sip:2@r' }],
    ['Answer', { callId: 'seven', video: true }],
    ['Reject', { callId: 'seven' }],
    ['Hangup', { callId: 'seven' }],
    ['SetVolume', { level: 0.5 }],
    ['SelectDevice', { kind: 'microphone', id: '1' }],
    ['Unregister', {}],
    ['Disconnect', {}],
  ]);
});

test('a transfer to another call names both calls as the appliance does', async () => {
  const { shop, callId } = await placed();
  shop.says('incoming', { callId: '9', direction: 'in', state: 'ringing', uri: 'sip:2@r' });
  shop.called.length = 0;
  shop.phone.transfer({ callId, toCallId: '9' });
  shop.phone.transfer({ callId: '9', toCallId: callId });
  assert.deepEqual(shop.called, [
    ['Transfer', { callId: 'seven', toCallId: '9' }],
    ['Transfer', { callId: '9', toCallId: 'seven' }],
  ]);
  shop.phone.transfer({ callId, toCallId: '8' });
  shop.pass();
  assert.deepEqual(shop.errors(), ['unknown-call']);
  assert.equal(shop.called.length, 2);
});

test('the page has the callId before it hears of the call, and never sees the appliance\'s', async () => {
  const shop = await connected();
  let known = null;
  const order = [];
  shop.phone.onCallStateChanged = (info) => order.push([known !== null, info.state, info.callId === known]);
  known = shop.phone.call({ uri: 'sip:1@r', headers: { 'X-Page': 'cart' } });
  assert.deepEqual(shop.called.at(-1)[1].headers, { 'X-Page': 'cart' });
  shop.pass();
  shop.says('placed', { request: known, callId: 'seven' });
  for (const word of ['calling', 'ringing', 'early', 'active', 'held', 'ended']) shop.says('state', state(word));
  assert.deepEqual(order.map(([, word]) => word), ['calling', 'ringing', 'early', 'active', 'held', 'ended']);
  assert.ok(order.every(([first, , same]) => first && same));
  shop.says('state', state('active'));
  assert.equal(order.length, 6, 'nothing comes after the end');
});

test('a call is described as the WebRTC phone describes it', async () => {
  const { shop, callId } = await placed();
  shop.says('state', state('active', { code: 200, reason: 'OK', displayName: 'Bob "\\\' <b>' }));
  const [first, active] = shop.told('onCallStateChanged');
  assert.deepEqual(first, {
    callId, direction: 'out', state: 'calling', uri: 'sip:1@r', displayName: '', video: false, code: 0, reason: '', cause: '', startedAt: 0,
  });
  assert.ok(active.startedAt > 0);
  assert.deepEqual({ ...active, startedAt: 0 }, {
    ...first, state: 'active', code: 200, reason: 'OK', displayName: 'Bob "\\\' <b>',
  });
});

test('states and commands that come before the appliance has named the call are kept in order', async () => {
  const shop = await connected();
  const callId = shop.phone.call({ uri: 'sip:1@r' });
  shop.says('state', state('ringing'));
  shop.phone.sendDtmf({ digits: '1' });
  shop.phone.sendDtmf({ digits: '2' });
  shop.phone.hangup();
  assert.deepEqual(shop.called.map(([method]) => method), ['Connect', 'Call']);
  assert.deepEqual(shop.told('onCallStateChanged').map((info) => info.state), ['calling']);
  shop.says('placed', { request: callId, callId: 'seven' });
  assert.deepEqual(shop.told('onCallStateChanged').map((info) => info.state), ['calling', 'ringing']);
  assert.deepEqual(shop.called.slice(2), [
    ['SendDtmf', { callId: 'seven', digits: '1' }],
    ['SendDtmf', { callId: 'seven', digits: '2' }],
    ['Hangup', { callId: 'seven' }],
  ]);
});

test('why a call ended is said in the words of the WebRTC phone', async () => {
  const causeOf = async (last, before = async () => {}) => {
    const { shop } = await placed();
    await before(shop);
    shop.says('state', state('ended', last));
    return shop.told('onCallStateChanged').at(-1).cause;
  };
  assert.equal(await causeOf({ code: 486 }), 'busy');
  assert.equal(await causeOf({ code: 503 }), 'provider-failed');
  assert.equal(await causeOf({ code: 404, cause: 'unreachable' }), 'unreachable');
  assert.equal(await causeOf({ code: 487 }, ({ phone }) => phone.hangup()), 'cancelled');
  const talk = (shop) => shop.says('state', state('active'));
  assert.equal(await causeOf({ code: 200 }, talk), 'shop-hung-up');
  assert.equal(await causeOf({ code: 200 }, (shop) => { talk(shop); shop.phone.hangup(); }), 'visitor-hung-up');
});

test('a call that the appliance refuses ends with its words', async () => {
  const shop = await connected();
  const callId = shop.phone.call({ uri: 'sip:1@r' });
  shop.says('refused', { request: callId, code: 'limit', message: 'There are too many calls', hint: 'Wait' });
  assert.deepEqual(shop.told('onError'), [{ code: 'limit', message: 'There are too many calls', hint: 'Wait', callId }]);
  const last = shop.told('onCallStateChanged').at(-1);
  assert.deepEqual([last.state, last.reason, last.cause], ['ended', 'There are too many calls', 'limit']);
  shop.phone.hangup();
  shop.pass();
  assert.deepEqual(shop.errors(), ['limit', 'unknown-call']);
});

test('somebody calls and is answered', async () => {
  const shop = await connected();
  const incoming = state('ringing', { direction: 'in', uri: 'sip:bob@r', displayName: 'Bob' });
  shop.says('incoming', incoming);
  const [info] = shop.told('onIncomingCall');
  assert.deepEqual([info.callId, info.direction, info.state, info.displayName], ['seven', 'in', 'ringing', 'Bob']);
  shop.phone.answer({ callId: info.callId });
  assert.deepEqual(shop.called.at(-1), ['Answer', { callId: 'seven', video: false }]);
  shop.says('state', { ...incoming, state: 'active' });
  assert.equal(shop.told('onCallStateChanged').at(-1).state, 'active');
});

test('a connection that is lost ends its calls, and one that comes back is a new one', async () => {
  const { shop, callId } = await placed();
  shop.says('connection', { connected: false, reconnecting: true });
  const last = shop.told('onCallStateChanged').at(-1);
  assert.deepEqual([last.callId, last.state, last.cause], [callId, 'ended', 'visitor-lost']);
  shop.says('connection', { connected: true, reconnecting: false });
  assert.deepEqual(shop.told('onConnectStateChanged'), [
    { connected: true, reconnecting: false }, { connected: false, reconnecting: true }, { connected: true, reconnecting: false },
  ]);
  // The appliance may still answer to what was asked over the old connection.
  shop.says('placed', { request: callId, callId: 'seven' });
  assert.deepEqual(shop.called.at(-1), ['Hangup', { callId: 'seven' }]);
});

test('errors name the page\'s call, and words of others stay words', async () => {
  const { shop, callId } = await placed();
  const words = { message: 'A stream failed: "\\"); evil()', hint: '<b>100 %</b>' };
  shop.says('error', { code: 'flash-media-failed', ...words, status: 'NetStream.Failed', callId: 'seven' });
  assert.deepEqual(shop.told('onError'), [{ code: 'flash-media-failed', ...words, status: 'NetStream.Failed', callId }]);
  shop.says('microphone', { state: 'refused', message: 'No', hint: 'Yes', popup: false, micMuted: false });
  assert.equal(shop.told('onMicStateChanged')[0].state, 'refused');
});

test('a film that fails or is gone does not leave a call hanging', async () => {
  for (const answers of [() => null, () => { throw new Error('plug-in crashed'); }]) {
    const shop = await connected({ answers });
    const callId = shop.phone.call({ uri: 'sip:1@r' });
    shop.pass();
    assert.deepEqual(new Set(shop.errors()), new Set(['internal']));
    assert.deepEqual(shop.told('onCallStateChanged').map((info) => [info.callId, info.state]), [[callId, 'calling'], [callId, 'ended']]);
  }
});

test('every code that the film may say is declared', () => {
  const film = readFileSync(new URL('../../../flash-shim/src/Trouble.hx', import.meta.url), 'utf8');
  const codes = new Set([...film.matchAll(/(?:told|make)\("([a-z0-9-]+)"/g)].map(([, code]) => code));
  const declared = /type ErrorCode =([\s\S]*?);/.exec(source('rtckit.d.ts'))[1];
  assert.ok(codes.size >= 18, [...codes].join());
  for (const code of codes) assert.ok(declared.includes(`'${code}'`), code);
});

test('devices come as a promise', async () => {
  const shop = await connected();
  const promised = shop.phone.devices();
  const [, { request }] = shop.called.at(-1);
  shop.says('devices', { request: String(request), microphones: [{ id: '0', label: 'Mikrofon "ä"' }], speakers: [] });
  const { microphones, speakers } = await promised;
  assert.deepEqual([microphones[0].label, speakers.length], ['Mikrofon "ä"', 0]);
});

test('a phone that is put in anew takes the old film away', async () => {
  const { shop } = await placed();
  shop.phone.embed({ container: 'phone' });
  assert.deepEqual(shop.called.at(-1), ['Disconnect', {}]);
  await shop.settle();
  assert.equal(shop.window.document.getElementById('rtckitFlash1'), null);
  assert.ok(shop.window.document.getElementById('rtckitFlash2'));
  const before = shop.heard.length;
  shop.says('connection', { connected: true, reconnecting: false }, 1);
  assert.equal(shop.heard.length, before, 'the old one is not heard any more');
});
