// Ruffle, the one Flash runtime that a test can have, in a store page. It comes from the tests' own
// packages and is never shipped.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openShop } from './shop.mjs';
import { until } from './wait.mjs';

const RUFFLE = fileURLToPath(new URL('../node_modules/@ruffle-rs/ruffle', import.meta.url));
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

const store = (url) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Lamps</title>
<script>
  window.RufflePlayer = { config: { publicPath: '/ruffle/', autoplay: 'on', unmuteOverlay: 'hidden', splashScreen: false,
    allowScriptAccess: true, logLevel: 'warn' } };
</script>
<script src="/ruffle/ruffle.js"></script>
<script src="${url}/api/rtckit.js"></script></head>
<body><h1>Walnut desk lamp</h1><div id="phone"></div>
<script>
  window.heard = [];
  ['onConnectStateChanged', 'onRegStateChanged', 'onCallStateChanged', 'onMicStateChanged', 'onIncomingCall', 'onError']
    .forEach(function (name) { RTCKit.webPhone[name] = function (info) { heard.push([name, info]); }; });
</script></body></html>`;

/** A store whose visitors have Ruffle. */
export async function openRuffleShop(appliance) {
  const pages = { '/': store(appliance.url) };
  for (const name of readdirSync(RUFFLE).filter((name) => path.extname(name) in TYPES)) {
    pages[`/ruffle/${name}`] = { html: readFileSync(path.join(RUFFLE, name)), headers: { 'content-type': TYPES[path.extname(name)] } };
  }
  return openShop(pages);
}

/**
 * A visitor's page that embeds the phone. `port` is what the page is told of the appliance's port for
 * Flash, null where it takes no such calls; `film` is another film than the appliance's.
 */
export async function visitWithRuffle(t, browser, shop, { port = 1935, film, embed = {} } = {}) {
  const context = await browser.newContext({ viewport: { width: 500, height: 320 } });
  t.after(() => context.close());
  const page = await context.newPage();
  page.asked = [];
  page.on('request', (request) => page.asked.push(request.url()));
  const headers = { 'access-control-allow-origin': '*' };
  await page.route('**/api/flash.json', (route) => route.fulfill({ json: { port }, headers }));
  if (film) {
    await page.route('**/api/webphone.swf', (route) => route.fulfill({
      body: film, headers: { ...headers, 'content-type': 'application/x-shockwave-flash' },
    }));
  }
  await page.goto(`${shop.origin}/`);
  await page.evaluate((options) => window.RTCKit.webPhone.embed({ container: 'phone', backend: 'flash', ...options }), embed);
  return page;
}

/** What a handler of the page has heard so far. */
export const heard = (page, name) => page.evaluate(
  (wanted) => window.heard.filter(([it]) => it === wanted).map(([, info]) => info),
  name,
);

/** Calls a member of the API. */
export const run = (page, member, argument) => page.evaluate(
  ([name, given]) => window.RTCKit.webPhone[name](given),
  [member, argument],
);

/** Until the film has answered a question of the page, with that answer. */
export async function filmAnswers(page) {
  let answer = null;
  page.evaluate(() => window.RTCKit.webPhone.devices()).then((devices) => { answer = devices; }, () => {});
  return until('the film answers', () => answer, { within: 60_000 });
}
