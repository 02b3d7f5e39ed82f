// A shop's page in TypeScript. It is compiled by types.test.mjs and never run.
/// <reference path="../../../assets/src/api/rtckit.d.ts" />

const phone = window.RTCKit.webPhone;

phone.onConnectStateChanged = ({ connected, reconnecting }) => {
  if (connected && !reconnecting) phone.register({ registrar: 'sip.example', username: 'u', password: 'p' });
};
phone.onRegStateChanged = (info) => {
  const { registered, code, reason }: { registered: boolean; code: number; reason: string } = info;
  if (registered && code === 200) console.log(reason);
};
phone.onCallStateChanged = (info: RTCKit.CallInfo) => {
  const id: string = info.callId;
  const direction: 'out' | 'in' = info.direction;
  const words = [info.uri, info.displayName, info.reason, info.cause, direction];
  switch (info.state) {
    case 'calling': case 'ringing': case 'early': case 'held': break;
    case 'active': phone.sendDtmf({ digits: '1#', callId: id }); break;
    case 'ended': console.log(words, info.code, info.startedAt, info.video, info.cause === 'busy'); break;
    default: { const none: never = info.state; throw none; }
  }
};
phone.onIncomingCall = (info) => phone.reject({ callId: info.callId });
phone.onMicStateChanged = ({ state, message, hint, popup, micMuted }) => {
  if (state === 'refused' && popup && !micMuted) console.log(message.length + hint.length);
};
phone.onQualityChanged = ({ level, reason, message, lossUp, lossDown, roundTrip, codecs, callId }) => {
  if (level === 'poor' && reason === 'phone-loss') console.log(message, lossUp + lossDown + roundTrip, codecs, callId);
};
phone.onError = ({ code, message, hint, callId, status }) => {
  if (code === 'flash-unavailable') console.log(message, hint, callId?.length);
  if (code === 'flash-connection-lost') console.log(status?.startsWith('NetConnection.'));
};
phone.onError = null;

phone.embed({ container: 'phone' });
phone.embed({ container: document.createElement('div'), button: 'sales', backend: 'webrtc', video: false });
phone.connect();
const callId: RTCKit.CallId = phone.call({ uri: 'sip:1@sip.example', video: false, headers: { 'X-Page': 'cart' } });
phone.call();
phone.answer({ callId });
phone.answer();
phone.hangup();
phone.hangup({ callId });
phone.hold();
phone.resume({ callId });
phone.transfer({ uri: 'sip:2@sip.example' });
phone.transfer({ toCallId: callId });
phone.setMicMuted(true);
phone.setVolume(0.5);
phone.devices().then(({ microphones }) => phone.selectDevice({ kind: 'microphone', id: microphones[0]!.id }));
phone.devices(({ speakers }) => speakers.map(({ label }) => label.trim()));
phone.unregister();
phone.disconnect();

// What would be a mistake is one for the compiler too: each of these lines is told of.
// @ts-expect-error a container is needed
phone.embed({});
// @ts-expect-error a backend that there is not
phone.embed({ container: 'phone', backend: 'java' });
// @ts-expect-error an account has a password
phone.register({ registrar: 'sip.example', username: 'u' });
// @ts-expect-error digits are a string
phone.sendDtmf({ digits: 1 });
// @ts-expect-error a transfer goes somewhere
phone.transfer({});
// @ts-expect-error a transfer goes to one place
phone.transfer({ uri: 'sip:2@sip.example', toCallId: callId });
// @ts-expect-error a device has a kind
phone.selectDevice({ id: 'default' });
// @ts-expect-error a level is a number
phone.setVolume('loud');
// @ts-expect-error a state that there is not
phone.onCallStateChanged = (info) => info.state === 'talking';
// @ts-expect-error nothing of this name
phone.onCallStatusChanged = () => undefined;
// @ts-expect-error there is one phone
window.RTCKit.webPhone = phone;
