// Offers hls.js to shared.js.
'use strict';

const RETRY = { maxNumRetry: 1, retryDelayMs: 100, maxRetryDelayMs: 100 };

window.openPlayer = ({ video, url, say, nextQuality }) => {
  const hls = new Hls({
    startLevel: 0,
    testBandwidth: false,
    enableWorker: false,
    backBufferLength: Infinity,
    // Everything is buffered ahead, so that a slow machine does not look like a package that stalls.
    maxBufferLength: 600,
    maxMaxBufferLength: 600,
    // A file that is not there will not come: one retry, at once.
    fragLoadPolicy: { default: { ...Hls.DefaultConfig.fragLoadPolicy.default, errorRetry: RETRY } },
  });
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, frag, error }) => {
    const text = `hls.js: ${fatal ? 'fatal ' : ''}${type} ${details} ${frag?.relurl ?? ''} ${error?.message ?? ''}`.trim();
    // A stall that ends by itself comes from a busy machine too; what a bad package causes shows in the buffered ranges,
    // the number of frames or a nudge over a hole. "aborted" is hls.js cancelling a request of its own, after a seek.
    const harmless = ['bufferStalledError', 'aborted'].includes(details);
    (fatal ? say.fatal : harmless ? say.note : say.error)(text);
  });
  let parsed = false;
  hls.once(Hls.Events.MANIFEST_PARSED, () => (parsed = true));
  // As soon as one fragment is there the level of the next can be chosen; earlier, hls.js would abort the request.
  hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => {
    if (frag.type !== 'main' || frag.sn === 'initSegment') return;
    hls.loadLevel = nextQuality(frag.start + frag.duration, hls.levels[frag.level].details.totalduration);
  });
  hls.loadSource(url);
  hls.attachMedia(video);

  return {
    ready: () => parsed,
    qualities: () => hls.levels.map(({ width, height, codecs }) => ({ width, height, codecs })),
    languages: () => hls.audioTracks.map(({ name }) => name),
    change: (wanted) => {
      let switched = false;
      hls.once(Hls.Events.AUDIO_TRACK_SWITCHED, () => (switched = true));
      hls.audioTrack = hls.audioTracks.findIndex(({ name }) => name === wanted);
      return () => switched;
    },
  };
};
