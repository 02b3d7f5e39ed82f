// A store: pages of another origin than the appliance's.

import { createServer } from 'node:http';
import { closeLater } from './closing.mjs';

/** Serves `pages` (path to HTML, or to `{ html, headers }`) on a loopback port of its own. */
export async function openShop(pages) {
  const server = createServer((request, response) => {
    const page = pages[new URL(request.url, 'http://shop').pathname];
    if (!page) {
      response.writeHead(request.url === '/favicon.ico' ? 204 : 404).end();
      return;
    }
    const { html, headers } = typeof page === 'string' ? { html: page } : page;
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(html);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  closeLater(server, () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address();
  return {
    port,
    /** Another host name than the appliance's, and a secure context all the same. */
    origin: `http://localhost:${port}`,
  };
}

/** A store page with a button in a frame. */
export const storePage = (url, attributes = 'allow="microphone; camera; autoplay"') => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Lamps</title></head>
<body><h1>Walnut desk lamp</h1>
<iframe id="call-us" src="${url}" ${attributes} title="Call us" style="border:0;width:320px;height:200px"></iframe>
</body></html>`;
