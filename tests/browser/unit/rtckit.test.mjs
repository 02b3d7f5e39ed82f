// The loader of the JavaScript API, without a browser.

import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'acorn';
import { FLASH_10 as FLASH, RUFFLE } from './film.mjs';
import { APPLIANCE, modern, old, page, source } from './page.mjs';

function ready(options) {
  const shop = page(modern());
  shop.phone.embed({ container: 'phone', ...options });
  shop.say('loaded');
  shop.say('ready', {});
  return shop;
}

for (const name of ['rtckit.js', 'flash.js', 'swfobject.js']) {
  test(`${name} has nothing that a browser of 2010 cannot parse`, () => {
    // Reserved words as names came with ECMAScript 5 and are no names for browsers of before.
    parse(source(name), { ecmaVersion: 5, sourceType: 'script', allowReserved: 'never' });
    assert.throws(() => parse(`${source(name)}\nlet x;`, { ecmaVersion: 5 }));
  });
}

test('a browser of today gets a frame of the appliance that may use the microphone', () => {
  const shop = page(modern());
  shop.phone.embed({ container: 'phone' });
  assert.equal(shop.frame.src, `${APPLIANCE}/webphone`);
  assert.equal(shop.frame.attributes.allow, 'microphone; camera; autoplay; speaker-selection');
  shop.phone.embed({ container: 'phone', button: 'sales & co' });
  assert.equal(shop.container.children.length, 1);
  assert.equal(shop.frame.src, `${APPLIANCE}/b/sales%20%26%20co?api=1`);
});

test("the appliance's origin is that of the script, without its scheme's own port", () => {
  for (const [src, origin] of [
    ['https://Call.Shop.example:443/api/rtckit.js?v=1', 'https://call.shop.example'],
    ['http://127.0.0.1:8080/api/rtckit.js', 'http://127.0.0.1:8080'],
    ['http://call.example:80/api/rtckit.js', 'http://call.example'],
    ['//call.example/api/rtckit.js', 'https://call.example'],
    ['/api/rtckit.js', 'https://www.shop.example'],
  ]) {
    const shop = page(modern(), { src });
    shop.phone.embed({ container: 'phone' });
    assert.equal(shop.frame.src, `${origin}/webphone`);
  }
});

test('the page of 2011 connects, registers and calls', () => {
  const shop = page(modern());
  const { phone } = shop;
  let callId;
  phone.onConnectStateChanged = ({ connected }) => connected && phone.register({ registrar: 'r', username: 'u', password: 'p' });
  phone.onRegStateChanged = ({ registered }) => { if (registered) callId = phone.call({ uri: 'sip:1@r' }); };
  phone.embed({ container: 'phone' });
  phone.connect();
  shop.say('loaded');
  shop.say('ready', {});
  shop.say('connection', { connected: true, reconnecting: false, resumed: false });
  shop.say('registration', { registered: true, code: 200, reason: 'OK' });
  assert.deepEqual(shop.posted.map(({ command }) => command), ['hello', 'connect', 'register', 'call']);
  assert.ok(shop.posted.every(({ to }) => to === APPLIANCE), 'nobody else may read the password');
  assert.equal(shop.posted[3].argument.callId, callId);
  assert.ok(callId);
});

test('a socket that came back with its calls does not make the page call again', () => {
  const shop = ready();
  const connection = (connected, resumed) => shop.say('connection', { connected, reconnecting: !connected, resumed });
  const told = () => shop.heard.filter(([name]) => name === 'onConnectStateChanged').map(([, info]) => info.connected);
  connection(true, false);
  connection(false, false);
  connection(true, true);
  assert.deepEqual(told(), [true]);
  connection(false, false);
  connection(true, false);
  assert.deepEqual(told(), [true, false, true]);
  shop.say('connection', { connected: false, reconnecting: false, resumed: false });
  assert.deepEqual(told(), [true, false, true, false]);
});

test('messages of other origins and other windows are not heard', () => {
  const shop = ready();
  shop.say('registration', { registered: true }, { origin: 'https://evil.example' });
  shop.say('registration', { registered: true }, { origin: 'null' });
  shop.say('registration', { registered: true }, { source: {} });
  shop.say('registration', { registered: true }, { mark: 'other' });
  assert.deepEqual(shop.heard, []);
  shop.say('registration', { registered: true });
  assert.equal(shop.heard.length, 1);
});

test("an exception in a page's handler does not break the phone", () => {
  const shop = ready();
  shop.phone.onCallStateChanged = () => { throw new Error('mistake of the page'); };
  const callId = shop.phone.call({ uri: 'sip:1@r' });
  shop.say('state', { callId, state: 'ringing' });
  const thrown = shop.pass();
  assert.deepEqual(thrown.map(({ message }) => message), ['mistake of the page']);
  shop.phone.hangup();
  assert.equal(shop.posted.at(-1).command, 'hangup');
  assert.equal(shop.posted.at(-1).argument.callId, callId);
});

test('a Ruffle that pretends to be Flash is no Flash', () => {
  const disguises = [
    page(old(RUFFLE)),
    page({ ...old(FLASH), RufflePlayer: {} }),
    page(old(FLASH), { tags: { 'ruffle-object': [{}] } }),
    page(old(FLASH), { tags: { 'ruffle-embed': [{}] } }),
  ];
  for (const shop of disguises) {
    shop.phone.embed({ container: 'phone' });
    shop.pass();
    assert.deepEqual(shop.errors(), ['unsupported-browser']);
  }
});

test('WebRTC is preferred to Flash, and Flash can be asked for', () => {
  const both = modern();
  both.navigator = { ...both.navigator, plugins: { 'Shockwave Flash': FLASH } };
  const shop = page(both);
  shop.phone.embed({ container: 'phone' });
  assert.ok(shop.frame);
  assert.equal(shop.frame.nodeName, 'IFRAME');
  shop.phone.embed({ container: 'phone', backend: 'flash' });
  assert.equal(shop.frame.nodeName, 'SCRIPT');
  assert.equal(shop.frame.src, `${APPLIANCE}/api/flash.js`);
  const none = page(modern());
  none.phone.embed({ container: 'phone', backend: 'flash' });
  none.pass();
  assert.deepEqual(none.errors(), ['flash-unavailable']);
});

test('a browser with neither is told so, and so is a page without https', () => {
  const none = page(old());
  none.phone.embed({ container: 'phone' });
  const callId = none.phone.call({ uri: 'sip:1@r' });
  none.pass();
  assert.deepEqual(none.errors(), ['unsupported-browser']);
  const ended = none.heard.find(([name]) => name === 'onCallStateChanged')[1];
  assert.deepEqual([ended.callId, ended.state], [callId, 'ended']);

  const browser = modern();
  const plain = page({ ...browser, isSecureContext: false, navigator: { ...browser.navigator, mediaDevices: undefined } });
  plain.phone.embed({ container: 'phone' });
  plain.pass();
  assert.deepEqual(plain.errors(), ['insecure']);
});

test('mistakes are told in words', () => {
  const shop = page(modern());
  shop.phone.connect();
  shop.pass();
  shop.phone.embed({ container: 'nowhere' });
  shop.pass();
  assert.deepEqual(shop.errors(), ['not-embedded', 'no-container']);
  const live = ready();
  for (const name of ['answer', 'reject', 'hold', 'resume', 'transfer']) live.phone[name]({});
  live.phone.hangup();
  live.pass();
  assert.deepEqual(live.errors(), Array(6).fill('unknown-call'));
  for (const [, info] of live.heard) assert.equal(typeof info.message + typeof info.hint, 'stringstring');
});

test('a frame that never loads is reported', () => {
  const shop = page(modern());
  shop.phone.embed({ container: 'phone' });
  shop.phone.connect();
  shop.pass(1000);
  assert.deepEqual(shop.errors(), []);
  shop.pass(15000);
  shop.pass(0);
  assert.deepEqual(shop.errors(), ['frame-blocked']);
});

test('the callId may be left out with one call and not with two', () => {
  const shop = ready();
  const first = shop.phone.call({ uri: 'sip:1@r' });
  const second = shop.phone.call({ uri: 'sip:2@r' });
  shop.phone.sendDtmf({ digits: 5 });
  shop.pass();
  assert.deepEqual(shop.errors(), ['unknown-call']);
  shop.say('state', { callId: first, state: 'ended' });
  shop.phone.sendDtmf({ digits: 5 });
  assert.deepEqual({ ...shop.posted.at(-1).argument }, { callId: second, digits: '5' });
});

test('a call that comes in is answered or rejected without its name, beside another one', () => {
  const shop = ready();
  const own = shop.phone.call({ uri: 'sip:1@r' });
  shop.say('state', { callId: own, direction: 'out', state: 'ringing' });
  shop.phone.answer({});
  shop.pass();
  assert.deepEqual(shop.errors(), ['unknown-call'], 'one that rings elsewhere is not answered here');
  shop.say('incoming', { callId: 'in-1', direction: 'in', state: 'ringing', uri: 'sip:bob@r', displayName: 'Bob' });
  const told = shop.heard.filter(([name]) => name === 'onIncomingCall').map(([, info]) => info.callId);
  assert.deepEqual(told, ['in-1']);
  shop.phone.answer({ video: 1 });
  assert.deepEqual({ ...shop.posted.at(-1).argument }, { callId: 'in-1', video: true });
  shop.phone.reject();
  assert.equal(shop.posted.at(-1).command, 'reject');
  shop.say('state', { callId: 'in-1', direction: 'in', state: 'active' });
  shop.phone.reject();
  shop.pass();
  assert.deepEqual(shop.errors(), ['unknown-call', 'unknown-call']);
  shop.phone.hold({ callId: 'in-1' });
  shop.phone.resume({ callId: 'in-1' });
  shop.phone.transfer({ callId: 'in-1', uri: 'sip:2@r', more: 1 });
  assert.deepEqual(shop.posted.slice(-3).map(({ command }) => command), ['hold', 'resume', 'transfer']);
  assert.deepEqual({ ...shop.posted.at(-1).argument }, { callId: 'in-1', uri: 'sip:2@r' });
});

test('a transfer goes to an address or to another call', () => {
  const shop = ready();
  const sent = () => shop.posted.filter(({ command }) => command === 'transfer').map(({ argument }) => ({ ...argument }));
  for (const callId of ['in-1', 'out-2']) shop.say('state', { callId, direction: 'out', state: 'active' });
  shop.phone.transfer({ callId: 'in-1', toCallId: 'out-2', more: 1 });
  shop.phone.transfer({ toCallId: 'out-2' });
  shop.phone.transfer({ callId: 'out-2', uri: 'sip:2@r', toCallId: undefined });
  const joined = { callId: 'in-1', toCallId: 'out-2' };
  assert.deepEqual(sent(), [joined, joined, { callId: 'out-2', uri: 'sip:2@r' }]);
  shop.pass();
  assert.deepEqual(shop.errors(), []);
  shop.phone.transfer({ callId: 'in-1' });
  shop.phone.transfer({ callId: 'in-1', uri: '', toCallId: '' });
  shop.phone.transfer({ callId: 'in-1', uri: 'sip:2@r', toCallId: 'out-2' });
  shop.phone.transfer({ uri: 'sip:2@r' });
  shop.phone.transfer();
  shop.pass();
  assert.deepEqual(shop.errors(), ['bad-message', 'bad-message', 'bad-message', 'unknown-call', 'unknown-call']);
  assert.equal(sent().length, 3);
});

test('devices come as a promise and to a function', async () => {
  const shop = ready();
  const promised = shop.phone.devices();
  const { request } = shop.posted.at(-1).argument;
  shop.say('devices', { request, microphones: [{ id: 'a', label: 'A' }], speakers: [] });
  assert.equal((await promised).microphones[0].id, 'a');
  let given;
  shop.phone.devices((devices) => { given = devices; });
  shop.say('devices', { request: shop.posted.at(-1).argument.request, microphones: [], speakers: [] });
  assert.deepEqual(given.speakers, []);
});

test('the frame shows itself for a tap only', () => {
  const shop = ready();
  assert.equal(shop.frame.width, 1);
  shop.say('tap-needed', { reason: 'sound' });
  assert.deepEqual([shop.frame.width, shop.frame.height], [217, 140]);
  shop.say('tap-done', {});
  assert.equal(shop.frame.width, 1);
});

test('every member of the declarations is there', () => {
  const declared = /interface WebPhone \{([\s\S]*?)\n  \}/.exec(source('rtckit.d.ts'))[1];
  const members = [...declared.matchAll(/^    (\w+)\(/gm)].map(([, name]) => name);
  const { phone } = page(modern());
  assert.ok(members.length >= 18);
  for (const name of members) assert.equal(typeof phone[name], 'function', name);
});

test('swfobject sees Flash as it is and Ruffle not at all', () => {
  const swfobject = (browser) => page(browser, { script: 'swfobject.js' }).window.swfobject;
  const flash = swfobject(old(FLASH));
  assert.deepEqual({ ...flash.getFlashPlayerVersion() }, { major: 10, minor: 1, release: 53 });
  assert.ok(flash.hasFlashPlayerVersion('9.0.115'));
  assert.ok(flash.hasFlashPlayerVersion('10.1.53'));
  assert.ok(!flash.hasFlashPlayerVersion('10.1.54'));
  assert.ok(!flash.hasFlashPlayerVersion('11'));
  for (const none of [old(RUFFLE), old(), { ...old(FLASH), RufflePlayer: {} }]) {
    assert.ok(!swfobject(none).hasFlashPlayerVersion('1'));
  }
});

test('swfobject puts the film in the place of its container, or leaves it', () => {
  const with_ = page(old(FLASH), { script: 'swfobject.js' });
  let result;
  const embed = (window) => window.swfobject.embedSWF('a.swf', 'phone', 217, 140, '10', null, { x: 1 },
    { allowscriptaccess: 'always' }, {}, (told) => { result = told; });
  const { parentNode } = with_.container;
  embed(with_.window);
  assert.ok(result.success);
  const object = parentNode.children[0];
  assert.equal(object.attributes.data, 'a.swf');
  assert.equal(object.attributes.id, 'phone');
  const params = object.children.map(({ attributes }) => `${attributes.name}=${attributes.value}`);
  assert.deepEqual(params.sort(), ['allowscriptaccess=always', 'flashvars=x=1', 'movie=a.swf']);
  const without = page(old(), { script: 'swfobject.js' });
  embed(without.window);
  assert.ok(!result.success);
  assert.equal(result.ref, undefined);
  assert.equal(without.container.parentNode.children[0], without.container);
  assert.equal(without.window.swfobject.getQueryParamValue('b'), 'two');
});

test('swfobject writes the film for Internet Explorer as text, with nothing of it as markup', () => {
  const browser = old();
  browser.ActiveXObject = function ActiveXObject() { this.GetVariable = () => 'WIN 11,2,202,233'; };
  const { window, container } = page(browser, { script: 'swfobject.js' });
  assert.ok(window.swfobject.hasFlashPlayerVersion('11.2'));
  window.swfobject.createSWF({ data: 'a.swf', width: '217' }, { flashvars: 'a="1"&b=<2>' }, 'phone');
  assert.equal(container.outerHTML, '<object classid="clsid:D27CDB6E-AE6D-11cf-96B8-444553540000" width="217" id="phone">'
    + '<param name="flashvars" value="a=&quot;1&quot;&amp;b=&lt;2>"><param name="movie" value="a.swf"></object>');
});
