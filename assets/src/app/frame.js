// The frame that the JavaScript API (/api/rtckit.js) puts into a page: a phone that the page drives
// by messages. Who may embed it is the server's decision (frame-ancestors); here the first page
// that speaks is the only one that is listened to.

import { WebPhone } from './webphone.js';

const MARK = 'rtckit-1';
const tap = document.getElementById('tap');

/** `/b/NAME` is a configured button, anything else page-supplied accounts. */
function buttonName(path) {
  const found = /^\/b\/([^/]+)$/.exec(path);
  return found ? decodeURIComponent(found[1]) : null;
}

/** The embedding page's origin as the browser vouches for it, or null where it says nothing. */
function embedder() {
  const above = location.ancestorOrigins?.[0];
  if (above) return above;
  try {
    return document.referrer ? new URL(document.referrer).origin : null;
  } catch {
    return null;
  }
}

let origin = null;
let phone = null;

const say = (type, detail) => parent.postMessage({ mark: MARK, type, detail }, origin);

// What a page may ask for, by name; nothing else is reachable.
const COMMANDS = {
  connect: () => phone.connect(),
  disconnect: () => phone.disconnect(),
  register: (account) => phone.register(account),
  unregister: () => phone.unregister(),
  call: (plan) => phone.call(plan),
  answer: (which) => phone.answer(which),
  reject: (which) => phone.reject(which),
  hangup: (which) => phone.hangup(which),
  hold: (which) => phone.hold(which),
  resume: (which) => phone.resume(which),
  transfer: (plan) => phone.transfer(plan),
  sendDtmf: (keys) => phone.sendDtmf(keys),
  setMicMuted: ({ muted }) => phone.setMicMuted(muted),
  setVolume: ({ level }) => phone.setVolume(level),
  selectDevice: (device) => phone.selectDevice(device),
  devices: async ({ request }) => say('devices', { request, ...await phone.devices() }),
};

async function start() {
  // A referrer is cut to the origin by most pages; both forms name the page.
  const referrer = document.referrer.startsWith(`${origin}/`) ? document.referrer : origin;
  phone = await WebPhone.create({ button: buttonName(location.pathname), page: referrer });
  for (const type of ['connection', 'registration', 'incoming', 'state', 'microphone', 'quality', 'error']) {
    phone.addEventListener(type, ({ detail }) => say(type, detail));
  }
  phone.addEventListener('tap-needed', ({ detail }) => {
    tap.hidden = false;
    say('tap-needed', detail);
  });
  phone.addEventListener('tap-done', () => {
    tap.hidden = true;
    say('tap-done', {});
  });
  tap.addEventListener('click', () => phone.unlock());
  say('ready', {});
}

addEventListener('message', (event) => {
  if (event.source !== parent || event.data?.mark !== MARK) return;
  if (origin === null) {
    const vouched = embedder();
    // Pages without an origin of their own (files, sandboxes) cannot be answered safely.
    if (event.origin === 'null' || (vouched !== null && vouched !== event.origin)) return;
    origin = event.origin;
    start().catch((error) => {
      console.error(error);
      say('error', { code: 'internal', message: 'The phone could not be loaded', hint: 'Load the page again' });
    });
    return;
  }
  if (event.origin !== origin || !phone) return;
  const { command, argument } = event.data;
  if (!Object.hasOwn(COMMANDS, command)) return;
  // A page's mistake in one command must not end the phone.
  try {
    Promise.resolve(COMMANDS[command](argument ?? {})).catch((error) => failed(command, error));
  } catch (error) {
    failed(command, error);
  }
});

function failed(command, error) {
  console.error(error);
  say('error', { code: 'bad-message', message: `${command} could not be done`, hint: 'Check its argument' });
}

// Not yet known whose page it is, and nothing in it is private.
if (parent !== window) parent.postMessage({ mark: MARK, type: 'loaded' }, '*');
