// Reads the playlists of a package with npm's hls-parser in strict mode and prints what it understood.
//
//   node parse.mjs DIRECTORY
//
// One line of JSON: `{ problems, variants, audio, playlists }`, `playlists` by URI. Exit code 0: the playlists parse; 1: one
// does not; 2: the harness itself failed.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import HLS from 'hls-parser';

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: node parse.mjs DIRECTORY');
  process.exit(2);
}
HLS.setOptions({ strictMode: true });

const problems = [];
function parse(uri) {
  try {
    return HLS.parse(readFileSync(path.join(directory, uri), 'utf8'));
  } catch (error) {
    problems.push(`${uri}: ${error.message}`);
    return undefined;
  }
}

const master = parse('master.m3u8');
const variants = master?.variants ?? [];
const audio = new Map(variants.flatMap((variant) => variant.audio).map((rendition) => [rendition.uri, rendition]));
const playlists = {};
for (const uri of [...variants.map((variant) => variant.uri), ...audio.keys()]) {
  const playlist = parse(uri);
  if (playlist === undefined) continue;
  playlists[uri] = {
    targetDuration: playlist.targetDuration,
    type: playlist.playlistType,
    endlist: playlist.endlist,
    map: playlist.segments[0]?.map?.uri,
    segments: playlist.segments.map(({ uri, duration }) => ({ uri, duration })),
  };
}
console.log(JSON.stringify({
  problems,
  variants: variants.map(({ uri, bandwidth, averageBandwidth, codecs, resolution, frameRate, audio }) => ({
    uri, bandwidth, averageBandwidth, codecs, resolution, frameRate, audio: audio.map(({ uri }) => uri),
  })),
  audio: [...audio.values()].map(({ uri, name, language, isDefault, channels }) => ({ uri, name, language, isDefault, channels })),
  playlists,
}));
process.exitCode = problems.length === 0 ? 0 : 1;
