// The socket and the timer of a link. What to say and when is decided in wasm (client-wasm, module
// `link`); this file only carries out its actions.

import init, { Link } from './link.js';

// Fetched once a page, however many phones it makes.
let loading = null;

/** Loads the wasm. A failed load may be tried again. */
export function load() {
  loading ??= init({ module_or_path: new URL('./link_bg.wasm', import.meta.url) }).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** Where this page's server listens for links. */
export function socketUrl(location) {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${location.host}/ws`;
}

export class Signalling {
  #link;
  #socket = null;
  #timer = 0;
  #pumping = false;
  #broken = false;
  #onAction;

  /** `onAction` gets every action but those about the socket, each an object with `type`. */
  constructor({ button, page, onAction }) {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    this.#link = new Link(button ?? undefined, page ?? undefined, seed);
    this.#onAction = onAction;
  }

  /** Calls one of the link's methods, with the time before its arguments, and does what follows. */
  run(method, ...args) {
    if (this.#broken) return undefined;
    let result;
    try {
      result = this.#link[method](performance.now(), ...args);
    } catch (error) {
      // The machine's memory cannot be trusted after a trap: only loading the page again helps.
      this.#broken = true;
      this.#drop();
      console.error(error);
      this.#onAction({ type: 'broken' });
      return undefined;
    }
    this.#pump();
    return result;
  }

  #pump() {
    // An event's handler may call the link: its actions come after this one's.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let text = this.#link.poll(); text !== undefined; text = this.#link.poll()) {
        this.#carryOut(text[0], text.slice(1));
      }
    } finally {
      this.#pumping = false;
    }
    clearTimeout(this.#timer);
    const due = this.#link.next_deadline();
    if (due !== undefined) {
      this.#timer = setTimeout(() => this.run('tick'), Math.max(0, Math.ceil(due - performance.now())));
    }
  }

  #carryOut(kind, text) {
    switch (kind) {
      case 'o': this.#open(); break;
      case 's':
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
        break;
      case 'c': this.#drop(); break;
      case 'n': {
        const [connected, reconnecting, resumed] = [...text].map((flag) => flag === '1');
        this.#onAction({ type: 'connection', connected, reconnecting, resumed });
        break;
      }
      default: this.#onAction(JSON.parse(text));
    }
  }

  #open() {
    this.#drop();
    let socket;
    try {
      socket = new WebSocket(socketUrl(location));
    } catch (error) {
      console.error(error);
      queueMicrotask(() => this.run('socket_closed'));
      return;
    }
    this.#socket = socket;
    // A socket that was given up may still speak: it must not be heard.
    const current = (then) => (event) => { if (this.#socket === socket) then(event); };
    socket.onopen = current(() => this.run('socket_opened'));
    socket.onmessage = current(({ data }) => {
      if (typeof data === 'string') this.run('socket_message', data);
    });
    socket.onclose = current(() => {
      this.#socket = null;
      this.run('socket_closed');
    });
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
