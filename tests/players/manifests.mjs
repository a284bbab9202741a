// What a package's manifests say of its tracks, for play.mjs to hold the player's account against: for each
// `{ name, audio, seconds }`, its directory, whether it is sound, and the sum of its segments' durations.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inheritAttributes, parse, stringToMpdXml } from 'mpd-parser';

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Seconds that the edit list of an init segment takes off, which are in its segments and are not heard. */
function primingOf(init) {
  const fieldsOf = (box) => init.indexOf(box) + 4;
  if (!init.includes('elst')) return 0;
  // Version and flags, entry_count and segment_duration stand in front of media_time; two times in front of timescale.
  return init.readInt32BE(fieldsOf('elst') + 12) / init.readUInt32BE(fieldsOf('mdhd') + 12);
}

/** By `master.m3u8` and the media playlists that it names. */
export function tracksOfHls(directory) {
  const master = readFileSync(path.join(directory, 'master.m3u8'), 'utf8').split('\n');
  const track = (uri, audio) => {
    const text = readFileSync(path.join(directory, uri), 'utf8');
    const seconds = sum([...text.matchAll(/^#EXTINF:([\d.]+)/gm)].map(([, value]) => Number(value)));
    const init = path.join(directory, path.dirname(uri), /^#EXT-X-MAP:URI="([^"]+)"/m.exec(text)[1]);
    return { name: path.dirname(uri), audio, seconds: seconds - primingOf(readFileSync(init)) };
  };
  return master.flatMap((line, i) => {
    const audio = /^#EXT-X-MEDIA:.*TYPE=AUDIO.*URI="([^"]+)"/.exec(line);
    if (audio) return [track(audio[1], true)];
    return line.startsWith('#EXT-X-STREAM-INF:') ? [track(master[i + 1], false)] : [];
  });
}

/** By `manifest.mpd`. */
export function tracksOfDash(directory) {
  return readMpd(directory).tracks.map(({ segments, audio }) => ({
    name: path.dirname(segments[0]?.uri ?? ''),
    audio,
    seconds: sum(segments.map(({ duration }) => duration)),
  }));
}

/**
 * `manifest.mpd` as mpd-parser understands it: `{ type, seconds, minBufferTime, tracks }`, each track
 * `{ audio, id, mimeType, language, codecs, width, height, frameRate, bandwidth, segments }`, each segment
 * `{ uri, map, time, duration }`. Everything is in seconds, and URIs are relative to the package.
 */
export function readMpd(directory) {
  const text = readFileSync(path.join(directory, 'manifest.mpd'), 'utf8');
  const warnings = [];
  const eventHandler = ({ type, message }) => type === 'warn' && warnings.push(message);
  const options = { manifestUri: 'http://package/manifest.mpd', eventHandler };
  const { duration, playlists, mediaGroups } = parse(text, options);
  if (warnings.length > 0) throw new Error(`manifest.mpd: ${warnings.join('; ')}`);

  // The playlists lack most attributes; each is named by the id of its Representation.
  const { representationInfo } = inheritAttributes(stringToMpdXml(text), options);
  const attributesOf = new Map(representationInfo.map(({ attributes }) => [attributes.id, attributes]));
  const track = ({ attributes: { NAME }, segments }, audio) => {
    const { id, mimeType, lang, codecs, width, height, frameRate, bandwidth } = attributesOf.get(NAME);
    const read = segments.map(({ resolvedUri, map, presentationTime, duration }) => ({
      uri: fileOf(resolvedUri),
      map: map && fileOf(map.resolvedUri),
      time: presentationTime,
      duration,
    }));
    return { audio, id, mimeType, language: lang, codecs, width, height, frameRate, bandwidth, segments: read };
  };
  const groups = Object.values(mediaGroups.AUDIO).flatMap(Object.values);
  const audio = groups.flatMap(({ playlists }) => playlists.map((playlist) => track(playlist, true)));
  const video = playlists.map((playlist) => track(playlist, false));
  const { type, minBufferTime } = representationInfo[0].attributes;
  return { type, seconds: duration, minBufferTime: secondsOf(minBufferTime), tracks: [...video, ...audio] };
}

/** A duration of XML Schema that is hours, minutes and seconds; `null` for any other text. */
function secondsOf(text) {
  const parts = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?$/.exec(text);
  return parts && sum([parts[1] * 3600 || 0, parts[2] * 60 || 0, Number(parts[3] ?? 0)]);
}

const fileOf = (url) => decodeURIComponent(new URL(url).pathname).slice(1);
