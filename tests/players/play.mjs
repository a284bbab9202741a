// Plays a package with hls.js in headless Chromium and says what is wrong with it.
//
//   node play.mjs DIRECTORY [--frames N] [--rate R] [--timeout SECONDS]
//
// Plays DIRECTORY/master.m3u8 to its end with quality switches low, high, low, middle; then seeks, and changes to each
// other language. Prints one line of JSON with `problems`. Exit code 0: none; 1: some; 2: the harness itself failed, for example no browser.
// Chromium is $CHROMIUM or /usr/bin/chromium.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serve } from './server.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--disable-background-media-suspend',
];
const SEEKS = [0.5, 0.93, 0.02, 0.31, 0.77];
/** Two times that should be equal may differ by this much: above the six decimals of EXTINF, below a frame. */
const TOLERANCE = 0.005;

/** The media playlists that the master names, with their EXTINF sums: `{ uri, audio, seconds }`. */
function playlistSums(directory) {
  const master = readFileSync(path.join(directory, 'master.m3u8'), 'utf8').split('\n');
  const found = [];
  master.forEach((line, i) => {
    const audio = /^#EXT-X-MEDIA:.*TYPE=AUDIO.*URI="([^"]+)"/.exec(line);
    if (audio) found.push({ uri: audio[1], audio: true });
    if (line.startsWith('#EXT-X-STREAM-INF:')) found.push({ uri: master[i + 1], audio: false });
  });
  for (const playlist of found) {
    const text = readFileSync(path.join(directory, playlist.uri), 'utf8');
    playlist.seconds = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
  }
  return found;
}

async function play(directory, { rate, timeoutMs }) {
  const { chromium } = await import('playwright-core');
  const server = await serve(directory);
  const profile = mkdtempSync(path.join(tmpdir(), 'fragmint-player-'));
  let context;
  try {
    context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: FLAGS,
    });
    const page = await context.newPage();
    await page.goto(`${server.origin}/`);
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js') });
    await page.addScriptTag({ path: fileURLToPath(new URL('page.js', import.meta.url)) });
    const url = `${server.origin}/package/master.m3u8`;
    const asked = { url, rate, seeks: SEEKS, timeoutMs };
    const report = await page.evaluate((options) => window.playPackage(options), asked);
    return { ...report, http: server.failures };
  } finally {
    await context?.close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

function problemsOf(report, sums, frames) {
  const problems = [...new Set([...report.http.map((text) => `HTTP ${text}`), ...report.errors])];
  const check = (holds, problem) => holds || problems.push(problem);
  const show = JSON.stringify;
  const near = (a, b) => Math.abs(a - b) <= TOLERANCE;
  const isWhole = (ranges, seconds) => ranges.length === 1 && near(ranges[0][0], 0) && near(ranges[0][1], seconds);

  const [video] = sums.filter(({ audio }) => !audio);
  const [audio] = sums.filter(({ audio }) => audio);
  const longest = Math.max(...sums.map(({ seconds }) => seconds));
  for (const { uri, seconds, audio } of sums) {
    check(audio || near(seconds, video.seconds), `${uri}: EXTINF sum ${seconds} s, ${video.uri}: ${video.seconds} s`);
  }
  check(report.ended, `not played to the end: at ${report.currentTime} of ${report.duration} s`);
  // The rest is only of interest where the end was reached.
  if (!report.ended) return problems;

  check(near(report.duration, longest), `plays ${report.duration} s, the longest EXTINF sum is ${longest} s`);
  check(isWhole(report.buffered, longest), `buffered ${show(report.buffered)}, expected one range from 0 to ${longest} s`);
  for (const { type, ranges, mostRanges } of report.sourceBuffers) {
    const { uri, seconds } = type.startsWith('audio') ? audio : video;
    check(isWhole(ranges, seconds), `${type} buffered ${show(ranges)}, ${uri} lasts ${seconds} s`);
    check(mostRanges === 1, `${type} had ${mostRanges} separate ranges while it was loaded in order`);
  }
  check(frames === undefined || report.frames.total === frames, `${report.frames.total} frames decoded, not ${frames}`);
  check(report.frames.corrupted === 0, `${report.frames.corrupted} corrupted frames`);
  check(!audio || report.audioBytes > 0, 'no audio was decoded');
  // A busy machine may make hls.js switch once more than it was told to; what it was told must be seen, in order.
  const unseen = report.sizes.reduce((left, size) => (show(size) === show(left[0]) ? left.slice(1) : left), report.expectedSizes);
  check(unseen.length === 0, `shown ${show(report.sizes)}, which lacks ${show(unseen)} of ${show(report.expectedSizes)}`);
  for (const { target, arrived, at } of report.seeks) check(arrived, `the seek to ${target} s ended at ${at} s`);
  for (const { name, heard } of report.languages) check(heard, `nothing is heard after the change to ${name}`);
  return problems;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    frames: { type: 'string' },
    rate: { type: 'string', default: '4' },
    timeout: { type: 'string', default: '90' },
  },
});
try {
  if (positionals.length !== 1) throw new Error('usage: node play.mjs DIRECTORY [--frames N] [--rate R] [--timeout SECONDS]');
  const [directory] = positionals;
  let sums;
  try {
    sums = playlistSums(directory);
  } catch ({ message }) {
    // A playlist that cannot be read is the package's fault, not the harness's.
    console.log(JSON.stringify({ problems: [message] }));
    process.exit(1);
  }
  const report = await play(directory, { rate: Number(values.rate), timeoutMs: Number(values.timeout) * 1000 });
  const problems = problemsOf(report, sums, values.frames === undefined ? undefined : Number(values.frames));
  console.log(JSON.stringify({ problems, ...report }));
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  console.log(JSON.stringify({ harness: error.message }));
  process.exitCode = 2;
}
