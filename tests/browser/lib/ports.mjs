// Ports for one test file. Every file has a network of its own, so counting up is enough.

let next = 10_000 + 4 * (process.pid % 2_000);

/** A port that this file has not used yet. */
export function port() {
  next += 2;
  return next;
}

/** A range of RTP ports, as the configuration writes it. */
export function range(address = '127.0.0.1', count = 40) {
  const first = port();
  next += count;
  return { first, last: first + count - 1, text: `${address}:${first}-${first + count - 1}` };
}
