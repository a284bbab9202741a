// Runs inside the page: plays one manifest with the player that another script of this directory offers, and tells what
// happened. Judges nothing.
//
// That script sets `window.openPlayer`, a function of `{ video, url, say, nextQuality }`. It opens `url` in `video` and returns
//   ready()        whether the manifest is read, so that the rest may be asked
//   qualities()    `{ width, height, codecs }` of each video rendition, the lowest bit rate first
//   languages()    the names of the sound, that which plays first
//   change(name)   changes to another of them; returns a function that says whether the player has done it
//
// It starts with the lowest quality and calls `nextQuality(end, duration)` whenever a video segment was loaded: where it ends and
// how long the whole lasts, in seconds. The answer is the quality, by its place in `qualities()`, of all segments behind it.
// `say.fatal`, `say.error` and `say.note` take what the player complains of.
'use strict';

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A player that does not move for so long hangs, on a busy machine too. */
const PATIENCE_MS = 30_000;

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

/** Low, high, low, middle, a quarter of the segments each. */
const stepsOf = (qualities) => (qualities > 1 ? [0, qualities - 1, 0, Math.floor(qualities / 2)] : [0]);

/** Plays `url` to its end at `rate`, switching as planned; then seeks, and changes to each other language. */
window.playPackage = async ({ url, rate, seeks, timeoutMs }) => {
  const report = { errors: [], notes: [], seeks: [], languages: [] };
  const sourceBuffers = watchSourceBuffers();
  const sizes = [];
  let gone = false;
  const say = {
    note: (text) => report.notes.push(text),
    error: (text) => report.errors.push(text),
    fatal: (text) => {
      report.errors.push(text);
      gone = true;
    },
  };
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  video.addEventListener('error', () => say.fatal(`video: ${video.error.code} ${video.error.message}`));
  video.addEventListener('resize', () => sizes.push([video.videoWidth, video.videoHeight]));

  const nextQuality = (end, duration) => {
    const steps = stepsOf(player.qualities().length);
    // The twentieth makes up for roundings, and for sound that lasts longer than the video.
    return steps[Math.min(steps.length - 1, Math.floor((end / duration) * steps.length + 0.05))];
  };
  const player = window.openPlayer({ video, url, say, nextQuality });
  const deadline = performance.now() + timeoutMs;
  const until = async (condition) => {
    let [time, since] = [video.currentTime, performance.now()];
    while (!condition() && !gone && performance.now() < Math.min(deadline, since + PATIENCE_MS)) {
      await sleep(20);
      if (video.currentTime !== time) [time, since] = [video.currentTime, performance.now()];
    }
    return condition();
  };

  if (await until(() => player.ready())) {
    const qualities = player.qualities();
    report.qualities = qualities;
    report.expectedSizes = stepsOf(qualities.length).map((k) => [qualities[k].width, qualities[k].height]);
    video.defaultPlaybackRate = video.playbackRate = rate;
    video.play().catch((error) => say.error(`play(): ${error.message}`));
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
    for (const name of player.languages().slice(1)) {
      const isChanged = player.change(name);
      const arrived = (await until(isChanged)) && (await goTo(report.duration * 0.4));
      const before = video.webkitAudioDecodedByteCount;
      const heard = arrived && (await until(() => video.webkitAudioDecodedByteCount > before));
      report.languages.push({ name, heard });
    }
  }
  return report;
};
