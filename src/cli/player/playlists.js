// HLS playlists (RFC 8216) as the page needs them: the tracks that the multivariant playlist names, and the segments of each.
import { directoryName, loadText, shortPath } from "./words.js";

/** `A=1,B="x,y"` as an object. */
function attributes(text) {
  const result = {};
  for (const [, key, value] of text.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g)) {
    result[key] = value.startsWith('"') ? value.slice(1, -1) : value;
  }
  return result;
}

/** Lines of a playlist; throws a sentence when it cannot be had. */
async function playlistLines(url) {
  const lines = (await loadText(url)).split(/\r?\n/).map((line) => line.trim());
  if (lines[0] !== "#EXTM3U") {
    throw new Error(`${shortPath(url)} is not an HLS playlist: its first line is not #EXTM3U.`);
  }
  return lines;
}

/** The multivariant playlist with every media playlist that it names. */
export async function loadHls(url) {
  const base = new URL(url, location.href);
  const variants = [];
  const audio = [];
  let pending = null;
  for (const line of await playlistLines(base)) {
    if (line.startsWith("#EXT-X-STREAM-INF:")) {
      pending = attributes(line.slice(line.indexOf(":") + 1));
    } else if (line.startsWith("#EXT-X-MEDIA:")) {
      const media = attributes(line.slice(line.indexOf(":") + 1));
      if (media.TYPE === "AUDIO" && media.URI) audio.push(audioTrack(media, new URL(media.URI, base).href));
    } else if (line && !line.startsWith("#") && pending) {
      variants.push(variant(pending, new URL(line, base).href));
      pending = null;
    }
  }
  if (variants.length === 0) {
    throw new Error(`${shortPath(base)} names no rendition.`);
  }
  await Promise.all([...variants, ...audio].map(async (track) => (track.segments = await loadSegments(track.id))));
  return { variants, audio };
}

function variant(stream, id) {
  const [width, height] = (stream.RESOLUTION || "").split("x").map(Number);
  return {
    id,
    name: directoryName(id),
    width,
    height,
    frameRate: parseFloat(stream["FRAME-RATE"]),
    codecs: (stream.CODECS || "").split(",").filter(Boolean),
    average: parseInt(stream["AVERAGE-BANDWIDTH"], 10),
    peak: parseInt(stream.BANDWIDTH, 10),
  };
}

function audioTrack(media, id) {
  return {
    id,
    name: media.NAME || directoryName(id),
    language: media.LANGUAGE,
    channels: media.CHANNELS,
    isDefault: media.DEFAULT === "YES",
  };
}

/** Number, start and duration in seconds, and address of each segment of a media playlist, and where a discontinuity is. */
async function loadSegments(url) {
  const segments = [];
  let start = 0;
  let number = 0;
  let duration = null;
  let bytes;
  let discontinuity = false;
  for (const line of await playlistLines(url)) {
    if (line.startsWith("#EXTINF:")) {
      duration = parseFloat(line.slice(8)) || 0;
    } else if (line.startsWith("#EXT-X-MEDIA-SEQUENCE:")) {
      number = parseInt(line.slice(22), 10) || 0;
    } else if (line.startsWith("#EXT-X-BYTERANGE:")) {
      bytes = parseInt(line.slice(17), 10);
    } else if (line === "#EXT-X-DISCONTINUITY") {
      discontinuity = true;
    } else if (line && !line.startsWith("#") && duration !== null) {
      const href = new URL(line, url).href;
      segments.push({ number: number++, start, duration, url: href, bytes, discontinuity, loaded: false });
      start += duration;
      duration = null;
      bytes = undefined;
      discontinuity = false;
    }
  }
  return segments;
}
