// A page of few things, enough for the scripts of assets/src/api to run in.

import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const read = (name) => readFileSync(new URL(`../../../assets/src/api/${name}`, import.meta.url), 'utf8');

/** A script as pages load it, with its parts put in. */
const source = (name) => read(name).replace(/^ *\/\/ \{\{part (.+)\}\}\n/mg, (_, part) => read(part));

export const APPLIANCE = 'https://call.shop.example';
export const MARK = 'rtckit-1';

/** What a browser of today has; `window` properties that a page gets besides the document. */
export const modern = () => ({
  RTCPeerConnection: function RTCPeerConnection() {},
  WebSocket: function WebSocket() {},
  WebAssembly,
  isSecureContext: true,
  navigator: { mediaDevices: { getUserMedia() {} }, plugins: {}, mimeTypes: {}, userAgent: '', platform: '' },
});

/** A browser of 2010 with the given plug-in. */
export const old = (plugin) => ({
  navigator: {
    plugins: plugin ? { 'Shockwave Flash': plugin } : {},
    mimeTypes: plugin ? { 'application/x-shockwave-flash': { enabledPlugin: plugin } } : {},
    userAgent: 'Mozilla/5.0 AppleWebKit/533.1',
    platform: 'Win32',
  },
});

class Element {
  constructor(tag) {
    this.nodeName = tag.toUpperCase();
    this.style = {};
    this.children = [];
    this.attributes = {};
    if (tag === 'iframe') this.contentWindow = { posted: [], postMessage(data, to) { this.posted.push({ data, to }); } };
  }
  setAttribute(name, value) { this.attributes[name] = value; }
  removeAttribute(name) { delete this.attributes[name]; }
  appendChild(child) { this.children.push(child); child.parentNode = this; }
  removeChild(child) { this.children.splice(this.children.indexOf(child), 1); child.parentNode = null; }
  replaceChild(child, old) { this.children[this.children.indexOf(old)] = child; child.parentNode = this; }
}

function find(element, id) {
  if (element.attributes.id === id) return element;
  for (const child of element.children) {
    const found = find(child, id);
    if (found) return found;
  }
  return null;
}

/** A page that has loaded `script` of the appliance. */
export function page(browser, { script = 'rtckit.js', tags = {}, src = `${APPLIANCE}/api/rtckit.js`, blocked = [] } = {}) {
  const timers = [];
  const listeners = [];
  const container = new Element('div');
  const body = new Element('body');
  body.appendChild(container);
  const document = {
    readyState: 'complete',
    currentScript: { src },
    getElementById: (id) => (id === 'phone' ? container : find(container, id)),
    getElementsByTagName: (tag) => tags[tag] ?? [],
    createElement: (tag) => new Element(tag),
    addEventListener() {},
  };
  const window = {
    ...browser,
    document,
    location: { protocol: 'https:', host: 'www.shop.example', search: '?a=1&b=two' },
    setTimeout: (then, wait) => timers.push({ then, wait }),
    clearTimeout: (id) => { if (timers[id - 1]) timers[id - 1].then = () => {}; },
    postMessage() {},
  };
  if (browser.RTCPeerConnection) {
    window.addEventListener = (type, then) => { if (type === 'message') listeners.push(then); };
  }
  window.window = window;
  const context = vm.createContext(window);
  vm.runInContext(source(script), context, { filename: script });

  // Scripts of the appliance come a moment after they were put into the page.
  container.appendChild = (child) => {
    Element.prototype.appendChild.call(container, child);
    if (child.nodeName !== 'SCRIPT') return;
    const name = child.src.replace(`${APPLIANCE}/api/`, '');
    timers.push({
      wait: 0,
      then() {
        if (blocked.includes(name)) return child.onerror?.();
        vm.runInContext(source(name), context, { filename: name });
        return child.onload?.();
      },
    });
  };

  const heard = [];
  const phone = window.RTCKit?.webPhone;
  for (const name of ['onConnectStateChanged', 'onRegStateChanged', 'onCallStateChanged', 'onMicStateChanged',
    'onQualityChanged', 'onError', 'onIncomingCall']) {
    if (phone) phone[name] = (info) => heard.push([name, { ...info }]);
  }
  return {
    window,
    phone,
    heard,
    container,
    get frame() { return container.children[0]; },
    get posted() { return container.children[0].contentWindow.posted.map(({ data, to }) => ({ ...data, to })); },
    /** Runs what waits for a timer of at most `wait` milliseconds. */
    pass(wait = 0) {
      const thrown = [];
      for (const timer of timers.filter((timer) => timer.wait <= wait)) {
        const { then } = timer;
        timer.then = () => {};
        try { then(); } catch (error) { thrown.push(error); }
      }
      return thrown;
    },
    /** The frame says something; the origin and the source may be forged. */
    say(type, detail, { origin = APPLIANCE, source = container.children[0].contentWindow, mark = MARK } = {}) {
      for (const listener of listeners) listener({ data: { mark, type, detail }, origin, source });
    },
    errors: () => heard.filter(([name]) => name === 'onError').map(([, info]) => info.code),
  };
}

export { source };
