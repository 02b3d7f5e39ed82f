// The executable under test.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { closeLater } from './closing.mjs';
import { freshFolder, ROOT } from './folder.mjs';
import { port, range } from './ports.mjs';
import { Program } from './program.mjs';
import { until } from './wait.mjs';

const executable = () => process.env.CLICK2CALL_BIN ?? path.join(ROOT, 'target/debug/click2call');

const quoted = (value) => JSON.stringify(value);

function section(name, keys) {
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${quoted(value)}`);
  return `[${name}]\n${lines.join('\n')}\n`;
}

export class Appliance {
  #program;

  constructor(program, folder, ports) {
    this.#program = program;
    this.folder = folder;
    this.ports = ports;
  }

  /** The demo, with ports of its own. */
  static async demo(name, { webrtc = '127.0.0.1' } = {}) {
    const folder = freshFolder('browser', name, 'appliance');
    const ports = { http: port(), webrtc: port(), rtmfp: port() };
    const words = [
      '--demo', '--log', 'json',
      '--listen-http', `127.0.0.1:${ports.http}`,
      '--listen-webrtc', `${webrtc}:${ports.webrtc}`,
      '--listen-rtmfp', `127.0.0.1:${ports.rtmfp}`,
      '--listen-sip', `127.0.0.1:${port()}`,
      '--listen-rtp', range('127.0.0.1', 80).text,
    ];
    return Appliance.#start(words, folder, ports);
  }

  /**
   * With a file. `accounts`, `buttons`: name to keys; `webphone`: keys. `publicUrl` may be a
   * function of the ports.
   */
  static async start(name, { accounts = {}, buttons = {}, webphone, webrtc = '127.0.0.1', publicUrl } = {}) {
    const folder = freshFolder('browser', name, 'appliance');
    const ports = { http: port(), webrtc: port(), rtmfp: port(), sip: port() };
    const url = typeof publicUrl === 'function' ? publicUrl(ports) : publicUrl ?? `http://127.0.0.1:${ports.http}`;
    const text = [
      `public_url = ${quoted(url)}\n`,
      section('listen', {
        http: `127.0.0.1:${ports.http}`,
        webrtc: `${webrtc}:${ports.webrtc}`,
        rtmfp: `127.0.0.1:${ports.rtmfp}`,
        sip: `127.0.0.1:${ports.sip}`,
        rtp: range().text,
      }),
      ...Object.entries(accounts).map(([account, keys]) => section(`accounts.${account}`, keys)),
      ...Object.entries(buttons).map(([button, keys]) => section(`buttons.${button}`, keys)),
      ...(webphone ? [section('webphone', webphone)] : []),
    ].join('\n');
    const file = path.join(folder, 'shop.toml');
    writeFileSync(file, text);
    return Appliance.#start(['--config', file, '--log', 'json'], folder, ports);
  }

  static async #start(words, folder, ports) {
    const env = { CLICK2CALL_LOG: process.env.CLICK2CALL_LOG ?? 'info' };
    const program = new Program(executable(), words, { log: path.join(folder, 'log.txt'), cwd: folder, env });
    const appliance = closeLater(new Appliance(program, folder, ports), (it) => it.stop());
    await until('the appliance answers', async () => {
      program.printed(/ /);
      return (await fetch(`${appliance.url}/healthz`)).ok;
    });
    return appliance;
  }

  /** Where its pages are, without a slash at the end. */
  get url() {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get text() {
    return this.#program.text;
  }

  /** A number of /metrics. */
  async metric(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const found = new RegExp(`^click2call_${name} (\\S+)$`, 'm').exec(text);
    if (!found) throw new Error(`/metrics has no click2call_${name}`);
    return Number(found[1]);
  }

  /** Waits until no call is left. */
  async idle() {
    await until('the appliance has no call', async () => (await this.metric('calls_live')) === 0);
  }

  /** Waits until it can take calls. */
  async ready() {
    await until('the appliance is ready', async () => (await fetch(`${this.url}/readyz`)).ok);
  }

  async stop() {
    return this.#program.stop();
  }
}
