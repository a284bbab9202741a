// Offers Shaka Player to shared.js.
'use strict';

window.openPlayer = ({ video, url, say, nextQuality }) => {
  const player = new shaka.Player();
  // A file that is not there will not come: one retry, at once.
  const retryParameters = { maxAttempts: 2, baseDelay: 100, fuzzFactor: 0 };
  player.configure({
    // The estimate decides with what it starts; from then on it is told.
    abr: { enabled: false, defaultBandwidthEstimate: 1, useNetworkInformation: false },
    manifest: { retryParameters },
    // Everything is buffered ahead, so that a slow machine does not look like a package that stalls; and each segment once.
    streaming: { bufferingGoal: 600, bufferBehind: 600, segmentPrefetchLimit: 0, retryParameters, maxDisabledTime: 0 },
  });
  const fail = ({ severity, category, code, data }) => {
    const fatal = severity === shaka.util.Error.Severity.CRITICAL;
    (fatal ? say.fatal : say.error)(`Shaka: category ${category}, code ${code}: ${JSON.stringify(data)}`);
  };
  player.addEventListener('error', ({ detail }) => fail(detail));
  player.addEventListener('stalldetected', () => say.note('Shaka: stalled'));
  player.addEventListener('gapjumped', () => say.error('Shaka: jumped over a gap'));

  const videos = () => [...player.getVideoTracks()].sort((a, b) => a.bandwidth - b.bandwidth);
  const audios = () => player.getAudioTracks();
  const nameOf = ({ label, language }) => label ?? language;
  player.addEventListener('segmentappended', ({ end, contentType }) => {
    if (contentType !== 'video') return;
    const wanted = videos()[nextQuality(end, player.getManifest().presentationTimeline.getDuration())];
    if (!wanted.active) player.selectVideoTrack(wanted, false);
  });
  let loaded = false;
  player
    .attach(video)
    .then(() => player.load(url))
    .then(() => (loaded = true), fail);

  return {
    ready: () => loaded,
    qualities: () => videos().map(({ width, height, codecs }) => ({ width, height, codecs })),
    languages: () => [...audios()].sort((a, b) => b.active - a.active).map(nameOf),
    change: (wanted) => {
      player.selectAudioTrack(audios().find((track) => nameOf(track) === wanted));
      return () => audios().some((track) => track.active && nameOf(track) === wanted);
    },
  };
};
