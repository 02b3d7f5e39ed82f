// Firefox ESR as a visitor's browser, driven over WebDriver BiDi, with a tone as its microphone.

import puppeteer from 'puppeteer-core';
import { plainVoice } from './chromium.mjs';
import { closeLater } from './closing.mjs';
import { find } from './program.mjs';

export async function launchFirefox({ hertz = 440, preferences = {} } = {}) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: find('firefox-esr', 'firefox'),
    headless: true,
    timeout: 60_000,
    protocolTimeout: 60_000,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.audio.fake_frequency': hertz,
      'media.navigator.permission.disabled': true,
      // No request of its own may leave.
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'app.update.enabled': false,
      'media.gmp-manager.updateEnabled': false,
      'browser.safebrowsing.downloads.remote.enabled': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      ...preferences,
    },
  });
  return closeLater(browser, (it) => it.close());
}

/** A page that notes every mistake that the browser reports, in `page.mistakes`. */
export async function openFirefoxPage(browser, url, { before = [] } = {}) {
  const page = await browser.newPage();
  page.mistakes = [];
  page.on('console', (message) => {
    if (message.type() === 'error') page.mistakes.push(message.text());
  });
  page.on('pageerror', (error) => page.mistakes.push(String(error)));
  await page.evaluateOnNewDocument(plainVoice);
  for (const script of before) await page.evaluateOnNewDocument(script);
  if (url) await page.goto(url);
  return page;
}
