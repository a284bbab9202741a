// Writes small seeds for each target from the example ladder and the streams of the tests: node fuzz/seeds.mjs
// They go to fuzz/corpus, which is not committed; fuzzing also works without, only more slowly at first.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const ladder = (name) => readFileSync(path.join(here, '../examples/ladder', name));
const videos = ['720p.h264', '360p.h264', '234p.h264'];

function write(target, name, ...parts) {
  const directory = path.join(here, 'corpus', target);
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, name), Buffer.concat(parts.map((part) => Buffer.from(part))));
}

/** NAL units of a stream's beginning, whole, without the zero byte of a four-byte start code behind them. */
function nalUnits(stream) {
  const starts = [];
  for (let at = stream.indexOf('000001', 0, 'hex'); at >= 0; at = stream.indexOf('000001', at + 3, 'hex')) starts.push(at + 3);
  const end = (next) => next - (stream[next - 4] === 0 ? 4 : 3);
  return starts.slice(0, -1).map((start, i) => stream.subarray(start, end(starts[i + 1])));
}

for (const name of videos) {
  const units = nalUnits(ladder(name).subarray(0, 100_000));
  // Units cut to their headers keep the order of a real stream in few bytes.
  const short = units.slice(0, 60).flatMap((unit) => [[0, 0, 0, 1], unit.subarray(0, 40)]);
  write('access_units', name, ...short);
  // Part size and head size, then the stream.
  write('scan', name, [255, 40], ...short);
  write('scan', `small-parts-${name}`, [16, 4], ...short);

  // Header length, then the unit: the first of x264 is its settings.
  for (const [at, unit] of units.filter((unit) => (unit[0] & 31) === 6).slice(0, 4).entries()) write('sei', `${at}-${name}`, [0], unit);

  const body = (type) => units.find((unit) => (unit[0] & 31) === type).subarray(1);
  const [sps, pps, slice] = [body(7), body(8), body(5)].map((unit) => unit.subarray(0, 200));
  write('parameter_sets', name, [sps.length, pps.length], sps, pps, slice.subarray(0, 40));
}
const h265 = readdirSync(path.join(here, '../tests/streams')).filter((name) => name.endsWith('.h265'));
for (const name of h265) {
  const units = nalUnits(readFileSync(path.join(here, '../tests/streams', name)).subarray(0, 100_000));
  const type = (unit) => (unit[0] >> 1) & 63;
  // Parameter sets are whole, all other units cut to their headers; x265's settings in an SEI message tell nothing.
  const short = units.slice(0, 60).flatMap((unit) => [[0, 0, 0, 1], unit.subarray(0, type(unit) >= 32 && type(unit) <= 34 ? 200 : 16)]);
  write('h265_access_units', name, ...short);
  // Part size and head size, then the stream.
  write('scan', name, [255, 40], ...short);

  // Header length less one, then the unit.
  for (const [at, unit] of units.filter((unit) => type(unit) === 39).slice(0, 4).entries()) {
    write('sei', `${at}-${name}`, [1], unit.subarray(0, 400));
  }

  // Lengths of the three sets, then these and a slice segment without their headers.
  const body = (number) => units.find((unit) => type(unit) === number).subarray(2, 202);
  const [vps, sps, pps] = [32, 33, 34].map(body);
  const slice = units.find((unit) => type(unit) < 32).subarray(2, 42);
  write('h265_parameter_sets', name, [vps.length, sps.length, pps.length], vps, sps, pps, slice);
}
for (const name of ['en.aac', 'de.aac']) {
  const stream = ladder(name);
  // Options and window size, then frames: whole ones, and a last one that is cut off.
  write('adts', name, [254], stream.subarray(0, 2000));
  write('adts', `drop-incomplete-${name}`, [41], stream.subarray(0, 700));
}
for (const name of ['stereo.ac3', 'mono.eac3']) {
  const stream = readFileSync(path.join(here, '../tests/streams', name));
  // Options and window size, then syncframes: whole ones, and a last one that is cut off.
  write('ac3', name, [254], stream.subarray(0, 1000));
  write('ac3', `drop-incomplete-${name}`, [41], stream.subarray(0, 700));
}
// E-AC-3 by headers alone: 5.1 in three blocks, a dependent substream with a channel map, a second programme; everything twice.
const syncframe = (strmtyp, id, code, rest) =>
  Buffer.concat([Buffer.from([0x0b, 0x77, (strmtyp << 6) | (id << 3), 0x0b, (code << 4) | 0x0f, 0x80, ...rest]), Buffer.alloc(24)]).subarray(0, 24);
const set = [syncframe(0, 0, 2, [0, 4]), syncframe(1, 0, 2, [8, 0x10]), syncframe(0, 1, 2, [0, 0x40])];
write('ac3', 'substreams', [254], ...set, ...set, ...set, ...set);
for (const name of ['180p.ivf', '90p.ivf']) {
  const stream = readFileSync(path.join(here, '../tests/streams', name));
  // Options and window size, then frames, the last of which is cut off. Without the headers of file and frame: OBUs.
  write('ivf', name, [254, 255], stream.subarray(0, 3000));
  write('ivf', `drop-incomplete-${name}`, [41, 9], stream.subarray(0, 1000));
  write('ivf', `obus-${name}`, [254, 64], stream.subarray(32 + 12, 32 + 12 + stream.readUInt32LE(32)));
}
{
  // The temporal units of OBUs, length-delimited: each OBU in a frame unit of its own. Sizes take as many bytes as they need.
  const leb128 = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...leb128(value >> 7)]);
  const sized = (bytes) => Buffer.from([...leb128(bytes.length), ...bytes]);
  const stream = readFileSync(path.join(here, '../tests/streams/hdr10.obu'));
  for (const bare of [false, true]) {
    const units = [];
    for (let at = 0; at < stream.length; ) {
      let [size, head] = [0, at + 1];
      for (let shift = 0; ; shift += 7) {
        size |= (stream[head] & 127) << shift;
        if (stream[head++] < 128) break;
      }
      const [header, payload] = [stream.subarray(at, head), stream.subarray(head, head + size)];
      if (stream[at] === 0x12) units.push([]);
      units.at(-1).push(sized(sized(bare ? [stream[at] & ~2, ...payload] : [...header, ...payload])));
      at = head + size;
    }
    // Options and window size, then temporal units.
    const form = bare ? 'bare' : 'sized';
    write('av1_length_delimited', form, [254, 255], ...units.map((unit) => sized(Buffer.concat(unit))));
    write('av1_length_delimited', `drop-incomplete-${form}`, [41, 9], sized(Buffer.concat(units[0])).subarray(0, 300));
  }
  write('obus', 'hdr10', stream);
}
// Options and window size, then pages: with checksums that are put right (2), and with an incomplete end that is dropped (1).
for (const options of [0, 2, 3, 255]) {
  const stream = readFileSync(path.join(here, '../tests/streams/opus.opus'));
  write('ogg', `opus-${options}`, [options], stream.subarray(0, options === 3 ? stream.length - 40 : stream.length));
}
const vp9 = readFileSync(path.join(here, '../tests/streams/54p-vp9.ivf'));
// Options and window size, then frames, the last of which is cut off; the same packets behind lengths of two bytes.
write('vp9', 'ivf', [1, 200], vp9.subarray(0, 4000));
const vp9Packets = [];
for (let at = 32; at < 5000; at += 12 + vp9.readUInt32LE(at)) {
  vp9Packets.push(vp9.subarray(at, at + 2), vp9.subarray(at + 12, at + 12 + vp9.readUInt32LE(at)));
}
write('vp9', 'packets', ...vp9Packets);
// The number of pictures, then timecode files of both versions.
write('timecodes', 'v2', [3], Buffer.from('# timestamp format v2\n0\n33.366667\n83.416667\n'));
write('timecodes', 'v1', [9], Buffer.from('# timecode format v1\nAssume 25\n0,3,29.97\n5,7,24000/1001\n'));
for (const name of ['fixed.flac', 'variable.flac']) {
  const stream = readFileSync(path.join(here, '../tests/streams', name));
  // Options and window size, then metadata and frames: all of them, and a last one that is cut off.
  write('flac', name, [254], stream);
  write('flac', `drop-incomplete-${name}`, [41], stream.subarray(0, stream.length - 100));
}
// Mastering display, light levels and preferred transfer in one unit, as x264 and x265 have them in three.
const hdr = '891833c286c41d4c0bb884d03e803d1340420098968000000300019004' + '03e801909301' + '1280';
write('sei', 'hdr-h264', [0], Buffer.from(`06${hdr}`, 'hex'));
write('sei', 'hdr-h265', [1], Buffer.from(`4e01${hdr}`, 'hex'));
// Options, then codes: sets and an IDR picture, pushed; pictures in another order than they are shown, cut, from the start
// again. In the sample entry and in band, mapped and buffered; then audio.
const group = [0, 1, 2, 32, 3, 32, 24, 4, 96, 25, 5, 32, 144];
for (const options of [0x00, 0x02, 0x20, 0x46]) {
  write('segmenter_calls', `video-${options}`, [options, 0], group, [0, 1, 6, 27, 32, 3, 8, 32, 184, 9, 145], [6, 33, 12, 33]);
}
write('segmenter_calls', 'audio', [0x01, 0], [227, 1, 2, 3, 32, 226, 9, 9, 100, 144, 225, 7, 32, 176, 225, 8, 32]);

// A track of video and one of sound: kind, format, timescale, first number and time, two segments, then language, name and role.
const word = (text) => [text.length, ...Buffer.from(text)];
const number = (size, value) => [...Buffer.from(value.toString(16).padStart(2 * size, '0'), 'hex')];
const times = (scale, ticks) => [
  ...number(4, scale), ...number(4, 1), ...number(8, 0), 1,
  ...number(4, 250_000), ...number(3, ticks), ...number(4, 125_000), ...number(3, ticks / 2),
];
const size = [...number(2, 1280), ...number(2, 720), ...number(2, 1), ...number(2, 1)];
write('manifests', 'pair', [
  1,
  0x2c, ...size, 9, 14, 9, ...number(4, 30_000), ...number(4, 1001), ...times(30_000, 120_120), 224, 224, 224,
  0x81, ...number(2, 2), ...number(4, 48_000), ...times(48_000, 192_512), ...word('en'), ...word('A & <B>'), ...word('dub'),
]);
// Two tracks of sound with one name, which two groups have.
write('manifests', 'groups', Buffer.from('AdUs6QAAdTAAAAAAAQBhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWEAAAAAA3Vi', 'base64'));
// Options, then edits: kind, place of the file, place in it, and more. A sound package; with a word, a number, a field of a box, and a
// part many times over; and files of nothing but what the edits say.
const places = [...Array(24).keys()];
for (const options of [0, 2, 4, 6]) {
  write('verify', `sound-${options}`, [options]);
  for (const place of places) {
    write('verify', `word-${options}-${place}`, [options, 8, place, 1, place * 13, place + 4]);
    write('verify', `number-${options}-${place}`, [options, 9, place, 0, place * 11, (place * 7) & 255]);
    write('verify', `field-${options}-${place}`, [options, 11, place, 0, 0, place, (place * 3) & 63, place & 15]);
    write('verify', `repeat-${options}-${place}`, [options, 14, place, 0, place * 9, 0, 60, 255, 255]);
  }
}
const playlist = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="video/avc/init.mp4"\n#EXTINF:1,\nvideo/avc/seg-00001.m4s\n#EXT-X-ENDLIST\n';
write('verify', 'playlist', [6, 1, 23, ...number(2, playlist.length), ...Buffer.from(playlist)]);
write('verify', 'playlist-alone', [7, 1, 23, ...number(2, playlist.length), ...Buffer.from(playlist)]);
// Options, what was there before, which files, what lists hold, then places and what is put there.
for (const options of [0x00, 0x0a, 0x11, 0xe4]) {
  write('resume', `empty-${options}`, [options, 0]);
  for (const bytes of [1, 40, 120, 255]) write('resume', `stopped-${bytes}-${options}`, [options, 1, bytes]);
  for (const what of places.slice(0, 20)) {
    const more = (what * 29) & 255;
    write('resume', `journal-${what}-${options}`, [options, 2, 0xff, what, what & 15, more, what & 15, what, more]);
    write('resume', `whole-${what}-${options}`, [options, 6, 0, 0, 15, 0, what & 15, what, more, 15, 22, 0]);
    write('resume', `finished-${what}-${options}`, [options, 0x1e, 0, 0, 15, 0, what & 15, what + 6, more]);
    write('resume', `both-${what}-${options}`, [options, 0x16, 0, 0, what & 15, more, (what + 5) & 15, more ^ 7, what & 15, what, more]);
  }
  // Each path that a list may name and must not.
  for (let path = 0; path < 22; path++) write('resume', `path-${path}-${options}`, [options, 2, 0xff, 0xff, 6, path]);
}
