// Waiting for what must come true, and nothing else: no test sleeps a fixed time for another process.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks `condition` again and again until it answers with something true, and returns that answer.
 * Fails after `within` ms, with the last answer or the last mistake in its words.
 */
export async function until(what, condition, { within = 20_000, every = 100 } = {}) {
  const end = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      const words = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`waited ${within} ms until ${what}; last seen: ${words}`);
    }
    await pause(every);
  }
}

/** Watches for `during` ms that `condition` stays true; fails at the first moment it does not. */
export async function stays(what, condition, { during = 2_000, every = 200 } = {}) {
  const end = Date.now() + during;
  while (Date.now() < end) {
    const seen = await condition();
    if (!seen) throw new Error(`${what}: it did not stay so; seen: ${JSON.stringify(seen)}`);
    await pause(every);
  }
}

/** `promise`, or a failure after `within` ms. For drivers whose own calls may never settle. */
export function soon(what, promise, within = 20_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${within} ms`)), within);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
