// Everything that a test file opened is closed at its end, also when a test failed halfway.

import { after } from 'node:test';

const open = [];

/** `close` is called at the end of the file; the last one first. Returns `thing`. */
export function closeLater(thing, close) {
  open.push(() => close(thing));
  return thing;
}

after(async () => {
  for (const close of open.reverse()) {
    await Promise.race([
      Promise.resolve().then(close).catch(() => {}),
      new Promise((resolve) => { setTimeout(resolve, 8_000).unref(); }),
    ]);
  }
  // Drivers keep sockets of dead browsers; the runner must not wait for them.
  setTimeout(() => process.exit(), 5_000).unref();
}, { timeout: 60_000 });
