// Tones: files of them to speak into a microphone, and how much of one is in a recording.

import { readFileSync, writeFileSync } from 'node:fs';

/** Writes a WAV file (16 bit, mono) of a sine; `seconds` should hold whole periods, since it loops. */
export function writeTone(file, { hertz, seconds, rate, decibels = -12 }) {
  const count = Math.round(seconds * rate);
  const amplitude = 32_767 * 10 ** (decibels / 20);
  const data = Buffer.alloc(44 + count * 2);
  data.write('RIFF', 0);
  data.writeUInt32LE(36 + count * 2, 4);
  data.write('WAVEfmt ', 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(rate * 2, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write('data', 36);
  data.writeUInt32LE(count * 2, 40);
  for (let i = 0; i < count; i += 1) {
    const sample = amplitude * Math.sin((2 * Math.PI * hertz * i) / rate);
    data.writeInt16LE(Math.round(sample), 44 + i * 2);
  }
  writeFileSync(file, data);
}

/** Samples (-1 to 1) and rate of a WAV file, also of one that is still being written. */
export function readWave(file) {
  const data = readFileSync(file);
  let at = 12;
  let rate = 8000;
  let channels = 1;
  while (at + 8 <= data.length && data.toString('latin1', at, at + 4) !== 'data') {
    if (data.toString('latin1', at, at + 4) === 'fmt ') {
      channels = data.readUInt16LE(at + 10);
      rate = data.readUInt32LE(at + 12);
    }
    at += 8 + data.readUInt32LE(at + 4);
  }
  const samples = [];
  for (let i = at + 8; i + 2 * channels <= data.length; i += 2 * channels) samples.push(data.readInt16LE(i) / 32_768);
  return { rate, samples };
}

/**
 * How loud a sine is in these samples: its level in dBFS, the whole level in dBFS, and its share
 * of the whole power (Goertzel's algorithm).
 */
export function measure(samples, rate, hertz) {
  const turn = 2 * Math.cos((2 * Math.PI * hertz) / rate);
  let one = 0;
  let two = 0;
  let power = 0;
  for (const sample of samples) {
    [one, two] = [sample + turn * one - two, one];
    power += sample * sample;
  }
  const count = Math.max(1, samples.length);
  const amplitude = (2 * Math.sqrt(Math.max(0, one * one + two * two - turn * one * two))) / count;
  power /= count;
  return {
    tone: 20 * Math.log10(amplitude + 1e-9),
    level: 10 * Math.log10(power + 1e-12),
    share: power > 1e-10 ? Math.min(1, (amplitude * amplitude) / 2 / power) : 0,
  };
}

/** A recording in slices of 200 ms, each as measure() says. */
export function slices(file, hertz) {
  const { rate, samples } = readWave(file);
  const step = Math.round(rate / 5);
  const result = [];
  for (let at = 0; at + step <= samples.length; at += step) {
    result.push(measure(samples.slice(at, at + step), rate, hertz));
  }
  return result;
}
