// Runs inside the page: plays one master playlist with hls.js and tells what happened. Judges nothing.
'use strict';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const rangesOf = (buffered) =>
  Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);

/** Notes what each SourceBuffer was given and what it ever had buffered. */
function watchSourceBuffers() {
  const watched = [];
  const original = MediaSource.prototype.addSourceBuffer;
  MediaSource.prototype.addSourceBuffer = function (type) {
    const buffer = original.call(this, type);
    const record = { type, ranges: [], mostRanges: 0 };
    watched.push(record);
    buffer.addEventListener('updateend', () => {
      // A buffer that was removed from its MediaSource throws here; its last ranges stay in the record.
      if (![...this.sourceBuffers].includes(buffer)) return;
      record.ranges = rangesOf(buffer.buffered);
      record.mostRanges = Math.max(record.mostRanges, record.ranges.length);
    });
    return buffer;
  };
  return watched;
}

const RETRY = { maxNumRetry: 1, retryDelayMs: 100, maxRetryDelayMs: 100 };

/** Level for each fragment number: low, high, low, middle, a quarter of the fragments each. */
function levelPlan(levels) {
  const steps = levels > 1 ? [0, levels - 1, 0, Math.floor(levels / 2)] : [0];
  return { steps, at: (index, count) => steps[Math.min(steps.length - 1, Math.floor((index * steps.length) / count))] };
}

/** Plays `url` to its end at `rate`, switching as planned; then seeks, and changes to each other language. */
window.playPackage = async ({ url, rate, seeks, timeoutMs }) => {
  const report = { errors: [], notes: [], seeks: [], languages: [] };
  const sourceBuffers = watchSourceBuffers();
  const sizes = [];
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  video.addEventListener('error', () => report.errors.push(`video: ${video.error.code} ${video.error.message}`));
  video.addEventListener('resize', () => sizes.push([video.videoWidth, video.videoHeight]));

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
    const harmless = !fatal && ['bufferStalledError', 'aborted'].includes(details);
    (harmless ? report.notes : report.errors).push(text);
  });
  const gone = () => report.errors.some((text) => /fatal|^video/.test(text));

  const parsed = new Promise((done) => hls.once(Hls.Events.MANIFEST_PARSED, done));
  hls.loadSource(url);
  hls.attachMedia(video);
  const deadline = performance.now() + timeoutMs;
  const until = async (condition) => {
    while (!condition() && !gone() && performance.now() < deadline) await sleep(20);
    return condition();
  };

  let ready = false;
  parsed.then(() => (ready = true));
  if (await until(() => ready)) {
    const plan = levelPlan(hls.levels.length);
    report.levels = hls.levels.map(({ width, height, codecs }) => ({ width, height, codecs }));
    report.expectedSizes = plan.steps.map((k) => [hls.levels[k].width, hls.levels[k].height]);
    // As soon as one fragment is there the level of the next can be chosen; earlier, hls.js would abort the request.
    hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => {
      if (frag.type !== 'main' || frag.sn === 'initSegment') return;
      const { startSN, endSN } = hls.levels[frag.level].details;
      hls.loadLevel = plan.at(frag.sn - startSN + 1, endSN - startSN + 1);
    });
    video.defaultPlaybackRate = video.playbackRate = rate;
    video.play().catch((error) => report.errors.push(`play(): ${error.message}`));
    report.ended = await until(() => video.ended);
  }

  const quality = video.getVideoPlaybackQuality();
  report.frames = { total: quality.totalVideoFrames, corrupted: quality.corruptedVideoFrames ?? 0 };
  report.audioBytes = video.webkitAudioDecodedByteCount;
  report.currentTime = video.currentTime;
  report.duration = Number.isFinite(video.duration) ? video.duration : null;
  report.buffered = rangesOf(video.buffered);
  report.sizes = [...sizes];
  report.sourceBuffers = sourceBuffers.map((record) => ({ ...record }));

  const goTo = async (target) => {
    video.playbackRate = 1;
    video.currentTime = target;
    video.play().catch(() => {});
    return until(() => !video.seeking && video.currentTime > target + 0.2 && video.currentTime < target + 5);
  };
  if (report.ended) {
    for (const share of seeks) {
      const target = report.duration * share;
      const arrived = await goTo(target);
      report.seeks.push({ target, arrived, at: video.currentTime });
    }
    for (let track = 1; track < hls.audioTracks.length; track++) {
      let switched = false;
      hls.once(Hls.Events.AUDIO_TRACK_SWITCHED, () => (switched = true));
      hls.audioTrack = track;
      const arrived = (await until(() => switched)) && (await goTo(report.duration * 0.4));
      const before = video.webkitAudioDecodedByteCount;
      const heard = arrived && (await until(() => video.webkitAudioDecodedByteCount > before));
      report.languages.push({ name: hls.audioTracks[track].name, heard });
    }
  }
  return report;
};
