// The page's phone: calls, their media, the microphone, and the link that carries what is said
// about them. It shows nothing; pages listen to its events and draw.
//
//   const phone = await Phone.create({ button: 'sales', page: document.referrer });
//   phone.addEventListener('state', ({ detail }) => ...);
//   phone.connect();
//   button.onclick = () => phone.call({});
//
// Events and their details: 'connection', 'registration', 'state' (callInfo), 'microphone'
// (micInfo), 'quality' (qualityInfo), 'error', 'digit', 'tap-needed'.

import { CallMedia } from './media.js';
import { explain, microphoneInfo, microphoneTrouble, openMicrophone } from './microphone.js';
import { Signalling, load } from './signalling.js';
import { Sound } from './sound.js';

// A device may pause a track for a moment; a person is asked only when it lasts.
const MUTED_FOR = 1_500;
// How long the server's word on a refused call is waited for before it is ended here.
const REFUSED_FOR = 2_000;

const QUALITY_WORDS = {
  'none': 'The connection is good',
  'visitor-loss-up': 'Your network loses part of what you say',
  'visitor-loss-down': 'Your network loses part of what you hear',
  'visitor-delay': 'Your network is slow',
  'phone-loss': "The other side's line loses sound",
  'phone-silent': 'Nothing is heard from the other side',
  'visitor-silent': 'Nothing is heard from your microphone',
};

/** Whether this browser can place calls at all. */
export const isSupported = () => typeof RTCPeerConnection === 'function'
  && typeof RTCPeerConnection.prototype.addTransceiver === 'function'
  && typeof WebSocket === 'function' && typeof WebAssembly === 'object';

export class Phone extends EventTarget {
  #link;
  #sound;
  #calls = new Map(); // callId -> { info, number, media, meter, over }
  #next = 1;
  #connection = { connected: false, reconnecting: false, resumed: false };
  #wanted = false;
  #micTrack = null;
  #micOpening = null;
  #micMeter = null;
  #micMuted = false;
  #devices = { microphone: null, speaker: null };
  #volume = 1;
  #lastError = null;

  /**
   * Loads what is needed. `button` is a configured button's name, or null for accounts that the
   * page supplies; `page` is the embedding page's address, or null. Rejects where the browser cannot
   * run it or the download failed.
   */
  static async create({ button = null, page = null } = {}) {
    await load();
    return new Phone({ button, page });
  }

  /**
   * What is known to stand between this page and the microphone, a micInfo, or null. Without an await,
   * so that a click handler can open a window instead (`popup`).
   */
  static microphoneTrouble() {
    return microphoneTrouble();
  }

  constructor({ button, page }) {
    super();
    this.#link = new Signalling({ button, page, onAction: (action) => this.#take(action) });
    this.#sound = new Sound(() => this.#emit('tap-needed', { reason: 'interrupted' }));
    addEventListener('pagehide', () => {
      const wanted = this.#wanted;
      this.disconnect({ pageClosed: true });
      // Kept for pageshow: the page may come back from the browser's cache as it was.
      this.#wanted = wanted;
    });
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted && this.#wanted) this.connect();
    });
    addEventListener('online', () => this.#networkChanged());
    // This event also fires for mere estimates of speed; only another kind of network counts.
    const network = navigator.connection;
    let kind = network?.type;
    network?.addEventListener?.('change', () => {
      if (network.type !== kind && network.type !== 'none') this.#networkChanged();
      kind = network.type;
    });
  }

  /** Whether the server is there right now. */
  get connected() {
    return this.#connection.connected;
  }

  /** Living calls: callId to callInfo. */
  get calls() {
    return new Map([...this.#calls].map(([callId, { info }]) => [callId, { ...info }]));
  }

  connect() {
    this.#wanted = true;
    this.#link.run('connect');
  }

  disconnect({ pageClosed = false } = {}) {
    this.#wanted = false;
    this.#link.run('disconnect', pageClosed);
    for (const call of [...this.#calls.values()]) this.#end(call, 'visitor-hung-up', 'Call ended');
  }

  register({ registrar, username, password }) {
    this.#link.run('register', String(registrar ?? ''), String(username ?? ''), String(password ?? ''));
  }

  unregister() {
    this.#link.run('unregister');
  }

  /**
   * Starts a call and returns its callId at once. To be called in a click handler: sound is unlocked
   * before anything is waited for. `callId` may be chosen by the caller.
   */
  call({ uri, video = false, headers, callId } = {}) {
    callId = callId ? String(callId) : `call-${this.#next++}`;
    const info = {
      callId, direction: 'out', state: 'calling', uri: uri ? String(uri) : '', displayName: '', video: Boolean(video),
      code: 0, reason: '', cause: '', startedAt: 0,
    };
    const call = { info, number: 0, media: null, meter: null, over: false };
    if (this.#calls.has(callId)) {
      this.#error('bad-message', 'There is a call with this callId already', 'Leave the callId out');
      return callId;
    }
    this.#calls.set(callId, call);
    // Events come when the caller knows the callId: after this click handler, within its click.
    const first = { ...info };
    queueMicrotask(() => { if (!call.over) this.#emit('state', first); });

    if (!isSupported()) {
      return this.#fail(call, 'no-media', 'unsupported-browser', 'This browser cannot place calls', 'Use a current browser');
    }
    const trouble = microphoneTrouble();
    if (trouble) {
      // The phone would ring for somebody who cannot speak.
      queueMicrotask(() => {
        this.#microphone(trouble);
        this.#end(call, 'no-microphone', trouble.message);
      });
      return callId;
    }
    try {
      // Without this iOS plays calls like music, silenced by the ring switch.
      if (navigator.audioSession) navigator.audioSession.type = 'play-and-record';
      this.#sound.unlock();
      call.media = new CallMedia({ volume: this.#volume, speaker: this.#devices.speaker, on: this.#mediaOf(call) });
    } catch (error) {
      console.error(error);
      return this.#fail(call, 'no-media', 'internal', 'The browser could not start a call', 'Load the page again');
    }
    this.connect();
    this.#place(call, headers);
    this.#speak(call);
    return callId;
  }

  /** Ends a call; callId may be left out where there is one. */
  hangup({ callId } = {}) {
    const call = this.#find(callId);
    if (call) this.#hangup(call, 'visitor', call.info.startedAt ? 'visitor-hung-up' : 'cancelled', 'Call ended');
  }

  /** Sends keypad digits and sounds them here. */
  sendDtmf({ digits, callId } = {}) {
    const call = this.#find(callId);
    if (!call?.number) return;
    digits = String(digits ?? '');
    this.#link.run('dtmf', call.number, digits);
    this.#sound.key(digits);
  }

  setMicMuted(muted) {
    this.#micMuted = Boolean(muted);
    if (this.#micTrack) {
      this.#micTrack.enabled = !this.#micMuted;
      this.#microphone(microphoneInfo('live'));
    }
  }

  /** 0 to 1. iOS leaves the volume to its buttons. */
  setVolume(volume) {
    this.#volume = Math.min(1, Math.max(0, Number(volume) || 0));
    this.#sound.volume = this.#volume;
    for (const { media } of this.#calls.values()) if (media) media.volume = this.#volume;
  }

  async devices() {
    const all = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []) ?? [];
    const list = (kind, word) => all.filter((device) => device.kind === kind && device.deviceId)
      .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `${word} ${index + 1}` }));
    return { microphones: list('audioinput', 'Microphone'), speakers: list('audiooutput', 'Speaker') };
  }

  /** `kind` is 'microphone' or 'speaker'. */
  async selectDevice({ kind, id }) {
    this.#devices[kind] = id;
    if (kind === 'speaker') {
      this.#sound.useSpeaker(id);
      await Promise.all([...this.#calls.values()].map(({ media }) => media?.useSpeaker(id)));
    } else if (this.#micTrack) {
      await this.#reopenMicrophone();
    }
  }

  /** Both levels, 0 to 1. Cheap enough for every animation frame. */
  levels() {
    let speaker = 0;
    for (const { media, meter } of this.#calls.values()) {
      speaker = Math.max(speaker, meter?.read() ?? media?.remoteLevel ?? 0);
    }
    return { microphone: this.#micMeter?.read() ?? 0, speaker };
  }

  /** After 'tap-needed', in a click handler: everything that the device stopped goes on. */
  unlock() {
    this.#sound.unlock();
    for (const { media } of this.#calls.values()) media?.play();
    const track = this.#micTrack;
    if (this.#calls.size && track && (track.readyState === 'ended' || track.muted)) this.#reopenMicrophone();
  }

  // --- a call --------------------------------------------------------------------------------

  async #place(call, headers) {
    try {
      const offer = await call.media.offer();
      if (call.over) return;
      const pairs = Object.entries(headers ?? {}).flat().map(String);
      this.#lastError = null;
      const { uri, video } = call.info;
      call.number = this.#link.run('call', uri || undefined, video, pairs, offer) ?? 0;
      if (!call.number) this.#end(call, 'internal', this.#lastError?.message ?? 'The call could not be placed');
    } catch (error) {
      console.error(error);
      this.#hangup(call, 'no-media', 'no-media', 'The browser could not start a call');
    }
  }

  async #speak(call) {
    try {
      const track = await this.#openMicrophone();
      await call.media.send(track);
    } catch (info) {
      if (call.over) return;
      const reason = info?.message ?? 'No microphone';
      this.#hangup(call, 'no-microphone', 'no-microphone', reason);
    }
  }

  #mediaOf(call) {
    return {
      connected: () => {
        call.meter ??= this.#sound.listen(call.media.remoteTrack);
      },
      noMedia: () => this.#hangup(call, 'no-media', 'no-media', 'Your network lets no sound through'),
      offer: (sdp) => this.#link.run('restart', call.number, sdp),
      blocked: () => this.#emit('tap-needed', { reason: 'sound' }),
      report: ({ loss, jitter, roundTrip, concealed }) =>
        this.#link.run('quality', call.number, loss, jitter, roundTrip, concealed),
    };
  }

  #hangup(call, reason, cause, words) {
    if (call.over) return;
    // The link answers with the end of the call, which comes in at #take. The words here are
    // better where they say which microphone trouble it was.
    if (call.number && reason === 'visitor') this.#link.run('hangup', call.number, reason);
    else if (call.number) {
      const { number } = call;
      this.#end(call, cause, words);
      this.#link.run('hangup', number, reason);
    }
    this.#end(call, cause, words);
  }

  /** Ends a call that never began. */
  #fail(call, cause, code, message, hint) {
    const { callId } = call.info;
    queueMicrotask(() => {
      this.#error(code, message, hint, callId);
      this.#end(call, cause, message);
    });
    return callId;
  }

  /** Ends a call here: once. */
  #end(call, cause, reason, code = 0) {
    if (call.over) return;
    call.over = true;
    call.meter?.close();
    call.media?.close();
    this.#calls.delete(call.info.callId);
    Object.assign(call.info, { state: 'ended', cause, reason, code });
    this.#ring();
    if (!this.#calls.size) {
      this.#closeMicrophone();
      this.#sound.rest();
      if (navigator.audioSession) navigator.audioSession.type = 'auto';
    }
    this.#emit('state', { ...call.info });
  }

  #find(callId) {
    return callId ? this.#calls.get(String(callId)) : [...this.#calls.values()].at(-1);
  }

  #byNumber(number) {
    return [...this.#calls.values()].find((call) => number && call.number === number);
  }

  /** Ringback sounds while something rings and nothing else is heard. */
  #ring() {
    const states = [...this.#calls.values()].map(({ info }) => info.state);
    const rings = states.includes('ringing') && !states.some((state) => state === 'active' || state === 'early');
    if (rings) this.#sound.startRingback();
    else this.#sound.stopRingback();
  }

  // --- what the link says ----------------------------------------------------------------------

  #take(action) {
    const call = this.#byNumber(action.call);
    switch (action.type) {
      case 'connection': {
        const { connected, reconnecting, resumed } = action;
        this.#connection = { connected, reconnecting, resumed };
        this.#emit('connection', { ...this.#connection });
        break;
      }
      case 'registration': {
        const { registered, code, reason } = action;
        this.#emit('registration', { registered, code, reason });
        break;
      }
      case 'answer':
        call?.media.answer(action.sdp).catch((error) => {
          console.error(error);
          this.#hangup(call, 'no-media', 'no-media', 'The browser did not understand the answer');
        });
        break;
      case 'state': if (call) this.#stateChanged(call, action); break;
      case 'quality':
        if (call) {
          const { level, reason, lossUp, lossDown, roundTrip, codecs } = action;
          const { callId } = call.info;
          const message = QUALITY_WORDS[reason] ?? '';
          this.#emit('quality', { callId, level, reason, message, lossUp, lossDown, roundTrip, codecs });
        }
        break;
      case 'digit': if (call) this.#emit('digit', { callId: call.info.callId, digit: action.digit }); break;
      case 'error': {
        this.#lastError = action;
        this.#error(action.code, action.message, action.hint, call?.info.callId);
        if (!call) break;
        call.media?.refused();
        // Usually the server ends a call that it refused; a page must not wait for that for ever.
        if (call.info.state === 'calling' && action.code !== 'bad-message') {
          setTimeout(() => {
            if (call.info.state === 'calling') this.#hangup(call, 'no-media', 'internal', action.message);
          }, REFUSED_FOR);
        }
        break;
      }
      case 'broken':
        this.#error('internal', 'Something went wrong in this page', 'Load the page again');
        for (const living of [...this.#calls.values()]) this.#end(living, 'internal', 'Something went wrong in this page');
        break;
      default: // Of a newer server; nothing that this page could show.
    }
  }

  #stateChanged(call, { state, cause, code, reason, uri, displayName, video }) {
    if (state === 'ended') return this.#end(call, cause ?? 'internal', reason, code);
    const { info } = call;
    Object.assign(info, { state, code, reason, video, displayName });
    // A shop's address is secret to its visitors; then what the page itself asked for stays.
    if (uri) info.uri = uri;
    if (state === 'active' && !info.startedAt) info.startedAt = Date.now();
    this.#ring();
    this.#emit('state', { ...info });
    return undefined;
  }

  #networkChanged() {
    this.#link.run('network_changed');
    for (const { media } of this.#calls.values()) media?.restart();
  }

  // --- the microphone ----------------------------------------------------------------------

  /** The one track that all calls share. Rejects with a micInfo that was already told. */
  #openMicrophone() {
    if (this.#micTrack?.readyState === 'live') return Promise.resolve(this.#micTrack);
    this.#micOpening ??= this.#askForMicrophone().finally(() => { this.#micOpening = null; });
    return this.#micOpening;
  }

  async #askForMicrophone() {
    this.#microphone(microphoneInfo('asking'));
    const asked = performance.now();
    let track;
    try {
      track = await openMicrophone(this.#devices.microphone);
    } catch (error) {
      const info = await explain(error, performance.now() - asked);
      this.#microphone(info);
      throw info;
    }
    if (!this.#calls.size) {
      // Allowed only after everybody hung up: the light must not stay on.
      track.stop();
      throw microphoneInfo('ended');
    }
    this.#useMicrophone(track);
    return track;
  }

  #useMicrophone(track) {
    this.#closeMicrophone();
    this.#micTrack = track;
    track.enabled = !this.#micMuted;
    this.#micMeter = this.#sound.listen(track);
    const mine = () => this.#micTrack === track;
    track.onended = () => { if (mine()) this.#microphoneEnded(); };
    track.onunmute = () => { if (mine()) this.#microphone(microphoneInfo('live')); };
    track.onmute = () => {
      if (!mine()) return;
      this.#microphone(microphoneInfo('muted'));
      setTimeout(() => {
        if (mine() && track.muted) this.#emit('tap-needed', { reason: 'microphone' });
      }, MUTED_FOR);
    };
    this.#microphone(microphoneInfo('live'));
  }

  /** Unplugged, or taken by the system: another one may do; if not, a tap is asked for. */
  async #microphoneEnded() {
    this.#microphone(microphoneInfo('ended'));
    if (!await this.#reopenMicrophone()) this.#emit('tap-needed', { reason: 'microphone' });
  }

  async #reopenMicrophone() {
    try {
      const track = await openMicrophone(this.#devices.microphone);
      if (!this.#calls.size) {
        track.stop();
        return true;
      }
      this.#useMicrophone(track);
      await Promise.all([...this.#calls.values()].map(({ media }) => media?.send(track)));
      return true;
    } catch (error) {
      // A call goes on without a voice: the visitor still hears, and may plug something in.
      this.#microphone(this.#micTrack?.readyState === 'live' ? microphoneInfo('live') : await explain(error, Infinity));
      return false;
    }
  }

  #closeMicrophone() {
    this.#micMeter?.close();
    this.#micMeter = null;
    this.#micTrack?.stop();
    this.#micTrack = null;
  }

  // --- telling ---------------------------------------------------------------------------------

  #microphone(info) {
    this.#emit('microphone', { ...info, micMuted: this.#micMuted });
  }

  #error(code, message, hint, callId) {
    this.#emit('error', { code, message, hint, ...(callId ? { callId } : {}) });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
