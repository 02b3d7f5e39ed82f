// What devices and browsers do to a page, done on purpose: scripts that run in it before its own,
// and what a test does with them later.

/**
 * Keeps every microphone track in `window.tracks` and what was asked for in `window.asked`. While
 * `window.microphone` is the name of an error, nobody gets one; `window.thinks` makes a visitor take
 * his time until `window.decide()`.
 */
export function holdMicrophone() {
  window.tracks = [];
  window.asked = [];
  window.microphone = null;
  const devices = navigator.mediaDevices;
  const original = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    window.asked.push(wanted);
    if (window.thinks) await new Promise((resolve) => { window.decide = resolve; });
    if (window.microphone) throw new DOMException('as the test wants it', window.microphone);
    const stream = await original(wanted);
    window.tracks.push(...stream.getAudioTracks());
    return stream;
  };
}

/** Notes in `window.inClick` what is made and started while a click handler runs, and not after its first await. */
export function watchClicks() {
  window.inClick = [];
  window.outOfClick = [];
  let depth = 0;
  const note = (what) => (depth ? window.inClick : window.outOfClick).push(what);
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function addEventListener(type, listener, options) {
    if (type !== 'click' || typeof listener !== 'function') return add.call(this, type, listener, options);
    return add.call(this, type, function clicked(event) {
      depth += 1;
      try {
        return listener.call(this, event);
      } finally {
        // Before the microtasks: what comes after an await is too late for iOS.
        depth -= 1;
      }
    }, options);
  };
  window.AudioContext = class extends window.AudioContext {
    constructor(...words) {
      super(...words);
      note('new AudioContext');
      // Chromium starts it at once where it may.
      if (this.state === 'running') note('resume');
      window.contexts = [...window.contexts ?? [], this];
    }

    resume() {
      note('resume');
      return window.soundNeedsTap && !depth ? new Promise(() => {}) : super.resume();
    }
  };
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function playIt() {
    note('play');
    if (window.soundNeedsTap && !depth) return Promise.reject(new DOMException('as the test wants it', 'NotAllowedError'));
    return play.call(this);
  };
  const open = window.open;
  window.open = (...words) => {
    note('open');
    return open.apply(window, words);
  };
}

/** Ends the track that is sent now, as an unplugged device does. */
export const unplug = (page) => page.evaluate(() => {
  const track = window.tracks.at(-1);
  track.stop();
  track.dispatchEvent(new Event('ended'));
});

/** The device gives silence from now on, as a telephone does during its own call; or sound again. */
export const pauseMicrophone = (page, paused) => page.evaluate((silent) => {
  const track = window.tracks.at(-1);
  track.enabled = !silent;
  Object.defineProperty(track, 'muted', { value: silent, configurable: true });
  track.dispatchEvent(new Event(silent ? 'mute' : 'unmute'));
}, paused);
