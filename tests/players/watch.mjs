// Watches the page of a running `fragmint play` in headless Chromium, and says what is wrong with it.
//
//   node watch.mjs URL --renditions N --audio N hls|dash…
//
// For each manifest named, in that order, the first being the one the page begins with: it plays; a rendition and a language
// that are clicked come; the chart shows a line for each track, and tells of the segment under the pointer. Prints one line
// of JSON with `problems`. Exit code 0: none; 1: some; 2: the harness itself failed. Chromium is $CHROMIUM or /usr/bin/chromium.
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--disable-background-media-suspend',
];
const PLAYERS = { hls: 'hls.js', dash: 'dash.js' };
/** A busy machine takes its time; what is broken never comes. */
const PATIENCE = 20_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { renditions: { type: 'string' }, audio: { type: 'string' } },
});
const [url, ...manifests] = positionals;
const problems = [];
const check = (holds, problem) => holds || problems.push(problem);

/** Whether the page comes to a state; the name of the state is the problem if not. */
async function comes(page, name, condition, argument) {
  try {
    await page.waitForFunction(condition, argument, { timeout: PATIENCE });
    return true;
  } catch {
    problems.push(`${name} does not come`);
    return false;
  }
}

async function watch(page, manifest) {
  const playing = ([player]) => {
    const { state, player: now } = document.body.dataset;
    return state === 'error' || (now === player && document.getElementById('video').currentTime > 0.3);
  };
  if (!(await comes(page, `${manifest}: playback`, playing, [PLAYERS[manifest]]))) return;
  const message = await page.locator('#message').innerText();
  check(message === '', `${manifest}: ${message}`);
  if (message !== '') return;

  const count = (selector) => page.locator(selector).count();
  for (const [selector, expected] of [['#renditions tr', values.renditions], ['#audio tr', values.audio]]) {
    check((await count(selector)) === Number(expected), `${manifest}: ${await count(selector)} of ${selector}, not ${expected}`);
  }
  await chooses(page, manifest);
  await draws(page, manifest);
  check((await count('#events .problem')) === 0, `${manifest}: ${await page.locator('#events').textContent()}`);
}

/** Each rendition that is clicked is shown, and the second language is heard. */
async function chooses(page, manifest) {
  for (const index of [0, Number(values.renditions) - 1]) {
    const line = page.locator('#renditions tr').nth(index);
    const size = await line.locator('td').nth(2).innerText();
    await line.click();
    // The video's own size: what the page says could be a wish.
    const shown = (size) => {
      const { videoWidth, videoHeight } = document.getElementById('video');
      return `${videoWidth} × ${videoHeight}` === size && document.getElementById('picture').textContent === size;
    };
    await comes(page, `${manifest}: the picture of ${size}`, shown, size);
    check((await line.locator('.tag').count()) === 1, `${manifest}: ${size} is not marked as chosen`);
  }
  await page.locator('#audio tr').nth(1).click();
  const heard = () => document.querySelectorAll('#audio tr')[1].classList.contains('current');
  await comes(page, `${manifest}: the second language`, heard);
}

/** The chart has a line for each track in its colour, and tells of the segment under the pointer. */
async function draws(page, manifest) {
  const tracks = Number(values.renditions) + Number(values.audio);
  await comes(page, `${manifest}: the legend`, (n) => document.querySelectorAll('#rates-legend > span').length === n, tracks);
  const legend = await page.locator('#rates-legend').innerText();
  check((legend.match(/ [\d.]+ [kM]bit\/s/g) ?? []).length === tracks, `${manifest}: the legend lacks a bit rate: ${legend}`);
  const chart = page.locator('#rates');
  await chart.scrollIntoViewIfNeeded();
  // A pixel of the colour of each key somewhere on the canvas.
  const colours = (n) => {
    const canvas = document.getElementById('rates');
    const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    const there = new Set(pixels);
    const keys = [...document.querySelectorAll('#rates-legend .key')].slice(0, n);
    return keys.every((key) => {
      const [r, g, b] = getComputedStyle(key).backgroundColor.match(/\d+/g).map(Number);
      return there.has(((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
    });
  };
  await comes(page, `${manifest}: a line of each colour`, colours, tracks);
  const { width, height } = await chart.boundingBox();
  await chart.hover({ position: { x: width * 0.6, y: height / 2 } });
  const tip = await page.locator('#rates-tip').innerText();
  const told = /segment (\d+)\s+([\d.]+) s from [\d:]+\s+([\d,]+) bytes, ([\d.]+) ([kM])bit\/s/.exec(tip);
  check(told !== null, `${manifest}: the chart tells ${JSON.stringify(tip)}`);
  if (told === null) return;
  const [, , seconds, bytes, rate, unit] = told;
  const expected = (Number(bytes.replaceAll(',', '')) * 8) / Number(seconds);
  const shown = Number(rate) * (unit === 'M' ? 1e6 : 1e3);
  check(Math.abs(shown - expected) <= Math.max(expected * 0.01, 1000), `${manifest}: ${tip}: ${expected} bit/s by its bytes`);
}

try {
  if (url === undefined || manifests.some((name) => !(name in PLAYERS))) throw new Error('usage: see the head of watch.mjs');
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
    page.on('pageerror', (error) => problems.push(`the page throws ${error.message}`));
    // What the policy of the server forbids is a problem of the page or of the policy.
    page.on('console', (line) => /Content Security Policy/.test(line.text()) && problems.push(line.text()));
    await page.goto(url);
    for (const [index, manifest] of manifests.entries()) {
      if (index > 0) {
        await page.locator(`#manifests [data-manifest=${manifest}]`).click();
        check(new URL(page.url()).hash === `#${manifest}`, `the address ${page.url()} does not remember ${manifest}`);
        await page.reload();
      }
      await watch(page, manifest);
    }
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify({ problems }));
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  console.log(JSON.stringify({ harness: error.message }));
  process.exitCode = 2;
}
