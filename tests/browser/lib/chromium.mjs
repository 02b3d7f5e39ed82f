// Chromium as a visitor's browser, with a tone as its microphone.

import path from 'node:path';
import { chromium } from 'playwright-core';
import { closeLater } from './closing.mjs';
import { freshFolder } from './folder.mjs';
import { find } from './program.mjs';
import { writeTone } from './tone.mjs';

const ALWAYS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/**
 * Starts it. `microphone`: 'tone' (440 Hz, allowed), 'refused', 'none' (allowed, but there is no
 * device). `args` are further flags; `keepPages` lets it keep left pages for their return, as it does for people.
 */
export async function launchChromium(name, { microphone = 'tone', hertz = 440, args = [], keepPages = false } = {}) {
  const words = [...ALWAYS, ...args];
  if (microphone !== 'none') words.push('--use-fake-device-for-media-stream');
  if (microphone === 'tone') {
    const file = path.join(freshFolder('browser', name, 'microphone'), 'tone.wav');
    writeTone(file, { hertz, seconds: 10, rate: 48_000, decibels: -14 });
    words.push('--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${file}`);
  }
  if (microphone === 'refused') words.push('--use-fake-ui-for-media-stream=deny');
  const executablePath = find('chromium', 'chromium-browser', 'google-chrome');
  const ignoreDefaultArgs = keepPages ? ['--disable-back-forward-cache'] : false;
  const browser = await chromium.launch({ executablePath, headless: true, args: words, ignoreDefaultArgs });
  return closeLater(browser, (it) => it.close());
}

/**
 * The browser's voice processing takes a steady tone for noise and an echo of it for an echo: both
 * right, and both in the way of measuring.
 */
export function plainVoice() {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const original = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (wanted) => original({
    ...wanted,
    audio: wanted.audio && { ...wanted.audio, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
}

/** A page that notes every mistake that the browser reports, in `page.mistakes`. */
export async function openPage(context, url, { before = [] } = {}) {
  const page = await context.newPage();
  page.mistakes = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content Security Policy/i.test(message.text())) {
      page.mistakes.push(`${message.text()} (${message.location().url})`);
    }
  });
  page.on('pageerror', (error) => page.mistakes.push(String(error.stack ?? error)));
  await page.addInitScript(plainVoice);
  for (const script of before) await page.addInitScript(script);
  if (url) await page.goto(url);
  return page;
}

/** Octets that came over the wire for a page, headers included, by address. */
export async function weigh(page, url) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  const addresses = new Map();
  const octets = new Map();
  session.on('Network.requestWillBeSent', ({ requestId, request }) => addresses.set(requestId, request.url));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    octets.set(addresses.get(requestId) ?? requestId, encodedDataLength);
  });
  await page.goto(url);
  return { octets, addresses: () => [...new Set(addresses.values())] };
}
