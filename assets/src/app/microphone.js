// The visitor's microphone: one track that all calls share, opened for the first of them and let go
// with the last.

import { explain, microphoneInfo } from './trouble.js';

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
  /** The request that the browser has before the visitor now, or null. */
  opening = null;

  /**
   * `isWanted()`: whether there is a call; `on`: `info(micInfo)`, `track(track)` when calls must
   * send another one, `tapNeeded()` when only a tap brings it back.
   */
  constructor({ sound, isWanted, on }) {
    this.#sound = sound;
    this.#isWanted = isWanted;
    this.#on = on;
  }

  get level() {
    return this.#meter?.read() ?? 0;
  }

  /** Tells the page how things stand. */
  tell(info) {
    this.#on.info({ ...info, micMuted: this.#muted });
  }

  setMuted(muted) {
    this.#muted = muted;
    if (this.#track) {
      this.#track.enabled = !muted;
      this.tell(microphoneInfo(this.#track.muted ? 'muted' : 'live'));
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

  /** In a click handler: brings back what the device has paused or ended. */
  recover() {
    const track = this.#track;
    if (this.#isWanted() && track && (track.readyState === 'ended' || track.muted)) this.#reopen();
  }

  close() {
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
    track.onunmute = () => { if (mine()) this.tell(microphoneInfo('live')); };
    track.onmute = () => {
      if (!mine()) return;
      this.tell(microphoneInfo('muted'));
      setTimeout(() => {
        if (mine() && track.muted) this.#on.tapNeeded();
      }, MUTED_FOR);
    };
    this.tell(microphoneInfo('live'));
  }

  /** Unplugged, or taken by the system: another one may do; if not, a tap is asked for. */
  async #ended() {
    this.tell(microphoneInfo('ended'));
    if (!await this.#reopen()) this.#on.tapNeeded();
  }

  /** Opens it anew for the calls that go on meanwhile; false where that failed. */
  async #reopen() {
    try {
      const track = await openMicrophone(this.#device);
      if (!this.#isWanted()) {
        track.stop();
        return true;
      }
      this.#take(track);
      await this.#on.track(track);
      return true;
    } catch (error) {
      // A call goes on without a voice: the visitor still hears, and may plug something in.
      const stillLive = this.#track?.readyState === 'live';
      this.tell(stillLive ? microphoneInfo('live') : await explain(error, Infinity));
      return false;
    }
  }
}
