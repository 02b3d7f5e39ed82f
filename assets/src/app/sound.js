// The page's own sounds (ringing, key tones) and the levels of both voices, all on one
// AudioContext. The far end's voice does not pass here: it plays in an audio element, where the
// browser's echo canceller knows it.

// Ringing, in seconds: when the bursts of one round begin, how long each lasts, when the next round begins.
const RINGING = {
  // The far end rings.
  ringback: { hertz: [425], begins: [0], on: 1, every: 5, gain: 0.07 },
  // Somebody calls the visitor.
  incoming: { hertz: [440, 480], begins: [0, 0.6], on: 0.4, every: 3, gain: 0.12 },
  // The same while a call goes on.
  waiting: { hertz: [425], begins: [0, 0.4], on: 0.15, every: 8, gain: 0.05 },
};
const KEY = { seconds: 0.12, gain: 0.05 };
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const PAD = ['123A', '456B', '789C', '*0#D'];
// A context that stands still this long does not go on by itself.
const STILL_FOR = 500;
// What a meter shows as empty; full is 0 dBFS.
const FLOOR_DB = -60;

/** The two frequencies of a keypad digit, or null. */
export function keyFrequencies(digit) {
  const row = PAD.findIndex((keys) => keys.includes(digit.toUpperCase()));
  return row < 0 || digit.length !== 1 ? null : [ROWS[row], COLUMNS[PAD[row].indexOf(digit.toUpperCase())]];
}

/** A linear amplitude as a meter shows it, 0 to 1. */
export function meter(amplitude) {
  const db = 20 * Math.log10(Math.max(amplitude, 1e-6));
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

export class Sound {
  #context = null;
  #master = null;
  #ringing = null;
  #volume = 1;
  #speaker = null;
  #wanted = false;
  #stillTimer = 0;
  #stopped = false;
  #on;

  /** `on`: `stopped()` when only a tap brings the sound back, `running()` when it is back. */
  constructor(on) {
    this.#on = on;
  }

  /**
   * Makes and starts the context. iOS allows it in a click handler only, before any await. Nothing
   * waits for resume(): Firefox never settles it on a machine without a sound device.
   */
  unlock() {
    this.#wanted = true;
    const Context = window.AudioContext ?? window.webkitAudioContext;
    if (!Context) return;
    if (!this.#context) {
      try {
        this.#context = new Context({ latencyHint: 'interactive' });
      } catch {
        return; // Too many contexts in this browser: calls work without own tones.
      }
      this.#master = this.#context.createGain();
      this.#master.gain.value = this.#volume;
      this.#master.connect(this.#context.destination);
      if (this.#speaker) this.useSpeaker(this.#speaker);
      this.#context.onstatechange = () => this.#stateChanged();
    }
    this.resume();
    // After a tap that did not help there is no event.
    if (this.#stopped) this.#watch();
  }

  #watch() {
    clearTimeout(this.#stillTimer);
    this.#stillTimer = setTimeout(() => {
      this.#stopped = true;
      this.#on.stopped();
    }, STILL_FOR);
  }

  /** Safari says `interrupted` when a telephone call or Siri takes the sound; others `suspended`. */
  #stateChanged() {
    if (this.#context.state === 'running') {
      clearTimeout(this.#stillTimer);
      this.#stopped = false;
      this.#on.running();
    } else if (this.#wanted) {
      this.resume();
      this.#watch();
    }
  }

  resume() {
    if (this.#context && this.#context.state !== 'running') this.#context.resume().catch(() => {});
  }

  /** Lets go of the sound device between calls. */
  rest() {
    this.#wanted = false;
    this.#stopped = false;
    clearTimeout(this.#stillTimer);
    this.ring(null);
    if (this.#context?.state === 'running') this.#context.suspend().catch(() => {});
  }

  set volume(volume) {
    this.#volume = volume;
    if (this.#master) this.#master.gain.value = volume;
  }

  useSpeaker(id) {
    this.#speaker = id;
    this.#context?.setSinkId?.(id).catch(() => {});
  }

  /** Rings in one of the ways of RINGING until told otherwise; null for silence. */
  ring(way) {
    if (this.#ringing?.way === way) return;
    if (this.#ringing) {
      clearInterval(this.#ringing.timer);
      for (const tone of this.#ringing.tones) tone.stop();
      this.#ringing.envelope.disconnect();
      this.#ringing = null;
    }
    if (!way || !this.#context) return;
    const context = this.#context;
    const { hertz, begins, on, every, gain } = RINGING[way];
    const envelope = context.createGain();
    envelope.gain.value = 0;
    envelope.connect(this.#master);
    const tones = hertz.map((frequency) => {
      const tone = context.createOscillator();
      tone.frequency.value = frequency;
      tone.connect(envelope);
      tone.start();
      return tone;
    });
    const round = () => {
      for (const begin of begins) {
        // Ramps, since a tone that begins or ends at once clicks.
        const at = context.currentTime + 0.01 + begin;
        envelope.gain.setValueAtTime(0, at);
        envelope.gain.linearRampToValueAtTime(gain / hertz.length, at + 0.03);
        envelope.gain.setValueAtTime(gain / hertz.length, at + on - 0.03);
        envelope.gain.linearRampToValueAtTime(0, at + on);
      }
    };
    round();
    this.#ringing = { way, tones, envelope, timer: setInterval(round, every * 1000) };
  }

  /** The sound of a key, for the finger that pressed it; the phone gets its own. */
  key(digit) {
    const frequencies = keyFrequencies(digit);
    if (!frequencies || this.#context?.state !== 'running') return;
    const envelope = this.#context.createGain();
    envelope.gain.value = KEY.gain;
    envelope.connect(this.#master);
    for (const hertz of frequencies) {
      const tone = this.#context.createOscillator();
      tone.frequency.value = hertz;
      tone.connect(envelope);
      tone.start();
      tone.stop(this.#context.currentTime + KEY.seconds);
      tone.onended = () => envelope.disconnect();
    }
  }

  /** A level meter of a track; null where there is no context. */
  listen(track) {
    if (!this.#context || !track) return null;
    try {
      return new Level(this.#context, track);
    } catch {
      return null; // Firefox refuses a track of another sample rate: no meter, but a call.
    }
  }
}

/** The loudness of one track. */
class Level {
  #context;
  #source;
  #analyser;
  #samples;

  constructor(context, track) {
    this.#context = context;
    this.#source = context.createMediaStreamSource(new MediaStream([track]));
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source.connect(this.#analyser);
  }

  /** 0 to 1, or null while the context stands still and nothing is known. */
  read() {
    if (this.#context.state !== 'running') return null;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return meter(Math.sqrt(2 * sum / this.#samples.length));
  }

  close() {
    this.#source.disconnect();
  }
}
