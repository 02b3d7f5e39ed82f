// A wire between browser and appliance that can be cut: TCP, octet by octet.

import { connect, createServer } from 'node:net';
import { closeLater } from './closing.mjs';

/** A wire whose other end is the port `wire.to`, which may be plugged in later. */
export async function openWire() {
  const pairs = new Set();
  let cut = false;
  const server = createServer((near) => {
    if (cut) {
      near.destroy();
      return;
    }
    const far = connect(wire.to, '127.0.0.1');
    const pair = { near, far, socket: false };
    pairs.add(pair);
    near.once('data', (first) => { pair.socket = first.toString('latin1').startsWith('GET /ws'); });
    near.pipe(far);
    far.pipe(near);
    for (const end of [near, far]) {
      end.on('error', () => {});
      end.on('close', () => {
        near.destroy();
        far.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  closeLater(server, () => {
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
    server.close();
  });
  const wire = {
    to: 0,
    port: server.address().port,
    /** WebSockets that are open now. */
    get sockets() {
      return [...pairs].filter(({ socket }) => socket).length;
    },
    /** Cuts every WebSocket at once; with `stay`, nothing gets through until mend(). */
    cut({ stay = false } = {}) {
      cut = stay;
      const hit = [...pairs].filter((pair) => pair.socket);
      for (const { near, far } of hit) {
        near.resetAndDestroy();
        far.resetAndDestroy();
      }
      return hit.length;
    },
    mend() {
      cut = false;
    },
  };
  return wire;
}
