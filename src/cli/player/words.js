// Small things that every part of the page uses: elements, and numbers as words.

export const $ = (id) => document.getElementById(id);

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A bit rate, rounded for reading. */
export function bits(bps) {
  if (!Number.isFinite(bps)) return "–";
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(bps >= 1e8 ? 0 : 2)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (n) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

export function languageName(tag) {
  if (!tag) return "–";
  try {
    const name = new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
    return name && name !== tag ? `${name} (${tag})` : tag;
  } catch {
    return tag;
  }
}

/** The path of a URL below the served directory, for people. */
export function shortPath(url) {
  const path = new URL(url, location.href).pathname.slice(1);
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The directory of a file names the rendition. */
export function directoryName(url) {
  const parts = shortPath(url).split("/");
  return parts[parts.length - 2] || parts[0];
}

/** The text of a file of the package; throws a sentence when it cannot be had. */
export async function loadText(url) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error(`${shortPath(url)} cannot be loaded: the server does not answer. Is fragmint play still running?`);
  }
  if (!response.ok) {
    throw new Error(`${shortPath(url)} cannot be loaded: ${response.status} ${response.statusText}.`);
  }
  return response.text();
}

/** Seconds that the segments of a track last together. */
export function totalDuration({ segments }) {
  const last = segments?.at(-1);
  return last ? last.start + last.duration : 0;
}

/** The place of the segment that plays at `time`, or -1. */
export function segmentAt(segments, time) {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  const found = segments[low - 1];
  return found && time < found.start + found.duration ? low - 1 : -1;
}
