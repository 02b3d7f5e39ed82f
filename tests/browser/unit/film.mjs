// A page with Flash Player, and a film of which only the methods and the words are there.

import { APPLIANCE, old, page } from './page.mjs';

const plugin = (description, filename = 'NPSWF32.dll') => ({ name: 'Shockwave Flash', filename, description });

export const FLASH_10 = plugin('Shockwave Flash 10.1 r53');
export const FLASH_11 = plugin('Shockwave Flash 11.2 r202');
export const RUFFLE = plugin('Shockwave Flash 32.0 r0', 'ruffle.js');

/** Texts cross percent-encoded, fields do not. */
const each = (value, change) => {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => each(item, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, each(item, change)]));
};

/** What /api/flash.json says to a page: `port` may be null, or undefined for an answer that is none. */
function requests(port, asked) {
  return class XMLHttpRequest {
    open(method, url) { asked.push(`${method} ${url}`); }
    send() {
      this.responseText = port === undefined ? 'not found' : JSON.stringify({ port });
      Promise.resolve().then(() => this.onload());
    }
  };
}

/**
 * A page that has embedded the Flash phone. `says(kind, detail)` is the film's word, `called` what it
 * was told: [method, argument] each.
 */
export async function flashPage({ embed = {}, browser = old(FLASH_11), port = 1935, answers = () => true, ...rest } = {}) {
  const asked = [];
  const called = [];
  const shop = page({ XMLHttpRequest: requests(port, asked), ...browser }, rest);
  const settle = async () => {
    for (let turn = 0; turn < 4; turn++) {
      shop.pass();
      await Promise.resolve();
    }
  };
  shop.phone.embed({ container: 'phone', ...embed });
  await settle();
  const film = shop.window.document.getElementById('rtckitFlash1');
  const flash = shop.window.RTCKit.flash;
  if (film) {
    for (const method of ['Connect', 'Disconnect', 'Register', 'Unregister', 'Call', 'Answer', 'Reject', 'Hangup', 'SendDtmf',
      'Hold', 'Resume', 'Transfer', 'SetMicMuted', 'SetVolume', 'Devices', 'SelectDevice']) {
      film[`phone${method}`] = (argument) => {
        called.push([method, each(argument, decodeURIComponent)]);
        return answers(method, argument);
      };
    }
  }
  const { window, phone, heard, pass, errors } = shop;
  return {
    window,
    phone,
    heard,
    pass,
    errors,
    asked,
    called,
    film,
    settle,
    says(kind, detail, number = 1) {
      flash.heard(number, kind, each(detail, encodeURIComponent));
      shop.pass();
    },
    /** As the film comes up. */
    ready() {
      this.says('ready', { version: 1, player: 'WIN 11,2,202,233', width: 217, height: 140 });
    },
    params: () => Object.fromEntries(film.children.map(({ attributes }) => [attributes.name, attributes.value])),
    told: (name) => shop.heard.filter(([heard]) => heard === name).map(([, info]) => info),
  };
}

export { APPLIANCE };
