// Three engines that play into one video element: the browser's own HLS, hls.js, and dash.js. Each says what plays and
// takes wishes. The last two are loaded from where the server says.
import { $, shortPath } from "./words.js";

const video = $("video");
const { dataset } = document.body;

/** `page` is what an engine tells: `logEvent`, `fail`, and the tracks of `presentation`. */
class Engine {
  canForce = false;

  constructor(url, presentation, page) {
    this.url = url;
    this.presentation = presentation;
    this.page = page;
  }

  find(id) {
    return this.presentation.variants.find((variant) => variant.id === id) || null;
  }

  /** Marks the segment of a track around `time`. */
  loaded(id, time) {
    for (const track of [...this.presentation.variants, ...this.presentation.audio]) {
      if (track.id !== id) continue;
      const segment = track.segments.find(({ start, duration }) => time >= start && time < start + duration);
      if (segment) segment.loaded = true;
    }
  }

  connection() {
    return NaN;
  }
}

/** The browser plays HLS itself: it chooses renditions alone and tells only the size of the picture. */
export class NativeEngine extends Engine {
  name = "native";
  title = "the browser's own HLS";

  start() {
    video.src = this.url;
  }

  stop() {
    video.removeAttribute("src");
    video.load();
  }

  currentVariant() {
    const { variants } = this.presentation;
    const same = variants.filter(({ width, height }) => width === video.videoWidth && height === video.videoHeight);
    return same.length === 1 ? same[0] : null;
  }

  nativeTracks() {
    return [...(video.audioTracks || [])];
  }

  currentAudio() {
    const enabled = this.nativeTracks().find((track) => track.enabled);
    return this.presentation.audio.find((media) => enabled && media.name === enabled.label) || null;
  }

  canChooseAudio() {
    return this.nativeTracks().length > 1;
  }

  chooseAudio(media) {
    for (const track of this.nativeTracks()) track.enabled = track.label === media.name;
  }
}

/** hls.js feeds the browser's media source. */
export class HlsJsEngine extends Engine {
  name = "hls.js";
  canForce = true;

  start() {
    const { Hls } = window;
    this.title = `hls.js ${Hls.version}`;
    this.hls = new Hls();
    this.hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    this.hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
      const variant = this.find(this.levelUrl(this.hls.levels[level]));
      if (variant) this.page.logEvent(`rendition ${variant.name}`);
    });
    this.hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, (_, { id }) => {
      const track = this.hls.audioTracks.find((each) => each.id === id);
      if (track) this.page.logEvent(`audio ${track.name}`);
    });
    this.hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
      if (!Number.isInteger(frag.sn)) return;
      this.loaded(new URL(frag.baseurl, location.href).href, frag.start + frag.duration / 2);
    });
    this.hls.loadSource(this.url);
    this.hls.attachMedia(video);
  }

  stop() {
    this.hls.destroy();
  }

  levelUrl(level) {
    return Array.isArray(level.url) ? level.url[0] : level.url;
  }

  currentVariant() {
    const level = this.hls.levels[this.hls.currentLevel];
    return level ? this.find(this.levelUrl(level)) : null;
  }

  forcedVariant() {
    if (this.hls.autoLevelEnabled) return null;
    const level = this.hls.levels[this.hls.loadLevel];
    return level ? this.find(this.levelUrl(level)) : null;
  }

  /** `null` gives the choice back to the player. */
  force(variant) {
    this.hls.nextLevel = variant ? this.hls.levels.findIndex((level) => this.levelUrl(level) === variant.id) : -1;
  }

  currentAudio() {
    const track = this.hls.audioTracks[this.hls.audioTrack];
    return (track && this.presentation.audio.find((media) => media.id === track.url)) || null;
  }

  canChooseAudio() {
    return this.hls.audioTracks.length > 1;
  }

  chooseAudio(media) {
    const index = this.hls.audioTracks.findIndex((track) => track.url === media.id);
    if (index >= 0) this.hls.audioTrack = index;
  }

  connection() {
    return this.hls.bandwidthEstimate;
  }

  onError(data) {
    const place = data.frag?.url || data.url || data.context?.url;
    const status = data.response?.code ? `, status ${data.response.code}` : "";
    const reason = data.error?.message || data.reason || "";
    const text = `${data.details}${place ? ` at ${shortPath(place)}` : ""}${status}${reason ? `: ${reason}` : ""}`;
    if (data.fatal) {
      this.page.fail(`Playback stopped: ${text}.`, "The list of events below tells what came before.");
    } else {
      this.page.logEvent(text, true);
    }
  }
}

/** dash.js feeds the browser's media source. */
export class DashJsEngine extends Engine {
  name = "dash.js";
  canForce = true;

  start() {
    const { MediaPlayer } = window.dashjs;
    this.forced = null;
    this.player = MediaPlayer().create();
    this.title = `dash.js ${this.player.getVersion()}`;
    const { events } = MediaPlayer;
    this.player.updateSettings({ debug: { logLevel: 0 } });
    this.player.on(events.ERROR, ({ error }) => this.onError(error));
    this.player.on(events.PLAYBACK_ERROR, ({ error }) => this.onError(error));
    this.player.on(events.QUALITY_CHANGE_RENDERED, ({ newRepresentation }) => {
      const variant = this.find(newRepresentation?.id);
      if (variant) this.page.logEvent(`rendition ${variant.name}`);
    });
    this.player.on(events.TRACK_CHANGE_RENDERED, ({ mediaType, newMediaInfo }) => {
      const media = mediaType === "audio" && this.audioOf(newMediaInfo);
      if (media) this.page.logEvent(`audio ${media.name}`);
    });
    this.player.on(events.FRAGMENT_LOADING_COMPLETED, ({ request, error }) => {
      if (error || request.type !== "MediaSegment") return;
      this.loaded(request.representation?.id, request.startTime + request.duration / 2);
    });
    this.player.initialize(video, this.url, false);
  }

  stop() {
    this.player.destroy();
  }

  /** What the renditions of the first table are: sound, where there is nothing to see. */
  type() {
    return this.presentation.variants[0].kind;
  }

  currentVariant() {
    return this.find(this.player.isReady() && this.player.getCurrentRepresentationForType(this.type())?.id);
  }

  forcedVariant() {
    return this.forced;
  }

  /** `null` gives the choice back to the player. */
  force(variant) {
    this.forced = variant;
    this.player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { [this.type()]: !variant } } } });
    // The buffer in front is loaded anew: who clicks wants to see it.
    if (variant) this.player.setRepresentationForTypeById(this.type(), variant.id, true);
  }

  audioOf(media) {
    return this.presentation.audio.find(({ setIndex }) => media && setIndex === media.index) || null;
  }

  currentAudio() {
    return this.audioOf(this.player.isReady() && this.player.getCurrentTrackFor("audio"));
  }

  canChooseAudio() {
    return this.player.isReady() && this.player.getTracksFor("audio").length > 1;
  }

  chooseAudio(media) {
    const track = this.player.getTracksFor("audio").find(({ index }) => index === media.setIndex);
    if (track) this.player.setCurrentTrack(track);
  }

  connection() {
    return this.player.isReady() ? this.player.getAverageThroughput(this.type()) * 1000 : NaN;
  }

  onError(error) {
    const status = error?.data?.response?.status;
    // It names files by their whole address.
    const what = (error?.message || `error ${error?.code ?? error}`).replaceAll(`${location.origin}/`, "");
    const text = `${what.replace(/\.$/, "")}${status ? `, status ${status}` : ""}`;
    // dash.js goes on where it can; before the first picture there is nothing to go on with.
    if (video.readyState === 0 || video.error) {
      this.page.fail(`Playback stopped: ${text}.`, "The list of events below tells what came before.");
    } else {
      this.page.logEvent(text, true);
    }
  }
}

export const playsNatively = () => video.canPlayType("application/vnd.apple.mpegurl") !== "";

/** Where a player in JavaScript comes from, and how to tell that it is one. */
const SCRIPTS = {
  "hls.js": {
    src: dataset.hlsJs,
    integrity: dataset.hlsIntegrity,
    option: "--hls-js",
    file: "hls.min.js from the npm package hls.js",
    isThere: () => window.Hls?.isSupported,
    isSupported: () => window.Hls.isSupported(),
  },
  "dash.js": {
    src: dataset.dashJs,
    integrity: dataset.dashIntegrity,
    option: "--dash-js",
    file: "dash.mediaplayer.min.js from the npm package dashjs",
    isThere: () => window.dashjs?.MediaPlayer,
    isSupported: () => window.dashjs.supportsMediaSource?.() ?? "MediaSource" in window,
  },
};

/** Whether the user named a copy of it. */
export const isLocal = (name) => SCRIPTS[name].src.startsWith("/");

function loadScript({ src, integrity }) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    if (integrity) {
      script.integrity = integrity;
      script.crossOrigin = "anonymous";
    }
    script.onload = resolve;
    script.onerror = reject;
    script.src = src;
    document.head.append(script);
  });
}

/** Makes a player available; else what is wrong, and what to do about it. */
export async function requirePlayer(name) {
  const script = SCRIPTS[name];
  const spare = name === "hls.js" && playsNatively();
  const kind = name === "hls.js" ? "HLS" : "DASH";
  const needed = spare ? "The browser's own player works without it." : `This browser needs it to play ${kind}.`;
  const remedy = `${needed} Start \`fragmint play\` with \`${script.option} PATH\`, a copy of ${script.file}.`;
  if (!script.isThere()) {
    try {
      await loadScript(script);
    } catch {
      const what = isLocal(name)
        ? `The file given with ${script.option} cannot be loaded.`
        : `${name} cannot be loaded from the network, or is not the expected file.`;
      return { what, remedy };
    }
  }
  if (!script.isThere()) return { what: `The file given with ${script.option} is not ${name}.`, remedy };
  if (script.isSupported()) return null;
  const what = `This browser has no Media Source Extensions for MP4, which ${name} needs.`;
  return { what, remedy: "Try another browser." };
}

export const ENGINES = { native: NativeEngine, "hls.js": HlsJsEngine, "dash.js": DashJsEngine };
