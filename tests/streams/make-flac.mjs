// Makes the FLAC streams next to this script from FFmpeg's own sources: 3 s at 8 kHz. The results are committed; run this only to change
// them: node make-flac.mjs. Same bytes again with Debian 12's FFmpeg 5.1.
//
//   fixed.flac     stereo, 16 bits, blocks of 1024, the last one shorter; comment and padding behind STREAMINFO
//   variable.flac  mono, 24 bits, at 96 kHz: parts of 0.03 s, encoded in blocks of 1152, 576 and 2304 in turn, joined as one stream of variable
//                  block size, which FFmpeg does not encode: bit of the blocking strategy, sample numbers and checksums are
//                  written anew, and so is STREAMINFO, with FFmpeg's MD5 of the whole sound
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'make-flac-'));
const ffmpeg = (...words) =>
  execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', '-bitexact', ...words]);

const crc = (bytes, bits, polynomial) => {
  let rest = 0;
  for (const byte of bytes) {
    rest ^= byte << (bits - 8);
    for (let i = 0; i < 8; i++) rest = rest & (1 << (bits - 1)) ? (rest << 1) ^ polynomial : rest << 1;
  }
  return rest & ((1 << bits) - 1);
};

// Frames of a stream that FFmpeg encoded with numbers below 128: header of 6 bytes, or 7 or 8 where the block size stands behind.
const framesOf = (stream) => {
  let at = 4;
  for (let last = false; !last; ) {
    last = (stream[at] & 0x80) !== 0;
    at += 4 + stream.readUIntBE(at + 1, 3);
  }
  const frames = [];
  for (let end = at + 1; end <= stream.length; end++) {
    const next = stream[end] === 0xff && stream[end + 1] === 0xf8 && stream[end + 4] === frames.length + 1;
    if ((next || end === stream.length) && crc(stream.subarray(at, end), 16, 0x8005) === 0) {
      frames.push(stream.subarray(at, end));
      at = end;
    }
  }
  return frames;
};

const utf8 = (number) => {
  if (number < 0x80) return [number];
  if (number < 0x800) return [0xc0 | (number >> 6), 0x80 | (number & 0x3f)];
  return [0xe0 | (number >> 12), 0x80 | ((number >> 6) & 0x3f), 0x80 | (number & 0x3f)];
};

// The same frame at a sample number.
const renumbered = (frame, sample) => {
  const behind = { 6: 1, 7: 2 }[frame[2] >> 4] ?? 0;
  const header = [0xff, 0xf9, frame[2], frame[3], ...utf8(sample), ...frame.subarray(5, 5 + behind)];
  header.push(crc(header, 8, 0x07));
  const body = [...header, ...frame.subarray(5 + behind + 1, -2)];
  const sum = crc(body, 16, 0x8005);
  return Buffer.from([...body, sum >> 8, sum & 0xff]);
};

ffmpeg('-f', 'lavfi', '-i', "aevalsrc='0.004*sin(440*2*PI*t)|0.004*sin(550*2*PI*t)':s=8000:d=3", '-c:a', 'flac',
  '-sample_fmt', 's16', '-frame_size', '1024', '-metadata', 'title=sound', '-metadata_header_padding', '100', path.join(here, 'fixed.flac'));

const part = 2880;
const sizes = [1152, 576, 2304, 1152];
const sound = path.join(scratch, 'sound.wav');
ffmpeg('-f', 'lavfi', '-i', `aevalsrc='0.4*sin(440*2*PI*t)':s=96000:d=${(part * sizes.length) / 96000}`, '-c:a', 'pcm_s24le', sound);
const encode = (name, ...words) => {
  const file = path.join(scratch, name);
  ffmpeg('-i', sound, ...words, '-c:a', 'flac', '-sample_fmt', 's32', '-bits_per_raw_sample', '24', '-strict', '-2', file);
  return readFileSync(file);
};
const info = Buffer.from(encode('whole.flac').subarray(8, 42));
info.writeUInt16BE(576, 0);
info.writeUInt16BE(2304, 2);
// Sizes of frames: not known.
info.fill(0, 4, 10);
let sample = 0;
const frames = sizes.flatMap((size, index) => {
  const trim = `atrim=start_sample=${index * part}:end_sample=${(index + 1) * part}`;
  const own = framesOf(encode(`${index}.flac`, '-af', trim, '-frame_size', String(size)));
  return own.map((frame, nth) => {
    const numbered = renumbered(frame, sample);
    sample += Math.min(size, part - nth * size);
    return numbered;
  });
});
writeFileSync(path.join(here, 'variable.flac'), Buffer.concat([Buffer.from('fLaC\x80\0\0\x22', 'latin1'), info, ...frames]));
rmSync(scratch, { recursive: true });
