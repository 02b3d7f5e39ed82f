// The shop's SIP phone: baresip without a sound card. It plays one tone and records what it hears.

import { connect } from 'node:net';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { closeLater } from './closing.mjs';
import { freshFolder } from './folder.mjs';
import { port, range } from './ports.mjs';
import { find, Program } from './program.mjs';
import { slices, writeTone } from './tone.mjs';
import { until } from './wait.mjs';

const MODULES = '/usr/lib/baresip/modules';

export class ShopPhone {
  /** Everything it reported: `{ type, param, ... }`. */
  events = [];
  #program;
  #socket;
  #recordings;

  /**
   * `answers`: whether it picks up by itself. `proxy`: the registrar where it registers, if any. Its tone has 660 Hz.
   */
  static async start(name, { answers = true, user = 'shop', hertz = 660, proxy = null } = {}) {
    const folder = freshFolder('browser', name, `phone-${user}`);
    const recordings = path.join(folder, 'recordings');
    mkdirSync(recordings);
    const tone = path.join(folder, 'tone.wav');
    // The file must be as long as the longest call.
    writeTone(tone, { hertz, seconds: 120, rate: 8000, decibels: -14 });
    const ports = { sip: port(), control: port(), rtp: range() };
    writeFileSync(path.join(folder, 'config'), [
      'poll_method epoll',
      `sip_listen 127.0.0.1:${ports.sip}`,
      'call_local_timeout 120',
      'call_max_calls 10',
      'audio_player aubridge,sink',
      `audio_source aufile,${tone}`,
      'audio_alert aubridge,sink',
      'ausrc_srate 8000',
      'auplay_srate 8000',
      'audio_level no',
      'ausrc_format s16',
      'auplay_format s16',
      'auenc_format s16',
      'audec_format s16',
      `rtp_ports ${ports.rtp.first}-${ports.rtp.last}`,
      'rtcp_mux no',
      'net_interface 127.0.0.1',
      'jitter_buffer_delay 2-8',
      `module_path ${MODULES}`,
      ...['g711', 'aufile', 'aubridge', 'sndfile'].map((module) => `module ${module}.so`),
      'module_tmp uuid.so',
      'module_tmp account.so',
      ...['menu', 'debug_cmd', 'ctrl_tcp'].map((module) => `module_app ${module}.so`),
      `ctrl_tcp_listen 127.0.0.1:${ports.control}`,
      `snd_path ${recordings}`,
      'audio_path /usr/share/baresip',
      '',
    ].join('\n'));
    const where = proxy
      ? `<sip:${user}@${proxy.domain}>;outbound="sip:${proxy.address}";auth_user=${user};auth_pass=${proxy.password};regint=60`
      : `<sip:${user}@127.0.0.1:${ports.sip}>;regint=0`;
    const mode = answers ? ';answermode=auto' : ';answermode=manual';
    writeFileSync(path.join(folder, 'accounts'), `${where};audio_codecs=PCMA/8000,PCMU/8000${mode}\n`);
    writeFileSync(path.join(folder, 'contacts'), '');

    const phone = closeLater(new ShopPhone(), (it) => it.stop());
    phone.ports = ports;
    phone.user = user;
    phone.#recordings = recordings;
    phone.#program = new Program(find('baresip'), ['-4', '-f', folder], { log: path.join(folder, 'log.txt') });
    await until('the phone can be controlled', () => {
      phone.#program.printed(/ /);
      return phone.#open(ports.control);
    });
    return phone;
  }

  /** As an account of the appliance: a trunk known by its address. */
  get trunk() {
    return { registrar: `127.0.0.1:${this.ports.sip}`, username: 'appliance', password: 'unused', register: false };
  }

  get uri() {
    return `sip:${this.user}@127.0.0.1:${this.ports.sip}`;
  }

  async #open(control) {
    const socket = connect(control, '127.0.0.1');
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    let rest = Buffer.alloc(0);
    // It speaks netstrings of JSON: LENGTH:TEXT,
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      for (;;) {
        const colon = rest.indexOf(':');
        if (colon < 0) return;
        const length = Number(rest.toString('latin1', 0, colon));
        if (rest.length < colon + 1 + length + 1) return;
        const text = rest.toString('utf8', colon + 1, colon + 1 + length);
        rest = rest.subarray(colon + 2 + length);
        const message = JSON.parse(text);
        if (message.event) this.events.push(message);
      }
    });
    this.#socket = socket;
    return true;
  }

  command(command, params = '') {
    const text = JSON.stringify({ command, params, token: 't' });
    this.#socket.write(`${Buffer.byteLength(text)}:${text},`);
  }

  count(type) {
    return this.events.filter((event) => event.type === type).length;
  }

  /** Waits until it is registered. */
  async registered() {
    await until('the phone is registered', () => this.#program.printed(/200 OK .*binding/));
  }

  /** Calls that it has now. */
  get calls() {
    const ids = new Set();
    for (const { type, id } of this.events) {
      if (type === 'CALL_CLOSED') ids.delete(id);
      else if (id && type.startsWith('CALL_')) ids.add(id);
    }
    return ids.size;
  }

  /** Digits that came, in their order. */
  get digits() {
    return this.events.filter(({ type, param }) => type === 'CALL_DTMF_START' && param).map(({ param }) => param).join('');
  }

  async rings() {
    await until('the phone rings', () => this.count('CALL_INCOMING') > this.count('CALL_CLOSED'));
  }

  async talks() {
    await until('the phone is in a call', () => this.count('CALL_ESTABLISHED') > this.count('CALL_CLOSED'));
  }

  async idle(within = 20_000) {
    await until('the phone has no call', () => this.count('CALL_CLOSED') > 0 && this.calls === 0, { within });
  }

  pickUp() {
    this.command('accept');
  }

  hangUp() {
    this.command('hangup');
  }

  /** What it has heard in its last call, in slices of 200 ms. The recording grows as the call goes. */
  heard(hertz) {
    const files = readdirSync(this.#recordings).filter((file) => file.endsWith('dec.wav')).sort();
    if (!files.length) return [];
    return slices(path.join(this.#recordings, files.at(-1)), hertz);
  }

  /** Waits until the tone was clearly there for `seconds` of the last call. */
  async heardTone(hertz, seconds) {
    await until(`${hertz} Hz of ${seconds} s are in the phone's recording`, () => {
      const all = this.heard(hertz);
      const good = all.filter(({ share, tone }) => share > 0.8 && tone > -40).length;
      const best = all.reduce((most, slice) => Math.max(most, slice.tone), -200);
      return good >= seconds * 5 || (() => { throw new Error(`${good} of ${all.length} slices, best ${best.toFixed(1)} dBFS`); })();
    }, { within: 10_000, every: 300 });
  }

  async stop() {
    this.#socket?.destroy();
    await this.#program?.stop();
  }
}
