// A network of the tests' own. Firefox refuses loopback candidates, so a test machine needs another
// address; and ports of other programs must not matter. The file runs itself again in a new
// network namespace, which ends with its last process: nothing has to be cleaned up.

import { execFileSync, spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';

const MARK = 'CLICK2CALL_OWN_NETWORK';
/** Both ends of a cable that lies in the namespace. */
const HERE = '10.77.0.1';
const THERE = '10.77.0.2';

// With the processes in a namespace as well, none outlives the test file.
const WAYS = ['', '--user --map-root-user'].flatMap((who) => [
  '--net --pid --fork --kill-child --mount-proc',
  '--net',
].map((what) => `${who} ${what}`.trim().split(' ')));

const ip = (...words) => execFileSync('ip', words, { stdio: 'pipe' });

/**
 * To be awaited before anything else of a test file. Returns in the namespace only; the process
 * outside hands its standard streams to the one inside, so that the runner sees one run.
 */
export async function ownNetwork(url) {
  if (process.env[MARK]) {
    ip('link', 'set', 'lo', 'up');
    ip('link', 'add', 'cable0', 'type', 'veth', 'peer', 'name', 'cable1');
    ip('addr', 'add', `${HERE}/24`, 'dev', 'cable0');
    ip('addr', 'add', `${THERE}/24`, 'dev', 'cable1');
    ip('link', 'set', 'cable0', 'up');
    ip('link', 'set', 'cable1', 'up');
    ip('route', 'add', 'default', 'via', THERE);
    delete process.env[MARK];
    return;
  }
  const way = WAYS.find((words) => spawnSync('unshare', [...words, 'true']).status === 0);
  if (!way) {
    throw new Error('these tests need a network namespace of their own: run them as root, or allow user namespaces');
  }
  const { status } = spawnSync(
    'unshare',
    [...way, process.execPath, ...process.execArgv, fileURLToPath(url)],
    { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } },
  );
  process.exit(status ?? 1);
}

/** An address of this machine that is no loopback address. */
export function ownAddress() {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find(({ family, internal }) => family === 'IPv4' && !internal);
  if (!found) throw new Error('this network has no address but loopback');
  return found.address;
}

/** From now on no UDP datagram leaves for `port`, as behind a firewall that lets web traffic out only. */
export function blockUdp(port) {
  ip('rule', 'add', 'pref', '10', 'ipproto', 'udp', 'dport', String(port), 'blackhole');
  ip('rule', 'add', 'pref', '10', 'ipproto', 'udp', 'sport', String(port), 'blackhole');
  // Local addresses are looked up first of all, before any rule could say no.
  ip('rule', 'add', 'pref', '100', 'lookup', 'local');
  ip('rule', 'del', 'pref', '0');
}

/** Takes blockUdp() back. */
export function allowUdp() {
  ip('rule', 'add', 'pref', '0', 'lookup', 'local');
  ip('rule', 'del', 'pref', '100');
  ip('rule', 'del', 'pref', '10');
  ip('rule', 'del', 'pref', '10');
}
