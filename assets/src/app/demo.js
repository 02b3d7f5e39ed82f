// The test bench: every member of RTCKit.webPhone by hand, and everything it says.
import { Calls, WORDS, nameOf } from './calls.js';

const byId = (id) => document.getElementById(id);
const webPhone = window.RTCKit.webPhone;
let embedded = false;
let muted = false;

const calls = new Calls({ list: byId('calls'), template: byId('call-template'), phone: webPhone });

function said(id, words, on) {
  byId(id).textContent = words.trim();
  byId(id).classList.toggle('on', Boolean(on));
}

function note(what, info) {
  const at = new Date().toISOString().slice(11, 23);
  byId('log').textContent = `${at} ${what} ${JSON.stringify(info)}\n${byId('log').textContent}`.slice(0, 20000);
}

webPhone.onConnectStateChanged = (info) => {
  note('onConnectStateChanged', info);
  said('connection', info.connected ? 'Connected' : 'Not connected', info.connected);
};
webPhone.onRegStateChanged = (info) => {
  note('onRegStateChanged', info);
  said('registration', info.registered ? 'Registered' : `Not registered ${info.reason || ''}`, info.registered);
};
webPhone.onCallStateChanged = (info) => {
  note('onCallStateChanged', info);
  const words = info.reason ? `: ${info.reason}` : '';
  said('state', `${nameOf(info)}: ${WORDS[info.state]}${words}${info.code ? ` (${info.code})` : ''}`, info.state !== 'ended');
  byId('ringing').textContent = '';
  calls.show(info);
};
webPhone.onMicStateChanged = (info) => note('onMicStateChanged', info);
webPhone.onIncomingCall = (info) => {
  note('onIncomingCall', info);
  byId('ringing').textContent = `${nameOf(info)} calls. Answer or Reject.`;
  calls.show(info);
};
webPhone.onQualityChanged = (info) => calls.quality(info);
webPhone.onError = (info) => {
  note('onError', info);
  said('state', info.hint ? `${info.message}. ${info.hint}.` : `${info.message}.`, false);
};

function chosen() {
  byId('register').hidden = byId('button').value !== '';
}

byId('button').addEventListener('change', chosen);
byId('connect').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!embedded) {
    const button = byId('button').value;
    webPhone.embed(button ? { container: 'phone', button } : { container: 'phone' });
    byId('button').disabled = true;
    embedded = true;
  }
  webPhone.connect();
});
byId('register').addEventListener('submit', (event) => {
  event.preventDefault();
  webPhone.register({ registrar: byId('registrar').value, username: byId('username').value, password: byId('password').value });
});
byId('unregister').addEventListener('click', () => webPhone.unregister());
byId('dial').addEventListener('submit', (event) => {
  event.preventDefault();
  const uri = byId('uri').value;
  webPhone.call(uri ? { uri } : {});
});
byId('mute').addEventListener('click', () => {
  muted = !muted;
  webPhone.setMicMuted(muted);
  byId('mute').setAttribute('aria-pressed', String(muted));
});
byId('volume').addEventListener('input', (event) => webPhone.setVolume(event.target.value / 100));

const answer = await fetch('/site.json');
if (answer.ok) {
  const site = await answer.json();
  for (const button of site.buttons) byId('button').append(new Option(`Button ${button.name}`, button.name));
  byId('registrars').append(...site.registrars.map((registrar) => new Option(registrar, registrar)));
  if (!site.webphone) {
    // Nothing may register from a page here, so the choice would only lead to a refusal.
    byId('button').options[0].disabled = true;
    byId('button').options[0].textContent += ' (needs [webphone] in the file)';
    if (site.buttons.length) byId('button').value = site.buttons[0].name;
    chosen();
  }
}
