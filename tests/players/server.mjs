// Serves one directory on localhost for one browser run, and remembers what was asked for and what went wrong.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

const TYPES = {
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mp4': 'video/mp4',
  '.m4s': 'video/iso.segment',
  '.mpd': 'application/dash+xml',
};

/** Starts a server for `directory` under `/package/`, with an empty page at `/`. */
export async function serve(directory) {
  const root = path.resolve(directory);
  const failures = [];
  const requested = new Set();
  const server = createServer(async (request, response) => {
    const name = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    if (name === '/') {
      response.writeHead(200, { 'content-type': 'text/html' });
      return response.end('<!doctype html><meta charset="utf-8"><title>player</title><body></body>');
    }
    const relative = name.replace(/^\/package\//, '');
    requested.add(relative);
    const file = path.join(root, relative);
    const size = name.startsWith('/package/') && file.startsWith(root + path.sep) ? await sizeOf(file) : null;
    if (size === null) {
      if (name !== '/favicon.ico') failures.push(`404 ${name}`);
      response.writeHead(404);
      return response.end();
    }
    response.writeHead(200, {
      'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
      'content-length': size,
      'cache-control': 'no-store',
    });
    createReadStream(file).pipe(response);
  });
  await new Promise((ready, failed) => server.once('error', failed).listen(0, '127.0.0.1', ready));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    failures,
    requested,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function sizeOf(file) {
  try {
    const found = await stat(file);
    return found.isFile() ? found.size : null;
  } catch {
    return null;
  }
}
