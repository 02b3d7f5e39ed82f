// A phone that rings for ever, and notes when each SIP message came off the wire.

import { createSocket } from 'node:dgram';
import { closeLater } from './closing.mjs';
import { port } from './ports.mjs';
import { until } from './wait.mjs';

/** The time now in milliseconds, comparable with a page's `performance.timeOrigin + performance.now()`. */
export const wallClock = () => performance.timeOrigin + performance.now();

export class WirePhone {
  /** Everything that came: `{ at, method, callId }`. */
  messages = [];
  #socket = createSocket('udp4');
  #invites = new Map();

  static async start() {
    const phone = closeLater(new WirePhone(), (it) => it.#socket.close());
    phone.port = port();
    phone.#socket.on('message', (data, from) => phone.#take(data.toString('latin1'), from));
    await new Promise((resolve) => { phone.#socket.bind(phone.port, '127.0.0.1', resolve); });
    return phone;
  }

  /** As an account of the appliance: a trunk known by its address. */
  get trunk() {
    return { registrar: `127.0.0.1:${this.port}`, username: 'appliance', password: 'unused', register: false };
  }

  get uri() {
    return `sip:bell@127.0.0.1:${this.port}`;
  }

  count(method) {
    return new Set(this.messages.filter((one) => one.method === method).map(({ callId }) => callId)).size;
  }

  /** Waits until every INVITE that ever came was cancelled. */
  async silent() {
    await until('the phone is silent', () => this.#invites.size === 0 && this.count('CANCEL') === this.count('INVITE'));
  }

  #take(text, from) {
    const at = wallClock();
    const [method] = text.split(' ', 1);
    if (method.startsWith('SIP/')) return;
    const callId = /^Call-ID: *(.*)$/im.exec(text)?.[1];
    this.messages.push({ at, method, callId });
    const answer = (request, status) => this.#answer(request, status, from);
    if (method === 'INVITE') {
      this.#invites.set(callId, text);
      answer(text, '100 Trying');
      answer(text, '180 Ringing');
    } else if (method === 'CANCEL') {
      answer(text, '200 OK');
      if (this.#invites.has(callId)) answer(this.#invites.get(callId), '487 Request Terminated');
      this.#invites.delete(callId);
    } else if (method !== 'ACK') {
      answer(text, '200 OK');
    }
  }

  #answer(request, status, from) {
    const copied = request.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq):/i.test(line))
      .map((line) => (/^to:/i.test(line) && !/;tag=/.test(line) ? `${line};tag=bell` : line));
    const text = [
      `SIP/2.0 ${status}`, ...copied, `Contact: <${this.uri}>`, 'Content-Length: 0', '', '',
    ].join('\r\n');
    this.#socket.send(text, from.port, from.address);
  }
}
