// The call page of one button: what the visitor sees and presses. The work is done by phone.js.
import { Phone } from './phone.js';

const byId = (id) => document.getElementById(id);
const panel = byId('panel');
const status = byId('status');
const timer = byId('timer');
const problem = byId('problem');
const buttons = { call: byId('call'), mute: byId('mute'), keys: byId('keys'), settings: byId('settings'), hangup: byId('hangup') };
const name = decodeURIComponent(location.pathname.replace(/^\/b\//, '').replace(/\/$/, ''));
const inFrame = window.parent !== window;
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

const WORDS = {
  idle: 'Ready',
  calling: 'Calling',
  ringing: 'Ringing',
  early: 'Connecting',
  active: 'In call',
  held: 'On hold',
};

const ASKING = 'Please allow the microphone';
const ASKING_AFTER = 400;

let phone = null;
let callId = null;
let startedAt = 0;
let muted = false;
let connected = false;
// Whether the problem that is shown is one that a tap solves.
let tapAsked = false;
// Set while the browser's question stands; not for the moment that a permission already given takes.
let asking = false;
let askingTimer = 0;

function show(state, words) {
  const live = state !== 'idle' && state !== 'ended';
  panel.dataset.state = state;
  status.textContent = words || (live && asking && ASKING) || WORDS[state] || state;
  buttons.call.hidden = live;
  byId('call-text').textContent = state === 'ended' ? 'Call again' : 'Call';
  buttons.hangup.hidden = !live;
  for (const tool of ['mute', 'keys', 'settings']) buttons[tool].hidden = !live;
  byId('meter').hidden = !live;
  if (!live) {
    sheet('keypad', false);
    sheet('options', false);
    byId('light').hidden = true;
    if (state === 'idle') timer.hidden = true;
  }
}

function complain(message, hint, popup = false) {
  byId('problem-message').textContent = message;
  byId('problem-hint').textContent = hint || '';
  byId('popup').hidden = !popup;
  problem.hidden = false;
}

function calm() {
  problem.hidden = true;
  tapAsked = false;
}

function sheet(id, open) {
  byId(id).hidden = !open;
  buttons[id === 'keypad' ? 'keys' : 'settings'].setAttribute('aria-expanded', String(open));
}

/** Closes a sheet from the keyboard: the focus goes back to the button that opened it. */
function leaveSheet(id) {
  sheet(id, false);
  buttons[id === 'keypad' ? 'keys' : 'settings'].focus();
}

function openPopup() {
  const url = new URL(location.pathname, location.origin);
  return window.open(url, `click2call-${name}`, 'popup,width=360,height=560');
}

function call() {
  calm();
  // Known before the browser is asked, so that the window opens within the same click.
  if (Phone.microphoneTrouble()?.popup && openPopup()) {
    show('ended', 'The call goes on in the new window');
    return;
  }
  muted = false;
  buttons.mute.setAttribute('aria-pressed', 'false');
  timer.hidden = true;
  timer.textContent = '0:00';
  callId = phone.call({});
  show('calling');
  buttons.hangup.focus();
}

function hangup() {
  if (callId !== null) phone.hangup({ callId });
}

function digit(key) {
  if (callId !== null && panel.dataset.state !== 'idle') phone.sendDtmf({ callId, digits: key });
}

function toggleMute() {
  muted = !muted;
  phone.setMicMuted(muted);
  buttons.mute.setAttribute('aria-pressed', String(muted));
  byId('meter').dataset.muted = String(muted);
}

async function fillDevices() {
  const devices = await phone.devices();
  const fill = (select, list, fallback) => {
    const chosen = select.value;
    select.replaceChildren(...list.map((device, index) => {
      const label = device.label || `${fallback} ${index + 1}`;
      return new Option(label, device.id, false, device.id === chosen);
    }));
    select.disabled = list.length === 0;
  };
  fill(byId('microphone'), devices.microphones, 'Microphone');
  fill(byId('speaker'), devices.speakers, 'Loudspeaker');
  byId('speaker-field').hidden = devices.speakers.length === 0;
}

function onState({ detail }) {
  if (detail.callId !== callId) return;
  if (detail.state === 'active' && !startedAt) {
    startedAt = Date.now();
    timer.hidden = false;
  }
  if (detail.state === 'ended') {
    show('ended', detail.reason || 'Call ended');
    callId = null;
    startedAt = 0;
    buttons.call.focus();
  } else {
    show(detail.state);
  }
}

function onMicrophone({ detail }) {
  clearTimeout(askingTimer);
  if (detail.state === 'asking') {
    askingTimer = setTimeout(() => {
      asking = true;
      if (callId !== null) show(panel.dataset.state);
    }, ASKING_AFTER);
    return;
  }
  if (asking) {
    asking = false;
    if (callId !== null) show(panel.dataset.state);
  }
  if (detail.state === 'live') {
    if (!tapAsked) calm();
    fillDevices();
  } else if (callId === null || !['muted', 'ended'].includes(detail.state)) {
    // What the device took in a call may come back by itself; 'tap-needed' says when it does not.
    complain(detail.message, detail.hint, detail.popup && inFrame);
  }
}

function onQuality({ detail }) {
  const light = byId('light');
  light.hidden = false;
  light.dataset.level = detail.level;
  light.textContent = detail.level === 'good' ? 'Good line' : detail.message;
  light.title = detail.message;
}

let drawnAt = 0;
function draw(now) {
  requestAnimationFrame(draw);
  if (reducedMotion.matches && now - drawnAt < 500) return;
  drawnAt = now;
  if (phone && callId !== null) {
    byId('meter').style.setProperty('--level', phone.levels().microphone.toFixed(2));
  }
  if (startedAt) {
    const seconds = Math.floor((Date.now() - startedAt) / 1000);
    const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    if (timer.textContent !== text) timer.textContent = text;
  }
}

buttons.call.addEventListener('click', call);
// A hand on its way to the button.
for (const sign of ['pointerover', 'focusin', 'touchstart']) {
  document.addEventListener(sign, () => { if (callId === null) phone?.prepare(); }, { passive: true });
}
buttons.hangup.addEventListener('click', hangup);
buttons.mute.addEventListener('click', toggleMute);
buttons.keys.addEventListener('click', () => {
  sheet('options', false);
  sheet('keypad', byId('keypad').hidden);
});
buttons.settings.addEventListener('click', () => {
  sheet('keypad', false);
  sheet('options', byId('options').hidden);
});
byId('keypad').addEventListener('click', (event) => {
  const key = event.target.closest('button')?.dataset.digit;
  if (key) digit(key);
});
byId('popup').addEventListener('click', () => {
  if (!openPopup()) return;
  calm();
  show('ended', 'The call goes on in the new window');
});
byId('volume').addEventListener('input', (event) => phone.setVolume(event.target.value / 100));
byId('microphone').addEventListener('change', (event) => phone.selectDevice({ kind: 'microphone', id: event.target.value }));
byId('speaker').addEventListener('change', (event) => phone.selectDevice({ kind: 'speaker', id: event.target.value }));
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || callId === null) return;
  if (event.key === 'Escape') {
    if (!byId('keypad').hidden) leaveSheet('keypad');
    else if (!byId('options').hidden) leaveSheet('options');
    else hangup();
    return;
  }
  if (event.target.matches('input, select')) return;
  if (/^[0-9*#]$/.test(event.key)) {
    digit(event.key);
  } else if (event.key === 'm' || event.key === 'M') {
    toggleMute();
  }
});

async function start() {
  document.title = `Call ${name}`;
  const page = inFrame ? document.referrer || null : null;
  phone = await Phone.create({ button: name, page });
  phone.addEventListener('state', onState);
  phone.addEventListener('microphone', onMicrophone);
  phone.addEventListener('quality', onQuality);
  phone.addEventListener('error', ({ detail }) => complain(detail.message, detail.hint));
  phone.addEventListener('tap-needed', ({ detail }) => {
    complain(detail.message, detail.hint);
    tapAsked = true;
  });
  phone.addEventListener('tap-done', () => { if (tapAsked) calm(); });
  // Any tap will do, wherever it lands, and before what it does there.
  document.addEventListener('click', () => { if (tapAsked) phone.unlock(); }, true);
  phone.addEventListener('connection', ({ detail }) => {
    connected = detail.connected;
    buttons.call.disabled = !connected;
    if (callId !== null) {
      if (!connected) status.textContent = 'Reconnecting, the call goes on';
      else show(panel.dataset.state);
    } else if (panel.dataset.state === 'idle') {
      show('idle', connected ? 'Ready' : 'Connecting to the shop');
    }
  });
  phone.connect();
  requestAnimationFrame(draw);
}

// Back from the browser's cache: the call of then is over.
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted || !phone) return;
  calm();
  show('idle', connected ? 'Ready' : 'Connecting to the shop');
});
navigator.mediaDevices?.addEventListener?.('devicechange', () => { if (callId !== null) fillDevices(); });

start().catch((error) => {
  show('idle', 'This button does not work here');
  complain('The call page could not start', String(error && error.message || error));
});
