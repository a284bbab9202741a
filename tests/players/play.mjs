// Plays a package with hls.js, dash.js or Shaka Player in headless Chromium and says what is wrong with it.
//
//   node play.mjs DIRECTORY [--player hls|dash|shaka] [--frames N] [--rate R] [--timeout SECONDS]
//
// Plays DIRECTORY/master.m3u8, or manifest.mpd for the latter two, to its end with quality switches low, high, low, middle;
// then seeks, and changes to each other language. Prints one line of JSON with `problems`. Exit code 0: none; 1: some; 2: the
// harness itself failed, for example no browser.
// Chromium is $CHROMIUM or /usr/bin/chromium.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tracksOfDash, tracksOfHls } from './manifests.mjs';
import { serve } from './server.mjs';

const USAGE = 'usage: node play.mjs DIRECTORY [--player hls|dash|shaka] [--frames N] [--rate R] [--timeout SECONDS]';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--disable-background-media-suspend',
];
const SEEKS = [0.5, 0.93, 0.02, 0.31, 0.77];
/** Two times that should be equal may differ by this much: above the six decimals of EXTINF, below a frame. */
const TOLERANCE = 0.005;

/**
 * Each player: its script for the page, the manifest it plays, who else reads that; and whether it always loads in order: dash.js
 * may leave a segment out at a change of quality and come back to it.
 */
const PLAYERS = {
  hls: { library: 'hls.js/dist/hls.min.js', manifest: 'master.m3u8', tracksOf: tracksOfHls, inOrder: true },
  dash: { library: 'dashjs/dist/modern/umd/dash.mediaplayer.min.js', manifest: 'manifest.mpd', tracksOf: tracksOfDash, inOrder: false },
  shaka: { library: 'shaka-player/dist/shaka-player.dash.js', manifest: 'manifest.mpd', tracksOf: tracksOfDash, inOrder: true },
};

async function play(directory, name, { rate, timeoutMs }) {
  const { library, manifest } = PLAYERS[name];
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
    const thrown = [];
    page.on('pageerror', ({ message }) => thrown.push(`thrown in the page: ${message}`));
    await page.goto(`${server.origin}/`);
    await page.addScriptTag({ path: fileURLToPath(new URL(`node_modules/${library}`, import.meta.url)) });
    for (const script of [name, 'shared']) {
      await page.addScriptTag({ path: fileURLToPath(new URL(`page/${script}.js`, import.meta.url)) });
    }
    const url = `${server.origin}/package/${manifest}`;
    const asked = { url, rate, seeks: SEEKS, timeoutMs };
    const report = await page.evaluate((options) => window.playPackage(options), asked);
    return { ...report, errors: [...report.errors, ...thrown], http: server.failures, requested: [...server.requested] };
  } finally {
    await context?.close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** What is wrong by `report`, the account of the player, where the manifest has these `tracks`. */
function problemsOf(report, tracks, { frames, inOrder }) {
  const problems = [...new Set([...report.http.map((text) => `HTTP ${text}`), ...report.errors])];
  const check = (holds, problem) => holds || problems.push(problem);
  const show = JSON.stringify;
  const near = (a, b) => Math.abs(a - b) <= TOLERANCE;
  const isWhole = (ranges, seconds) => ranges.length === 1 && near(ranges[0][0], 0) && near(ranges[0][1], seconds);

  const [video] = tracks.filter(({ audio }) => !audio);
  const sound = tracks.filter(({ audio }) => audio);
  const longest = Math.max(...tracks.map(({ seconds }) => seconds));
  for (const { name, seconds, audio } of tracks) {
    check(audio || near(seconds, video.seconds), `${name}: segments of ${seconds} s, ${video.name}: ${video.seconds} s`);
  }
  check(report.ended, `not played to the end: at ${report.currentTime} of ${report.duration} s`);
  // The rest is only of interest where the end was reached.
  if (!report.ended) return problems;

  check(near(report.duration, longest), `plays ${report.duration} s, the longest track's segments last ${longest} s`);
  check(isWhole(report.buffered, longest), `buffered ${show(report.buffered)}, expected one range from 0 to ${longest} s`);
  for (const { type, ranges, mostRanges } of report.sourceBuffers) {
    const { name, seconds } = type.startsWith('audio') ? sound[0] : video;
    check(isWhole(ranges, seconds), `${type} buffered ${show(ranges)}, ${name} lasts ${seconds} s`);
    check(!inOrder || mostRanges === 1, `${type} had ${mostRanges} separate ranges while it was loaded in order`);
  }
  check(frames === undefined || report.frames.total === frames, `${report.frames.total} frames decoded, not ${frames}`);
  check(report.frames.corrupted === 0, `${report.frames.corrupted} corrupted frames`);
  check(sound.length === 0 || report.audioBytes > 0, 'no audio was decoded');
  // A busy machine may make a player switch once more than it was told to; what it was told must be seen, in order.
  const unseen = report.sizes.reduce((left, size) => (show(size) === show(left[0]) ? left.slice(1) : left), report.expectedSizes);
  check(unseen.length === 0, `shown ${show(report.sizes)}, which lacks ${show(unseen)} of ${show(report.expectedSizes)}`);
  for (const { target, arrived, at } of report.seeks) check(arrived, `the seek to ${target} s ended at ${at} s`);
  check(report.languages.length === Math.max(sound.length - 1, 0), `changed language ${report.languages.length} times`);
  for (const { name, heard } of report.languages) check(heard, `nothing is heard after the change to ${name}`);
  for (const { name } of sound) {
    check(report.requested.some((file) => file.startsWith(`${name}/`)), `${name} was never asked for`);
  }
  return problems;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    player: { type: 'string', default: 'hls' },
    frames: { type: 'string' },
    rate: { type: 'string', default: '4' },
    timeout: { type: 'string', default: '90' },
  },
});
try {
  if (positionals.length !== 1 || !(values.player in PLAYERS)) throw new Error(USAGE);
  const [directory] = positionals;
  let tracks;
  try {
    tracks = PLAYERS[values.player].tracksOf(directory);
  } catch ({ message }) {
    // A manifest that cannot be read is the package's fault, not the harness's.
    console.log(JSON.stringify({ problems: [message] }));
    process.exit(1);
  }
  const asked = { rate: Number(values.rate), timeoutMs: Number(values.timeout) * 1000 };
  const report = await play(directory, values.player, asked);
  const frames = values.frames === undefined ? undefined : Number(values.frames);
  const problems = problemsOf(report, tracks, { frames, inOrder: PLAYERS[values.player].inOrder });
  console.log(JSON.stringify({ problems, ...report }));
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  console.log(JSON.stringify({ harness: error.message }));
  process.exitCode = 2;
}
