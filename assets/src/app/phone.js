// The page's phone: calls, their media, the microphone, and the link that carries what is said
// about them. It shows nothing; pages listen to its events and draw. What only the JavaScript API
// asks for, and no call page, is in webphone.js.
//
//   const phone = await Phone.create({ button: 'sales', page: document.referrer });
//   phone.addEventListener('state', ({ detail }) => ...);
//   phone.connect();
//   button.onclick = () => phone.call({});
//
// Events and their details: 'connection', 'registration', 'state' (callInfo), 'microphone' (micInfo),
// 'quality' (qualityInfo), 'error', 'digit', 'tap-needed' (reason, message, hint) when the device
// took something that only a tap gives back, then 'tap-done'.

import { CallMedia, Prepared } from './media.js';
import { Microphone } from './microphone.js';
import { qualityInfo } from './quality.js';
import { microphoneTrouble } from './trouble.js';
import { Signalling, load } from './signalling.js';
import { Sound } from './sound.js';

// How long the server's word on a refused call is waited for before it is ended here.
const REFUSED_FOR = 2_000;

const TAP_WORDS = ['The browser has paused the sound', 'Tap here to go on.'];

/** Whether this browser can place calls at all. */
export const isSupported = () => typeof RTCPeerConnection === 'function'
  && typeof RTCPeerConnection.prototype.addTransceiver === 'function'
  && typeof WebSocket === 'function' && typeof WebAssembly === 'object';

/** Whether a call has come in and waits for the visitor. */
export const ringsHere = ({ info, media }) => info.direction === 'in' && info.state === 'ringing' && !media;

export class Phone extends EventTarget {
  #link;
  #sound;
  #calls = new Map(); // callId -> { info, number, media, meter, over }; one that rings here has no media yet
  #next = 1;
  #connection = { connected: false, reconnecting: false, resumed: false };
  #wanted = false;
  #microphone;
  #speaker = null;
  #volume = 1;
  #lastError = null;
  #prepared = null;
  // What waits for a tap: 'sound', 'tones', 'microphone'.
  #taps = new Set();

  /**
   * Loads what is needed. `button` is a configured button's name, or null for accounts that the
   * page supplies; `page` is the embedding page's address, or null. Rejects where the browser cannot
   * run it or the download failed.
   */
  static async create({ button = null, page = null } = {}) {
    await load();
    return new this({ button, page });
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
    this.#link = new Signalling({ button, page, onAction: (action) => this.#hear(action) });
    this.#sound = new Sound({
      stopped: () => this.#tapNeeded('tones'),
      running: () => this.#tapDone('tones'),
    });
    this.#microphone = new Microphone({
      sound: this.#sound,
      isWanted: () => this.#speaking().length > 0,
      on: {
        info: (info) => this.#emit('microphone', info),
        track: (track) => Promise.all(this.#speaking().map(({ media }) => media.send(track))),
        tapNeeded: ({ message, hint }) => this.#tapNeeded('microphone', message, hint),
        tapDone: () => this.#tapDone('microphone'),
      },
    });
    addEventListener('pagehide', () => {
      const wanted = this.#wanted;
      this.disconnect({ pageClosed: true });
      this.#prepared?.close();
      this.#prepared = null;
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

  /** A call is likely soon: makes its offer. Nothing leaves the machine, nobody is asked. */
  prepare() {
    if (this.#prepared || !isSupported()) return;
    try {
      this.#prepared = new Prepared();
    } catch { /* the call itself will say so */ }
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
        this.#microphone.tell(trouble);
        this.#end(call, 'no-microphone', trouble.message);
      });
      return callId;
    }
    try {
      this.#open(call);
      this.connect();
      this.#place(call, headers);
      // Still in the click, but last: a browser's first context takes 50 ms.
      this.#sound.unlock();
    } catch (error) {
      console.error(error);
      return this.#fail(call, 'no-media', 'internal', 'The browser could not start a call', 'Load the page again');
    }
    queueMicrotask(() => { if (!call.over) this.#speak(call); });
    return callId;
  }

  /** Ends a call; callId may be left out where there is one. */
  hangup({ callId } = {}) {
    const call = this.#find(callId);
    if (!call) return;
    if (call.info.startedAt) this.#hangup(call, 'visitor', 'visitor-hung-up', 'Call ended');
    else if (call.info.direction === 'in') this.#hangup(call, 'rejected', 'declined', 'The call was declined');
    else this.#hangup(call, 'visitor', 'cancelled', 'Call cancelled');
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
    this.#microphone.setMuted(Boolean(muted));
  }

  /** 0 to 1. iOS leaves the volume to its buttons. */
  setVolume(volume) {
    this.#volume = Math.min(1, Math.max(0, Number(volume) || 0));
    this.#sound.volume = this.#volume;
    for (const { media } of this.#speaking()) media.volume = this.#volume;
  }

  async devices() {
    const all = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []) ?? [];
    const list = (kind, word) => all.filter((device) => device.kind === kind && device.deviceId)
      .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `${word} ${index + 1}` }));
    return { microphones: list('audioinput', 'Microphone'), speakers: list('audiooutput', 'Speaker') };
  }

  /** `kind` is 'microphone' or 'speaker'. */
  async selectDevice({ kind, id }) {
    if (kind === 'microphone') {
      await this.#microphone.use(id);
    } else if (kind === 'speaker') {
      this.#speaker = id;
      this.#sound.useSpeaker(id);
      await Promise.all(this.#speaking().map(({ media }) => media.useSpeaker(id)));
    }
  }

  /** Both levels, 0 to 1. Cheap enough for every animation frame. */
  levels() {
    let speaker = 0;
    for (const { media, meter } of this.#calls.values()) {
      speaker = Math.max(speaker, meter?.read() ?? media?.remoteLevel ?? 0);
    }
    return { microphone: this.#microphone.level, speaker };
  }

  /** After 'tap-needed', in a click handler: everything that the device stopped goes on. */
  unlock() {
    if (!this.#speaking().length) return;
    // What does not come back asks again.
    for (const reason of [...this.#taps]) this.#tapDone(reason);
    this.#sound.unlock();
    for (const { media } of this.#speaking()) media.play();
    this.#microphone.recover();
  }

  /** A call comes in, which happens to accounts only. */
  comesIn() {}

  /** What WebPhone works with; nothing of it is for pages. */
  static inside(phone) {
    return {
      calls: phone.#calls, link: phone.#link, sound: phone.#sound, microphone: phone.#microphone,
      find: (callId) => phone.#find(callId),
      newId: (kind) => `${kind}-${phone.#next++}`,
      open: (call) => phone.#open(call),
      speak: (call) => phone.#speak(call),
      ring: () => phone.#ring(),
      hangup: (...why) => phone.#hangup(...why),
      refusal: (otherwise) => phone.#lastError?.message ?? otherwise,
      error: (...what) => phone.#error(...what),
      emit: (type, detail) => phone.#emit(type, detail),
    };
  }

  // --- a call --------------------------------------------------------------------------------

  /** Calls that have media: all but those that ring here. */
  #speaking() {
    return [...this.#calls.values()].filter(({ media }) => media);
  }

  /** Gives a call its media. */
  #open(call) {
    // Without this iOS plays calls like music, silenced by the ring switch.
    if (navigator.audioSession) navigator.audioSession.type = 'play-and-record';
    const prepared = this.#prepared ?? undefined;
    this.#prepared = null;
    call.media = new CallMedia({ volume: this.#volume, speaker: this.#speaker, prepared, on: this.#mediaOf(call) });
  }

  async #place(call, headers) {
    try {
      const { offered } = call.media;
      if (offered) await offered;
      if (call.over) return;
      const offer = call.media.offer();
      const pairs = Object.entries(headers ?? {}).flat().map(String);
      this.#lastError = null;
      const { uri, video } = call.info;
      call.number = this.#link.run('call', uri || undefined, video, pairs, offer) ?? 0;
      if (!call.number) {
        const words = this.#lastError?.message ?? 'The call could not be placed';
        queueMicrotask(() => this.#end(call, 'internal', words));
      }
    } catch (error) {
      console.error(error);
      this.#hangup(call, 'no-media', 'no-media', 'The browser could not start a call');
    }
  }

  async #speak(call) {
    try {
      const track = await this.#microphone.open();
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
      interrupted: (lasts) => {
        // The appliance may be out of reach as well, so the page says it by itself.
        call.interrupted = lasts;
        this.#tellQuality(call);
      },
      noMedia: () => this.#hangup(call, 'no-media', 'no-media', 'Your network lets no sound through'),
      offer: (sdp) => this.#link.run('restart', call.number, sdp),
      blocked: () => this.#blocked(call),
      playing: () => this.#tapDone('sound'),
      report: ({ loss, jitter, roundTrip, concealed }) =>
        this.#link.run('quality', call.number, loss, jitter, roundTrip, concealed),
    };
  }

  #tellQuality(call) {
    this.#emit('quality', qualityInfo(call));
  }

  /** The browser wants a tap before it plays; a page that may hear the visitor is let off. */
  async #blocked(call) {
    if (this.#microphone.opening) {
      await this.#microphone.opening.catch(() => {});
      call.media?.play();
    } else {
      this.#tapNeeded('sound');
    }
  }

  #tapNeeded(reason, message = TAP_WORDS[0], hint = TAP_WORDS[1]) {
    if (!this.#speaking().length) return;
    this.#taps.add(reason);
    this.#emit('tap-needed', { reason, message, hint });
  }

  #tapDone(reason) {
    if (this.#taps.delete(reason) && !this.#taps.size) this.#emit('tap-done', {});
  }

  #hangup(call, reason, cause, words) {
    if (call.over) return;
    const { number } = call;
    this.#end(call, cause, words);
    if (number) this.#link.run('hangup', number, reason);
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
    if (!this.#speaking().length) {
      this.#microphone.close();
      for (const reason of [...this.#taps]) this.#tapDone(reason);
      if (navigator.audioSession) navigator.audioSession.type = 'auto';
    }
    if (!this.#calls.size) this.#sound.rest();
    this.#emit('state', { ...call.info });
  }

  #find(callId) {
    return callId ? this.#calls.get(String(callId)) : [...this.#calls.values()].at(-1);
  }

  #byNumber(number) {
    return [...this.#calls.values()].find((call) => number && call.number === number);
  }

  /** A call that comes in is heard above all; ringback while nothing else is. */
  #ring() {
    const calls = [...this.#calls.values()];
    const talks = calls.some(({ info }) => info.state === 'active' || info.state === 'early');
    const rings = calls.some(({ info }) => info.state === 'ringing' && info.direction === 'out');
    if (calls.some(ringsHere)) this.#sound.ring(talks ? 'waiting' : 'incoming');
    else this.#sound.ring(rings && !talks ? 'ringback' : null);
  }

  // --- what the link says ----------------------------------------------------------------------

  #hear(action) {
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
        call?.media?.answer(action.sdp).catch((error) => {
          console.error(error);
          this.#hangup(call, 'no-media', 'no-media', 'The browser did not understand the answer');
        });
        break;
      case 'state':
        if (call) this.#stateChanged(call, action);
        else if (action.direction === 'in' && action.state === 'ringing') this.comesIn(action);
        break;
      case 'quality':
        if (call) {
          call.quality = action;
          this.#tellQuality(call);
        }
        break;
      case 'digit': if (call) this.#emit('digit', { callId: call.info.callId, digit: action.digit }); break;
      case 'error': {
        this.#lastError = action;
        this.#error(action.code, action.message, action.hint, call?.info.callId);
        if (!call) break;
        call.media?.refused();
        // Usually the server ends a call that it refused; a page must not wait for that for ever.
        if (this.#isRefusable(call) && action.code !== 'bad-message') {
          setTimeout(() => {
            if (this.#isRefusable(call)) this.#hangup(call, 'no-media', 'internal', action.message);
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

  /** Whether a call waits for the server to take its offer. */
  #isRefusable({ info, media }) {
    return info.state === 'calling' || (info.direction === 'in' && info.state === 'ringing' && media !== null);
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

  // --- telling ---------------------------------------------------------------------------------

  #error(code, message, hint, callId) {
    this.#emit('error', { code, message, hint, ...(callId ? { callId } : {}) });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
