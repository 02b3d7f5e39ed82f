import { ownNetwork, ownAddress, blockUdp, allowUdp } from '/work/main/tests/browser/lib/network.mjs';
await ownNetwork(import.meta.url);
import test from 'node:test';
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
const { ShopPhone } = await import('/work/main/tests/browser/lib/phone.mjs');
const { openRegistrar } = await import('/work/main/tests/browser/lib/registrar.mjs');
const { until } = await import('/work/main/tests/browser/lib/wait.mjs');
test('address', () => { assert.equal(ownAddress(), '10.77.0.1'); });
test('udp blocked', async () => {
  const s = createSocket('udp4'); let got = 0; s.on('message', () => got++); await new Promise(r => s.bind(5555, '127.0.0.1', r));
  const c = createSocket('udp4'); const send = () => new Promise(r => c.send('x', 5555, '127.0.0.1', (e) => r(e)));
  console.log(await send()); await until('got', () => got === 1);
  blockUdp(5555); console.log(String(await send()));
  await new Promise(r => setTimeout(r, 300)); assert.equal(got, 1);
  allowUdp(); console.log(await send()); await until('got2', () => got === 2); s.close(); c.close();
});
test('phones', async () => {
  const k = await openRegistrar('libtry');
  const bob = await ShopPhone.start('libtry', { user: 'bob', proxy: k });
  await bob.registered();
  const alice = await ShopPhone.start('libtry', { user: 'alice', hertz: 440, proxy: k });
  await alice.registered();
  alice.command('dial', `sip:bob@${k.address}`);
  await bob.talks(); console.log(bob.calls);
  await until('heard', () => bob.heard(440).length > 10);
  alice.command('sndcode', '5'); await until('digit', () => bob.digits.includes('5'));
  alice.hangUp(); await until('c', () => bob.count('CALL_CLOSED')); console.log(bob.digits, bob.events.map(e => e.type + ':' + e.param).join(' '));
  await bob.heardTone(440, 1);
  
});
