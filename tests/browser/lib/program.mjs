// A program that a test starts and ends, by its own process and no other.

import { spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';

/** The first of these programs that is in PATH. */
export function find(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin')) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch { /* not there */ }
    }
  }
  throw new Error(`${names.join(' or ')} is not installed; cargo xtask test installs it`);
}

const living = new Set();
// A test that dies must not leave its peers behind.
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class Program {
  #child;
  #text = '';

  constructor(file, words, { log, env, cwd } = {}) {
    this.#child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd });
    living.add(this.#child);
    const output = createWriteStream(log);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        output.write(text);
        this.#text = (this.#text + text).slice(-200_000);
      });
    }
    this.ended = once(this.#child, 'exit').then(([code, signal]) => {
      living.delete(this.#child);
      output.end();
      this.status = { code, signal };
      return this.status;
    });
    this.#child.on('error', (error) => { this.#text += String(error); });
  }

  get text() {
    return this.#text;
  }

  /** The first match of a pattern in what it printed, or null. Fails once it has ended. */
  printed(pattern) {
    const found = pattern.exec(this.#text);
    if (!found && this.status) throw new Error(`it ended: ${this.#text.slice(-2000)}`);
    return found;
  }

  signal(name) {
    if (!this.status) this.#child.kill(name);
  }

  /** Asks it to end, insists after a while, returns how it ended. */
  async stop({ signal = 'SIGTERM', patience = 5_000 } = {}) {
    this.signal(signal);
    const insist = setTimeout(() => this.signal('SIGKILL'), patience);
    const status = await this.ended;
    clearTimeout(insist);
    return status;
  }
}
