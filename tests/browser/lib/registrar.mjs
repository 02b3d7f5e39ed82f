// Kamailio as a provider: registrar and proxy, every REGISTER and INVITE challenged.

import { writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import path from 'node:path';
import { closeLater } from './closing.mjs';
import { freshFolder } from './folder.mjs';
import { port } from './ports.mjs';
import { find, Program } from './program.mjs';
import { until } from './wait.mjs';

const MODULES = ['kex', 'corex', 'tm', 'tmx', 'sl', 'rr', 'pv', 'maxfwd', 'usrloc', 'registrar', 'textops', 'siputils', 'auth'];

const script = (listen) => `#!KAMAILIO
debug=2
log_stderror=yes
fork=no
children=1
listen=udp:${listen}
${MODULES.map((module) => `loadmodule "${module}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (is_method("REGISTER|INVITE")) {
    $var(password) = "secret";
    if (!pv_auth_check("provider.test", "$var(password)", "0", "0")) { auth_challenge("provider.test", "0"); exit; }
    consume_credentials();
  }
  if (is_method("REGISTER")) { if (!save("location")) sl_reply_error(); exit; }
  if (is_method("INVITE")) record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
`;

/** Whether a SIP server answers OPTIONS there. */
function answers(address) {
  const [host, where] = address.split(':');
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    const done = (result) => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => done(false), 500);
    socket.on('message', () => done(true));
    socket.on('error', () => done(false));
    socket.bind(0, '127.0.0.1', () => {
      const own = socket.address().port;
      socket.send([
        `OPTIONS sip:${address} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${own}${Date.now()}`,
        'Max-Forwards: 70', `From: <sip:test@127.0.0.1>;tag=${own}`, `To: <sip:${address}>`, `Call-ID: ${own}-${Date.now()}`,
        'CSeq: 1 OPTIONS', 'Content-Length: 0', '', '',
      ].join('\r\n'), Number(where), host);
    });
  });
}

/** Starts it. Everybody's password is `secret`. */
export async function openRegistrar(name) {
  const folder = freshFolder('browser', name, 'registrar');
  const address = `127.0.0.1:${port()}`;
  const file = path.join(folder, 'kamailio.cfg');
  writeFileSync(file, script(address));
  const program = new Program(
    find('kamailio'),
    ['-f', file, '-DD', '-M', '8', '-m', '32', '-Y', folder],
    { log: path.join(folder, 'log.txt') },
  );
  closeLater(program, (it) => it.stop());
  await until('the registrar answers', () => {
    program.printed(/ /);
    return answers(address);
  });
  return { address, domain: 'provider.test', password: 'secret' };
}
