// Reads manifest.mpd with video.js's mpd-parser and prints what it understood.
//
//   node parse-mpd.mjs DIRECTORY
//
// One line of JSON: `{ problems, … }` and what readMpd in manifests.mjs returns. Exit code 0: it parses; 1: it does
// not; 2: the harness itself failed.
import { readMpd } from './manifests.mjs';

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: node parse-mpd.mjs DIRECTORY');
  process.exit(2);
}
try {
  console.log(JSON.stringify({ problems: [], ...readMpd(directory) }));
} catch ({ message }) {
  console.log(JSON.stringify({ problems: [message] }));
  process.exitCode = 1;
}
