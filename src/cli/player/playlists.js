// HLS playlists (RFC 8216) as the page needs them: what the multivariant playlist names, and the segments of each track.

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
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error(`${shortPath(url)} cannot be loaded: the server does not answer. Is fragmint play still running?`);
  }
  if (!response.ok) {
    throw new Error(`${shortPath(url)} cannot be loaded: ${response.status} ${response.statusText}.`);
  }
  const lines = (await response.text()).split(/\r?\n/).map((line) => line.trim());
  if (lines[0] !== "#EXTM3U") {
    throw new Error(`${shortPath(url)} is not an HLS playlist: its first line is not #EXTM3U.`);
  }
  return lines;
}

/** The multivariant playlist with every media playlist that it names. */
export async function loadPresentation(url) {
  const base = new URL(url, location.href);
  const variants = [];
  const audio = [];
  let pending = null;
  for (const line of await playlistLines(base)) {
    if (line.startsWith("#EXT-X-STREAM-INF:")) {
      pending = attributes(line.slice(line.indexOf(":") + 1));
    } else if (line.startsWith("#EXT-X-MEDIA:")) {
      const media = attributes(line.slice(line.indexOf(":") + 1));
      if (media.TYPE === "AUDIO") {
        audio.push({ ...media, url: media.URI && new URL(media.URI, base).href });
      }
    } else if (line && !line.startsWith("#") && pending) {
      variants.push({ ...pending, url: new URL(line, base).href });
      pending = null;
    }
  }
  if (variants.length === 0) {
    throw new Error("master.m3u8 names no rendition.");
  }
  const tracks = [...variants, ...audio].filter((track) => track.url);
  await Promise.all(tracks.map(async (track) => (track.segments = await loadSegments(track.url))));
  return { variants, audio };
}

/** Start and duration of each segment of a media playlist, in seconds. */
async function loadSegments(url) {
  const segments = [];
  let start = 0;
  for (const line of await playlistLines(url)) {
    if (line.startsWith("#EXTINF:")) {
      const duration = parseFloat(line.slice(8)) || 0;
      segments.push({ start, duration, loaded: false });
      start += duration;
    }
  }
  return segments;
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
