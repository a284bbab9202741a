// The bit rate of each segment over time: a step line for each rendition. Sizes come from the receipt, which lists every file;
// without one, from HEAD requests, where they are few enough.
import { AXIS_HEIGHT, LABEL_GAP, LABEL_WIDTH, drawAxis, penOf, timeScale } from "./timeline.js";
import { $, bits, clock, element, plural, segmentAt, shortPath } from "./words.js";

const RECEIPT = "/fragmint.json";
/** Most segments that are asked for one by one, and how many at a time. */
const MOST_REQUESTS = 600;
const AT_A_TIME = 6;

const HEIGHT = 200;
const TOP = 10;
/** Between a segment and what is told of it. */
const TIP_GAP = 10;
/** Colours in the style sheet, `--series-0` and on; further tracks have them again, dashed. */
const SERIES = 8;

/** Where the pointer is over the chart, in CSS pixels; none outside of it. */
let pointer = null;

/** Gives every segment its `bytes`, as far as they can be known; says what to tell a person of that. */
export async function loadSizes(tracks) {
  const sizes = await receiptSizes();
  const segments = tracks.flatMap((track) => track.segments);
  for (const segment of segments) segment.bytes ??= sizes?.get(shortPath(segment.url));
  const unknown = segments.filter(({ bytes }) => bytes === undefined);
  const receipt = sizes ? "fragmint.json does not list" : "Without fragmint.json the page does not know the size of";
  if (unknown.length > MOST_REQUESTS) {
    return `${receipt} ${plural(unknown.length, "segment")}, too many to ask for one by one.`;
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, () => askFor(unknown)));
  const missing = segments.filter(({ bytes }) => bytes === undefined).length;
  return missing ? `${plural(missing, "segment")} cannot be had; there the lines have gaps.` : "";
}

async function receiptSizes() {
  try {
    const { files } = await (await fetch(RECEIPT)).json();
    return new Map(files.map(({ path, bytes }) => [path, bytes]));
  } catch {
    return null;
  }
}

async function askFor(segments) {
  for (let segment = segments.pop(); segment; segment = segments.pop()) {
    try {
      const response = await fetch(segment.url, { method: "HEAD" });
      const length = response.ok ? response.headers.get("Content-Length") : null;
      if (length !== null) segment.bytes = Number(length);
    } catch {
      return;
    }
  }
}

const rate = ({ bytes, duration }) => (bytes === undefined || !(duration > 0) ? NaN : (bytes * 8) / duration);

/** Bit/s of the whole track, from its segments. */
export function averageRate({ segments }) {
  const known = segments.filter(({ bytes }) => bytes !== undefined);
  const sum = (field) => known.reduce((total, segment) => total + segment[field], 0);
  return (sum("bytes") * 8) / sum("duration");
}

/** Round values from 0 to at least `most`, three to six of them. */
function ticks(most) {
  const power = 10 ** Math.floor(Math.log10(most / 3));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor * 5 >= most);
  const count = Math.max(1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** The names of the tracks beside their colours. */
export function showLegend(tracks) {
  const items = tracks.map((track, index) => {
    const item = element("span");
    const key = element("span", undefined, `key series series-${index % SERIES}`);
    if (index >= SERIES) key.classList.add("dashed");
    item.append(key, `${track.name}, ${bits(averageRate(track))}`);
    return item;
  });
  $("rates-legend").replaceChildren(...items);
}

/** Draws the lines; those of `playing` are bold, and below the first of them it is filled. */
export function drawRates(tracks, playing) {
  const known = tracks.filter((track) => track.segments.some((segment) => rate(segment) > 0));
  $("rates-section").hidden = known.length === 0 && $("rates-hint").hidden;
  $("rates-stage").hidden = $("rates-legend").hidden = known.length === 0;
  if (known.length === 0) return;
  const canvas = $("rates");
  const drawing = penOf(canvas, HEIGHT);
  const scale = timeScale(canvas, tracks);
  const most = known.reduce((top, { segments }) => segments.reduce((top, each) => Math.max(top, rate(each) || 0), top), 1);
  const values = ticks(most);
  const bottom = HEIGHT - AXIS_HEIGHT - 2;
  // In the middle of a row of pixels, so that lines are sharp.
  const y = (value) => Math.round(bottom - (value / values.at(-1)) * (bottom - TOP)) + 0.5;
  drawValues(drawing, values, y);
  const lines = tracks.map(({ id, segments }, index) => {
    return { id, index, isBold: playing.includes(id), pieces: steps(segments, scale) };
  });
  // Under the lines, so that it dims none of them; and of these what plays is the last, over the others.
  const filled = lines.find(({ id }) => id === playing[0]);
  if (filled) drawArea(drawing, filled, y, bottom);
  lines.sort((a, b) => a.isBold - b.isBold);
  for (const line of lines) drawLine(drawing, line, y);
  drawAxis(drawing, scale, HEIGHT);
  showTip(drawing, tracks, scale, y);
}

function drawValues({ pen, width, colour }, values, y) {
  const most = values.at(-1);
  const [unit, word] = most >= 1e6 ? [1e6, "Mbit/s"] : most >= 1e3 ? [1e3, "kbit/s"] : [1, "bit/s"];
  pen.textAlign = "right";
  for (const [index, value] of values.entries()) {
    pen.fillStyle = colour("line");
    pen.fillRect(LABEL_WIDTH, y(value) - 0.5, width - LABEL_WIDTH, 1);
    pen.fillStyle = colour("quiet");
    const text = String(Number((value / unit).toPrecision(6)));
    pen.fillText(index === values.length - 1 ? `${text} ${word}` : text, LABEL_WIDTH - LABEL_GAP, y(value));
  }
  pen.textAlign = "left";
}

/** One piece of a line: from `left` to `right`, at `mean`, between `least` and `most`. */
function steps(segments, { perSecond, x }) {
  const pieces = [];
  for (const segment of segments) {
    const value = rate(segment);
    const [left, right] = [x(segment.start), x(segment.start + segment.duration)];
    const last = pieces.at(-1);
    // What is narrower than two pixels is put together: its mean, and its range behind it.
    if (last && segment.duration * perSecond < 2 && right - last.left < 2 && !Number.isNaN(value + last.mean)) {
      last.bits += value * segment.duration;
      last.seconds += segment.duration;
      Object.assign(last, { right, mean: last.bits / last.seconds });
      Object.assign(last, { least: Math.min(last.least, value), most: Math.max(last.most, value) });
    } else {
      const { duration } = segment;
      pieces.push({ left, right, mean: value, least: value, most: value, bits: value * duration, seconds: duration });
    }
  }
  return pieces;
}

function drawArea({ pen, colour }, { index, pieces }, y, bottom) {
  pen.fillStyle = colour(`series-${index % SERIES}`);
  pen.globalAlpha = 0.14;
  for (const { left, right, mean } of pieces) {
    if (!Number.isNaN(mean)) pen.fillRect(left, y(mean), right - left, bottom - y(mean));
  }
  pen.globalAlpha = 1;
}

function drawLine({ pen, colour }, { index, isBold, pieces }, y) {
  pen.strokeStyle = pen.fillStyle = colour(`series-${index % SERIES}`);
  pen.lineWidth = isBold ? 2 : 1.25;
  pen.setLineDash(index < SERIES ? [] : [5, 3]);
  pen.globalAlpha = 0.3;
  for (const { left, right, least, most } of pieces) {
    if (most > least) pen.fillRect(left, y(most), right - left, y(least) - y(most));
  }
  pen.globalAlpha = 1;
  pen.beginPath();
  let before = NaN;
  for (const { left, right, mean } of pieces) {
    // A gap where a size is not known.
    if (!Number.isNaN(mean)) {
      if (Number.isNaN(before)) pen.moveTo(left, y(mean));
      else pen.lineTo(left, y(mean));
      pen.lineTo(right, y(mean));
    }
    before = mean;
  }
  pen.stroke();
  pen.setLineDash([]);
}

/** The segment under the pointer: of the tracks that have one at that time, the one whose line is nearest. */
function underPointer(tracks, { perSecond }, y) {
  const time = (pointer.x - LABEL_WIDTH) / perSecond;
  let nearest = null;
  for (const [index, track] of tracks.entries()) {
    const segment = track.segments[segmentAt(track.segments, time)];
    if (!segment || Number.isNaN(rate(segment))) continue;
    const distance = Math.abs(y(rate(segment)) - pointer.y);
    if (!nearest || distance < nearest.distance) nearest = { track, segment, index, distance };
  }
  return nearest;
}

function showTip({ pen, width, colour }, tracks, scale, y) {
  const found = pointer && underPointer(tracks, scale, y);
  $("rates-tip").hidden = !found;
  if (!found) return;
  const { track, segment, index } = found;
  const [left, right] = [scale.x(segment.start), scale.x(segment.start + segment.duration)];
  // A segment too narrow to see is marked by a dot in its place.
  const [middle, radius] = [(left + right) / 2, 3.5];
  pen.fillStyle = colour("text");
  pen.beginPath();
  if (right - left < 2 * radius) pen.arc(middle, y(rate(segment)), radius, 0, 2 * Math.PI);
  else pen.rect(left, y(rate(segment)) - 2, right - left, 4);
  pen.fill();
  const name = element("strong", track.name);
  name.prepend(element("span", undefined, `key series series-${index % SERIES}`));
  const lasts = `${segment.duration.toFixed(3)} s from ${clock(segment.start)}`;
  const size = `${segment.bytes.toLocaleString("en")} bytes, ${bits(rate(segment))}`;
  const tip = $("rates-tip");
  tip.replaceChildren(name, ...[`segment ${segment.number}`, lasts, size].map((text) => element("span", text)));
  // Beside the segment, on the side that has room.
  tip.style.left = middle > width / 2 ? "auto" : `${right + TIP_GAP}px`;
  tip.style.right = middle > width / 2 ? `${width - left + TIP_GAP}px` : "auto";
}

/** Calls `draw` whenever the pointer is elsewhere over the chart. */
export function followPointer(draw) {
  const at = (place) => {
    pointer = place;
    draw();
  };
  $("rates").addEventListener("pointermove", ({ offsetX, offsetY }) => at({ x: offsetX, y: offsetY }));
  $("rates").addEventListener("pointerleave", () => at(null));
}
