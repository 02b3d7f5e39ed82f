// What a visitor hears: the stream that the page plays, measured in the page.

import { until } from './wait.mjs';

/** Runs in the page. Half a second of what its audio element plays, as levels in dBFS. */
async function listen(hertz) {
  const stream = document.querySelector('audio')?.srcObject;
  if (!stream) return null;
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const ear = window.testEar ??= { context: new AudioContext() };
  if (ear.context.state !== 'running') {
    // Never settles in Firefox on a machine without a sound card.
    await Promise.race([ear.context.resume().catch(() => {}), wait(300)]);
  }
  let samples;
  let rate;
  if (ear.context.state === 'running') {
    if (ear.stream !== stream) {
      ear.source?.disconnect();
      ear.stream = stream;
      ear.source = ear.context.createMediaStreamSource(stream);
      ear.analyser = ear.context.createAnalyser();
      ear.analyser.fftSize = 16_384;
      ear.source.connect(ear.analyser);
    }
    rate = ear.context.sampleRate;
    samples = new Float32Array(ear.analyser.fftSize);
    await wait((1000 * samples.length) / rate + 100);
    ear.analyser.getFloatTimeDomainData(samples);
  } else {
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start();
    await wait(1_200);
    recorder.stop();
    await ended;
    rate = 48_000;
    const bytes = await new Blob(parts).arrayBuffer();
    const decoded = await new OfflineAudioContext(1, rate, rate).decodeAudioData(bytes);
    samples = decoded.getChannelData(0).slice(-rate / 2);
  }
  let power = 0;
  for (const sample of samples) power += sample * sample;
  power /= samples.length;
  const tones = hertz.map((frequency) => {
    const turn = 2 * Math.cos((2 * Math.PI * frequency) / rate);
    let one = 0;
    let two = 0;
    for (const sample of samples) [one, two] = [sample + turn * one - two, one];
    const amplitude = (2 * Math.sqrt(Math.max(0, one * one + two * two - turn * one * two))) / samples.length;
    return {
      tone: 20 * Math.log10(amplitude + 1e-9),
      share: power > 1e-10 ? Math.min(1, (amplitude * amplitude) / 2 / power) : 0,
    };
  });
  return { level: 10 * Math.log10(power + 1e-12), tones };
}

/** `{ level, tones: [{ tone, share }] }` of the page (or frame), or null where nothing plays. */
export const hear = (page, ...hertz) => page.evaluate(listen, hertz);

/** Waits until the tone is what the visitor hears. */
export function hearsTone(page, hertz, options = {}) {
  return until(`the page hears ${hertz} Hz`, async () => {
    const heard = await hear(page, hertz);
    if (heard && heard.tones[0].share > 0.7 && heard.tones[0].tone > -40) return heard;
    throw new Error(JSON.stringify(heard));
  }, { every: 50, ...options });
}

/** Waits until the visitor hears something, whatever it is. */
export function hearsSound(page, options = {}) {
  return until('the page hears something', async () => {
    const heard = await hear(page, 440);
    if (heard && heard.level > -45) return heard;
    throw new Error(JSON.stringify(heard));
  }, { every: 50, ...options });
}

/** Waits until the visitor hears nothing. */
export function hearsNothing(page, options = {}) {
  return until('the page hears nothing', async () => {
    const heard = await hear(page, 440);
    if (heard && heard.level < -55) return heard;
    throw new Error(JSON.stringify(heard));
  }, { every: 50, ...options });
}
