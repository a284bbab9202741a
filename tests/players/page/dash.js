// Offers dash.js to shared.js.
'use strict';

window.openPlayer = ({ video, url, say, nextQuality }) => {
  const { events } = dashjs.MediaPlayer;
  const player = dashjs.MediaPlayer().create();
  player.updateSettings({
    debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
    streaming: {
      abr: { autoSwitchBitrate: { audio: false, video: false }, initialBitrate: { audio: 1, video: 1 } },
      // Everything is buffered ahead, so that a slow machine does not look like a package that stalls; and each segment once.
      buffer: {
        bufferTimeDefault: 600,
        bufferTimeAtTopQuality: 600,
        bufferTimeAtTopQualityLongForm: 600,
        bufferToKeep: 600,
        fastSwitchEnabled: false,
      },
      // A file that is not there will not come: one retry, at once.
      retryAttempts: { MediaSegment: 1, InitializationSegment: 1, MPD: 1 },
      retryIntervals: { MediaSegment: 100, InitializationSegment: 100, MPD: 100 },
      // Asks a server on the internet for the time.
      utcSynchronization: { enabled: false },
    },
  });
  const fail = ({ error }) => say.fatal(`dash.js: ${error?.code ?? ''} ${error?.message ?? JSON.stringify(error)}`);
  player.on(events.ERROR, fail);
  player.on(events.PLAYBACK_ERROR, fail);
  player.on(events.PLAYBACK_STALLED, () => say.note('dash.js: stalled'));
  let initialized = false;
  player.on(events.STREAM_INITIALIZED, () => (initialized = true));
  const representations = () =>
    [...player.getRepresentationsByType('video')].sort((a, b) => a.bandwidth - b.bandwidth);
  player.on(events.FRAGMENT_LOADING_COMPLETED, ({ request }) => {
    if (request.mediaType !== 'video' || request.type !== 'MediaSegment') return;
    const { id } = representations()[nextQuality(request.startTime + request.duration, player.duration())];
    if (id !== player.getCurrentRepresentationForType('video').id) player.setRepresentationForTypeById('video', id);
  });
  player.initialize(video, url, false);

  const nameOf = (track) => track.labels?.[0]?.text ?? track.lang;
  return {
    ready: () => initialized,
    qualities: () => representations().map(({ width, height, codecs }) => ({ width, height, codecs })),
    languages: () => {
      const current = player.getCurrentTrackFor('audio');
      const others = player.getTracksFor('audio').filter((track) => track !== current);
      return (current ? [current, ...others] : others).map(nameOf);
    },
    change: (wanted) => {
      let rendered = false;
      player.on(events.TRACK_CHANGE_RENDERED, () => (rendered = true));
      player.setCurrentTrack(player.getTracksFor('audio').find((track) => nameOf(track) === wanted));
      return () => rendered;
    },
  };
};
