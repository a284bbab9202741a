// A static DASH MPD (ISO/IEC 23009-1) as the page needs it: its tracks, and the segments that a SegmentTemplate gives each. What
// has one id in several Periods is one track. The standard was not opened; names and meanings are those that DASH-IF's guidelines
// quote. Other ways to name segments play all the same, but are not shown.
import { directoryName, loadText, shortPath } from "./words.js";

const own = (parent, name) => [...parent.children].filter((child) => child.localName === name);

/** The manifest as the same tracks that HLS playlists give. */
export async function loadDash(url) {
  const base = new URL(url, location.href);
  const document = new DOMParser().parseFromString(await loadText(base), "text/xml");
  const mpd = document.documentElement;
  if (mpd.localName !== "MPD") {
    throw new Error(`${shortPath(base)} is not a DASH manifest: it is no XML document of an MPD.`);
  }
  const periods = periodsOf(mpd);
  if (periods.length === 0) throw new Error(`${shortPath(base)} has no Period.`);
  const tracks = joined(
    periods.flatMap(({ period, start, duration }) =>
      own(period, "AdaptationSet").flatMap((set, setIndex) =>
        own(set, "Representation").map((representation) => {
          const levels = [mpd, period, set, representation];
          return track(levels, setIndex, { base: baseOf(levels, base), start, end: duration });
        }),
      ),
    ),
  );
  const pictures = tracks.filter((each) => each.kind === "video");
  const sounds = tracks.filter((each) => each.kind === "audio");
  if (pictures.length + sounds.length === 0) {
    throw new Error(`${shortPath(base)} has neither video nor audio.`);
  }
  // Sound alone: its renditions are what a player switches between, if they are of one set.
  if (pictures.length === 0 && sounds.every(({ setIndex }) => setIndex === sounds[0].setIndex)) {
    return { variants: sounds, audio: [] };
  }
  return { variants: pictures.length ? pictures : sounds, audio: sounds };
}

/** Each Period with its start and duration in seconds: of those that it does not tell itself, its neighbours do. */
function periodsOf(mpd) {
  const all = own(mpd, "Period").map((period) => ({
    period,
    start: seconds(period.getAttribute("start")),
    duration: seconds(period.getAttribute("duration")),
  }));
  let end = 0;
  for (const [index, one] of all.entries()) {
    if (Number.isNaN(one.start)) one.start = end;
    const next = all[index + 1]?.start ?? seconds(mpd.getAttribute("mediaPresentationDuration"));
    if (Number.isNaN(one.duration)) one.duration = next - one.start;
    end = one.start + one.duration;
  }
  return all;
}

/** Tracks of all periods ► one for each id, as large as its largest. */
function joined(parts) {
  const tracks = new Map();
  for (const part of parts) {
    const key = `${part.kind} ${part.id}`;
    const before = tracks.get(key);
    if (!before) {
      tracks.set(key, part);
      continue;
    }
    if (part.segments.length) part.segments[0].discontinuity = true;
    before.segments.push(...part.segments);
    before.codecs = [...new Set([...before.codecs, ...part.codecs])];
    before.peak = Math.max(before.peak, part.peak);
    if (part.height > before.height) [before.width, before.height] = [part.width, part.height];
  }
  return [...tracks.values()];
}

/** `PT1H2M3.5S` in seconds. */
function seconds(text) {
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(text || "");
  if (!parts) return NaN;
  const [days, hours, minutes, rest] = parts.slice(1).map((part) => Number(part || 0));
  return ((days * 24 + hours) * 60 + minutes) * 60 + rest;
}

function baseOf(levels, base) {
  return levels.reduce((url, level) => {
    const [given] = own(level, "BaseURL");
    return given ? new URL(given.textContent.trim(), url) : url;
  }, base);
}

function track(levels, setIndex, { base, start, end }) {
  const [, , set, representation] = levels;
  const attribute = (name) => representation.getAttribute(name) ?? set.getAttribute(name);
  const type = attribute("contentType") || attribute("mimeType") || "";
  const segments = templateSegments(levels, base, { start, end });
  const id = representation.getAttribute("id");
  const height = parseInt(attribute("height"), 10);
  const isDefault = own(set, "Role").some((role) => role.getAttribute("value") === "main");
  const label = own(set, "Label")[0]?.textContent.trim();
  return {
    id,
    setIndex,
    kind: type.split("/")[0],
    name: label || rendition(id, segments) || (height ? `${height}p` : set.getAttribute("lang") || id),
    width: parseInt(attribute("width"), 10),
    height,
    frameRate: fraction(attribute("frameRate")),
    codecs: (attribute("codecs") || "").split(",").filter(Boolean),
    average: NaN,
    peak: parseInt(attribute("bandwidth"), 10),
    language: set.getAttribute("lang") || undefined,
    channels: own(representation, "AudioChannelConfiguration")[0]?.getAttribute("value"),
    isDefault,
    segments,
  };
}

/** A path as identifier, or the directory of the segments, names the rendition; of what lies beside the manifest neither. */
function rendition(id, segments) {
  if (id?.includes("/")) return id.slice(id.lastIndexOf("/") + 1);
  const path = segments.length ? shortPath(segments[0].url) : "";
  return path.includes("/") ? directoryName(segments[0].url) : null;
}

function fraction(text) {
  const [numerator, denominator = 1] = (text || "").split("/").map(Number);
  return text ? numerator / denominator : NaN;
}

/**
 * The segments of a SegmentTemplate in a period from `start` on that lasts `end`; of its attributes the innermost holds.
 * None where there is no template.
 */
function templateSegments(levels, base, { start, end }) {
  const templates = levels.flatMap((level) => own(level, "SegmentTemplate"));
  const attribute = (name) => templates.map((each) => each.getAttribute(name)).findLast((value) => value !== null);
  const media = attribute("media");
  if (!media) return [];
  const timescale = Number(attribute("timescale") || 1);
  const offset = Number(attribute("presentationTimeOffset") || 0);
  const timeline = templates.flatMap((each) => own(each, "SegmentTimeline")).at(-1);
  const endTicks = offset + end * timescale;
  const duration = Number(attribute("duration"));
  const times = timeline ? timelineTimes(timeline, endTicks) : evenTimes(duration, offset, endTicks);
  const first = Number(attribute("startNumber") || 1);
  const representation = levels.at(-1);
  return times.map(({ time, duration }, index) => {
    const values = {
      RepresentationID: representation.getAttribute("id"),
      Bandwidth: representation.getAttribute("bandwidth"),
      Number: first + index,
      Time: time,
    };
    return {
      number: first + index,
      start: start + (time - offset) / timescale,
      duration: duration / timescale,
      url: new URL(fill(media, values), base).href,
      loaded: false,
    };
  });
}

/** More than any manifest that a person watches; a repetition count beyond it is damage. */
const MOST_SEGMENTS = 200_000;

function timelineTimes(timeline, end) {
  const times = [];
  const runs = own(timeline, "S");
  let time = 0;
  for (const [index, run] of runs.entries()) {
    const value = (name) => (run.hasAttribute(name) ? Number(run.getAttribute(name)) : null);
    time = value("t") ?? time;
    const duration = value("d");
    // A negative count repeats up to the next run, or to the end of the period.
    const next = runs[index + 1]?.hasAttribute("t") ? Number(runs[index + 1].getAttribute("t")) : end;
    const repeat = value("r") ?? 0;
    const count = repeat >= 0 ? repeat + 1 : Math.ceil((next - time) / duration);
    if (!(duration > 0) || !(times.length + count <= MOST_SEGMENTS)) {
      throw new Error(`The SegmentTimeline cannot be read: its run ${index + 1} has no duration, or no end.`);
    }
    for (let left = count; left > 0; left--, time += duration) times.push({ time, duration });
  }
  return times;
}

function evenTimes(duration, offset, end) {
  const count = Math.ceil((end - offset) / duration);
  if (!(duration > 0) || !(count <= MOST_SEGMENTS)) return [];
  return Array.from({ length: count }, (_, index) => {
    const time = offset + index * duration;
    return { time, duration: Math.min(duration, end - time) };
  });
}

/** `$Number%05d$` and its like; `$$` is a dollar sign. */
function fill(template, values) {
  return template.replace(/\$(?:(\w+)(?:%0(\d+)d)?)?\$/g, (whole, name, width) => {
    if (name === undefined) return "$";
    return name in values ? String(values[name]).padStart(Number(width || 0), "0") : whole;
  });
}
