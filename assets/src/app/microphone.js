// The visitor's microphone: one track that all calls share, opened for the first of them and let go
// with the last.

import { explain, inCall, microphoneInfo } from './trouble.js';

// A device may pause a track for a moment; a person is asked only when it lasts.
const MUTED_FOR = 1_500;

/** The track of the chosen microphone, or of any when that one is gone. Throws as the browser does. */
async function openMicrophone(deviceId) {
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const ask = (constraints) => navigator.mediaDevices.getUserMedia({ audio: constraints });
  let stream;
  try {
    stream = await ask(deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio);
  } catch (error) {
    if (!deviceId || !['OverconstrainedError', 'NotFoundError'].includes(error?.name)) throw error;
    stream = await ask(audio);
  }
  return stream.getAudioTracks()[0];
}

export class Microphone {
  #sound;
  #isWanted;
  #on;
  #track = null;
  #meter = null;
  #muted = false;
  #device = null;
  #mutedTimer = 0;
  // The devices are opened one after the other; how many wait.
  #turn = Promise.resolve();
  #turns = 0;
  #info = null;
  /** The request that the browser has before the visitor now, or null. */
  opening = null;

  /**
   * `isWanted()`: whether there is a call; `on`: `info(micInfo)`, `track(track)` when calls must
   * send another one, `tapNeeded(micInfo)` when only a tap brings it back, `tapDone()` when it is back.
   */
  constructor({ sound, isWanted, on }) {
    this.#sound = sound;
    this.#isWanted = isWanted;
    this.#on = on;
    // Another one may have been plugged in for the one that is gone.
    navigator.mediaDevices?.addEventListener?.('devicechange', () => {
      if (this.#track?.readyState === 'ended') this.recover();
    });
  }

  get level() {
    return this.#meter?.read() ?? 0;
  }

  /** Tells the page how things stand. */
  tell(info) {
    this.#info = info;
    this.#on.info({ ...info, micMuted: this.#muted });
  }

  setMuted(muted) {
    this.#muted = muted;
    if (this.#track) {
      this.#track.enabled = !muted;
      this.tell(this.#info);
    }
  }

  /** The track, asking for it if need be. Rejects with a micInfo that the page was told. */
  open() {
    if (this.#track?.readyState === 'live') return Promise.resolve(this.#track);
    this.opening ??= this.#ask().finally(() => { this.opening = null; });
    return this.opening;
  }

  /** Takes another device from now on. */
  async use(device) {
    this.#device = device;
    if (this.#track) await this.#reopen();
  }

  /** Brings back what the device has paused or ended; after a tap, or when devices came. */
  recover() {
    const track = this.#track;
    if (!this.#isWanted() || this.#turns || !track) return;
    if (track.readyState === 'ended' || track.muted) this.#reopen();
  }

  close() {
    clearTimeout(this.#mutedTimer);
    this.#meter?.close();
    this.#meter = null;
    this.#track?.stop();
    this.#track = null;
  }

  async #ask() {
    this.tell(microphoneInfo('asking'));
    const asked = performance.now();
    let track;
    try {
      track = await openMicrophone(this.#device);
    } catch (error) {
      const info = await explain(error, performance.now() - asked);
      this.tell(info);
      throw info;
    }
    if (!this.#isWanted()) {
      // Allowed only after everybody hung up: the light must not stay on.
      track.stop();
      throw microphoneInfo('ended');
    }
    this.#take(track);
    return track;
  }

  #take(track) {
    this.close();
    this.#track = track;
    track.enabled = !this.#muted;
    // A page that may hear the visitor may also play.
    this.#sound.resume();
    this.#meter = this.#sound.listen(track);
    const mine = () => this.#track === track;
    track.onended = () => { if (mine()) this.#ended(); };
    track.onunmute = () => { if (mine()) this.#live(); };
    track.onmute = () => { if (mine()) this.#paused(track); };
    if (track.muted) this.#paused(track);
    else this.#live();
  }

  #live() {
    clearTimeout(this.#mutedTimer);
    this.tell(microphoneInfo('live'));
    this.#on.tapDone();
  }

  /** The device gives silence: a telephone call came in, or a switch was turned. */
  #paused(track) {
    const info = microphoneInfo('muted');
    this.tell(info);
    clearTimeout(this.#mutedTimer);
    this.#mutedTimer = setTimeout(() => {
      if (this.#track === track && track.muted) this.#on.tapNeeded(info);
    }, MUTED_FOR);
  }

  /** Unplugged, or taken by the system: another one may do; if not, a tap is asked for. */
  #ended() {
    this.tell(microphoneInfo('ended'));
    return this.#reopen();
  }

  /** Opens it anew for the calls that go on meanwhile; asks for a tap where that failed. */
  #reopen() {
    this.#turns += 1;
    this.#turn = this.#turn.then(() => this.#openAnew()).finally(() => { this.#turns -= 1; });
    return this.#turn;
  }

  async #openAnew() {
    try {
      const track = await openMicrophone(this.#device);
      if (!this.#isWanted()) {
        track.stop();
        return;
      }
      this.#take(track);
      await this.#on.track(track);
    } catch (error) {
      if (!this.#isWanted()) return;
      // A call goes on without a voice: the visitor still hears, and may plug something in.
      if (this.#track?.readyState === 'live' && !this.#track.muted) {
        this.tell(microphoneInfo('live'));
        return;
      }
      const info = inCall(await explain(error, Infinity));
      this.tell(info);
      this.#on.tapNeeded(info);
    }
  }
}
