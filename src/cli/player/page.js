// The page of `fragmint play`: plays /master.m3u8, shows what is in it and what the player does with it.
// Two engines: the browser's own HLS, or hls.js, loaded from where the server says. Both share everything else.
import { loadPresentation, shortPath } from "./playlists.js";

const MASTER = "/master.m3u8";
const LOG_LIMIT = 500;

const $ = (id) => document.getElementById(id);
const video = $("video");
const hlsJs = { src: document.body.dataset.hlsJs, integrity: document.body.dataset.integrity };
const isLocalHlsJs = hlsJs.src.startsWith("/");

let engine = null;
let presentation = null;

// ------------------------------------------------------------------------------------------------------------- words

/** The directory of a media playlist names the rendition. */
function trackName(url) {
  const parts = shortPath(url).split("/");
  return parts[parts.length - 2] || parts[0];
}

function bits(bps) {
  if (!Number.isFinite(bps)) return "–";
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(bps >= 1e8 ? 0 : 2)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (n) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function languageName(tag) {
  if (!tag) return "–";
  try {
    const name = new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
    return name && name !== tag ? `${name} (${tag})` : tag;
  } catch {
    return tag;
  }
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// --------------------------------------------------------------------------------------------------- messages, events

let eventCount = 0;
let problemCount = 0;

function logEvent(text, isProblem = false) {
  const item = element("li", undefined, isProblem ? "problem" : "");
  item.append(element("time", video.currentTime.toFixed(2)), text);
  $("events").prepend(item);
  if (++eventCount > LOG_LIMIT) $("events").lastChild.remove();
  $("event-count").textContent = `(${eventCount})`;
  if (isProblem) $("problem-count").textContent = plural(++problemCount, "problem");
}

/** Says what failed and, where there is one, what to do. */
function fail(what, remedy) {
  document.body.dataset.state = "error";
  const remedies = remedy ? [element("p")] : [];
  // `code` marks words to type.
  for (const [index, part] of (remedy || "").split("`").entries()) {
    remedies[0]?.append(index % 2 ? element("code", part) : part);
  }
  $("message").replaceChildren(element("p", what), ...remedies);
  $("message").hidden = false;
  $("events-section").open = true;
  logEvent(what, true);
}

// ----------------------------------------------------------------------------------------------------------- engines

/** The browser plays HLS itself: it chooses renditions alone and tells only the size of the picture. */
class NativeEngine {
  name = "native";
  canForce = false;

  start() {
    video.src = MASTER;
  }

  stop() {
    video.removeAttribute("src");
    video.load();
  }

  currentVariant() {
    const size = `${video.videoWidth}x${video.videoHeight}`;
    const same = presentation.variants.filter((variant) => variant.RESOLUTION === size);
    return same.length === 1 ? same[0] : null;
  }

  nativeTracks() {
    return [...(video.audioTracks || [])];
  }

  currentAudio() {
    const enabled = this.nativeTracks().find((track) => track.enabled);
    return presentation.audio.find((media) => enabled && media.NAME === enabled.label) || null;
  }

  canChooseAudio() {
    return this.nativeTracks().length > 1;
  }

  chooseAudio(media) {
    for (const track of this.nativeTracks()) track.enabled = track.label === media.NAME;
  }
}

/** hls.js feeds the browser's media source. */
class HlsJsEngine {
  name = "hls.js";
  canForce = true;

  start() {
    const { Hls } = window;
    this.hls = new Hls();
    this.hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    this.hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
      logEvent(`rendition ${trackName(this.levelUrl(this.hls.levels[level]))}`);
    });
    this.hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, (_, { id }) => {
      const track = this.hls.audioTracks.find((each) => each.id === id);
      if (track) logEvent(`audio ${track.name}`);
    });
    this.hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => this.onBuffered(frag));
    this.hls.loadSource(MASTER);
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
    return (level && presentation.variants.find((variant) => variant.url === this.levelUrl(level))) || null;
  }

  forcedVariant() {
    if (this.hls.autoLevelEnabled) return null;
    const level = this.hls.levels[this.hls.loadLevel];
    return (level && presentation.variants.find((variant) => variant.url === this.levelUrl(level))) || null;
  }

  /** `null` gives the choice back to the player. */
  force(variant) {
    const index = variant ? this.hls.levels.findIndex((level) => this.levelUrl(level) === variant.url) : -1;
    this.hls.nextLevel = index;
    logEvent(variant ? `asked for rendition ${trackName(variant.url)}` : "player chooses the rendition");
  }

  currentAudio() {
    const track = this.hls.audioTracks[this.hls.audioTrack];
    return (track && presentation.audio.find((media) => media.url === track.url)) || null;
  }

  canChooseAudio() {
    return this.hls.audioTracks.length > 1;
  }

  chooseAudio(media) {
    const index = this.hls.audioTracks.findIndex((track) => track.url === media.url);
    if (index >= 0) this.hls.audioTrack = index;
  }

  onBuffered(frag) {
    if (!Number.isInteger(frag.sn)) return;
    const url = new URL(frag.baseurl, location.href).href;
    const track = [...presentation.variants, ...presentation.audio].find((each) => each.url === url);
    const middle = frag.start + frag.duration / 2;
    const segment = track?.segments.find(({ start, duration }) => middle >= start && middle < start + duration);
    if (segment) segment.loaded = true;
  }

  onError(data) {
    const place = data.frag?.url || data.url || data.context?.url;
    const status = data.response?.code ? `, status ${data.response.code}` : "";
    const reason = data.error?.message || data.reason || "";
    const text = `${data.details}${place ? ` at ${shortPath(place)}` : ""}${status}${reason ? `: ${reason}` : ""}`;
    if (data.fatal) {
      fail(`Playback stopped: ${text}.`, "The list of events below tells what came before.");
    } else {
      logEvent(text, true);
    }
  }
}

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

/** Makes hls.js available or says why it is not. */
async function requireHlsJs() {
  const needed = playsNatively() ? "The browser's own player works without it." : "This browser needs it to play HLS.";
  const remedy = `${needed} Start \`fragmint play\` with \`--hls-js PATH\`, a copy of hls.min.js from the npm package hls.js.`;
  if (!window.Hls) {
    try {
      await loadScript(hlsJs);
    } catch {
      const what = isLocalHlsJs
        ? "The file given with --hls-js cannot be loaded."
        : "hls.js cannot be loaded from the network, or is not the expected file.";
      fail(what, remedy);
      return false;
    }
  }
  if (!window.Hls?.isSupported) {
    fail("The file given with --hls-js is not hls.js.", remedy);
    return false;
  }
  if (!window.Hls.isSupported()) {
    fail("This browser has no Media Source Extensions for MP4, which hls.js needs.", "Try another browser.");
    return false;
  }
  return true;
}

const playsNatively = () => video.canPlayType("application/vnd.apple.mpegurl") !== "";

async function startEngine(name) {
  engine?.stop();
  engine = null;
  $("message").hidden = true;
  document.body.dataset.state = "loading";
  for (const track of [...presentation.variants, ...presentation.audio]) {
    for (const segment of track.segments || []) segment.loaded = false;
  }
  for (const button of $("players").children) {
    button.setAttribute("aria-pressed", String(button.dataset.player === name));
  }
  showForced();
  if (name === "hls.js" && !(await requireHlsJs())) return;
  const next = name === "hls.js" ? new HlsJsEngine() : new NativeEngine();
  next.start();
  engine = next;
  showForced();
  logEvent(name === "hls.js" ? `hls.js ${window.Hls.version}` : "the browser's own HLS");
  // A browser that wants a click first leaves the first picture and the controls.
  video.play().catch(() => {});
}

// ------------------------------------------------------------------------------------------------------------ tables

function row(cells, choose) {
  const made = element("tr");
  made.append(element("td"));
  for (const [index, cell] of cells.entries()) {
    const { text, className = "", tag } = typeof cell === "object" ? cell : { text: cell };
    const td = element("td", undefined, className);
    // The first cell is a button, so that a keyboard reaches it.
    td.append(index === 0 ? Object.assign(element("button", text), { type: "button" }) : text);
    if (tag) td.append(element("span", tag, "tag"));
    made.append(td);
  }
  made.addEventListener("click", choose);
  return made;
}

const number = (text) => ({ text, className: "number" });

function showTables() {
  const { variants, audio } = presentation;
  const pictures = variants.filter((variant) => variant.RESOLUTION);
  const rows = (pictures.length ? pictures : variants).map((variant) => {
    variant.row = row(
      [
        trackName(variant.url),
        variant.RESOLUTION ? variant.RESOLUTION.replace("x", " × ") : "–",
        number(variant["FRAME-RATE"] ? String(parseFloat(variant["FRAME-RATE"])) : "–"),
        { text: (variant.CODECS || "–").replaceAll(",", ", "), className: "quiet" },
        number(bits(parseInt(variant["AVERAGE-BANDWIDTH"], 10))),
        number(bits(parseInt(variant.BANDWIDTH, 10))),
        number(String(variant.segments.length)),
      ],
      () => force(variant),
    );
    return variant.row;
  });
  $("renditions").replaceChildren(...rows);
  $("video-section").hidden = false;

  const seen = new Set();
  const tracks = audio.filter((media) => media.url && !seen.has(media.url) && seen.add(media.url));
  $("audio").replaceChildren(
    ...tracks.map((media) => {
      media.row = row(
        [
          media.NAME || trackName(media.url),
          languageName(media.LANGUAGE),
          media.CHANNELS || "–",
          media.DEFAULT === "YES" ? "yes" : "no",
          number(String(media.segments.length)),
        ],
        () => engine?.chooseAudio(media),
      );
      return media.row;
    }),
  );
  $("audio-section").hidden = tracks.length === 0;

  document.body.classList.toggle("audio-only", pictures.length === 0);
  const seconds = Math.max(...variants.map(totalDuration));
  const parts = [pictures.length && plural(pictures.length, "rendition"), tracks.length && plural(tracks.length, "audio track")];
  $("summary").textContent = [clock(seconds), ...parts.filter(Boolean)].join(" · ");
}

function totalDuration({ segments }) {
  const last = segments?.at(-1);
  return last ? last.start + last.duration : 0;
}

/** A second click on the forced rendition gives the choice back. */
function force(variant) {
  if (!engine?.canForce || presentation.variants.length < 2) return;
  engine.force(engine.forcedVariant() === variant ? null : variant);
  showForced();
}

function showForced() {
  document.body.dataset.player = engine?.name || "";
  const single = presentation.variants.length < 2;
  const forced = engine?.canForce ? engine.forcedVariant() : null;
  for (const variant of presentation.variants) {
    variant.row?.classList.toggle("fixed", single || !engine?.canForce);
    variant.row?.querySelector(".tag")?.remove();
    if (forced === variant) variant.row.children[1].append(element("span", "chosen", "tag"));
  }
  if (single || !engine) $("forced").textContent = "";
  else if (!engine.canForce) $("forced").textContent = "The browser chooses. With hls.js a rendition can be chosen here.";
  else if (forced) $("forced").textContent = "Click the chosen rendition again to let the player choose.";
  else $("forced").textContent = "The player chooses. Click a rendition to stay on it.";
}

// ------------------------------------------------------------------------------------------------------------- stats

function bufferAhead() {
  const { buffered, currentTime } = video;
  for (let index = 0; index < buffered.length; index++) {
    if (buffered.start(index) <= currentTime + 0.1 && currentTime <= buffered.end(index)) {
      return buffered.end(index) - currentTime;
    }
  }
  return 0;
}

function showStats() {
  if (!presentation) return;
  const variant = engine?.currentVariant() ?? null;
  const media = engine?.currentAudio() ?? null;
  for (const each of presentation.variants) each.row?.classList.toggle("current", each === variant);
  for (const each of presentation.audio) {
    each.row?.classList.toggle("current", each === media);
    each.row?.classList.toggle("fixed", !engine?.canChooseAudio());
  }
  const quality = video.getVideoPlaybackQuality?.();
  $("now").textContent = variant ? trackName(variant.url) : "–";
  $("picture").textContent = video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : "–";
  $("declared").textContent = variant ? bits(parseInt(variant["AVERAGE-BANDWIDTH"] || variant.BANDWIDTH, 10)) : "–";
  $("connection").textContent = engine?.hls ? bits(engine.hls.bandwidthEstimate) : "–";
  $("buffer").textContent = `${bufferAhead().toFixed(1)} s`;
  $("dropped").textContent = quality?.totalVideoFrames
    ? `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}`
    : "–";
  drawTimeline(variant, media);
}

// ---------------------------------------------------------------------------------------------------------- timeline

const ROW_HEIGHT = 22;
const BAR_HEIGHT = 14;
const AXIS_HEIGHT = 20;
const LABEL_WIDTH = 96;

function timelineTracks() {
  return [...presentation.variants, ...presentation.audio].filter((track) => track.row);
}

function timelineScale() {
  const width = $("timeline").clientWidth - LABEL_WIDTH;
  const duration = Math.max(1e-3, ...timelineTracks().map(totalDuration));
  return { duration, perSecond: width / duration };
}

/** A round number of seconds that leaves room for its label. */
function axisStep(perSecond) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
  return steps.find((step) => step * perSecond >= 64) || 14400;
}

function drawTimeline(variant, media) {
  const canvas = $("timeline");
  const tracks = timelineTracks();
  $("timeline-section").hidden = tracks.length === 0;
  const [width, height] = [canvas.clientWidth, tracks.length * ROW_HEIGHT + AXIS_HEIGHT];
  const density = window.devicePixelRatio || 1;
  const pixels = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) {
    [canvas.width, canvas.height] = pixels;
    canvas.style.height = `${height}px`;
  }
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`);
  const { duration, perSecond } = timelineScale();
  const pen = canvas.getContext("2d");
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";

  for (const [index, track] of tracks.entries()) {
    const top = index * ROW_HEIGHT;
    const isPlaying = track === variant || track === media;
    pen.fillStyle = colour(isPlaying ? "text" : "quiet");
    pen.fillText(track.NAME || trackName(track.url), 0, top + BAR_HEIGHT / 2 + 1, LABEL_WIDTH - 12);
    for (const segment of track.segments) {
      const isNow = isPlaying && video.currentTime >= segment.start && video.currentTime < segment.start + segment.duration;
      const left = LABEL_WIDTH + segment.start * perSecond;
      const wide = segment.duration * perSecond;
      pen.fillStyle = colour(isNow ? "accent" : segment.loaded ? "loaded" : "line");
      pen.fillRect(left, top, wide > 4 ? wide - 1.5 : wide, BAR_HEIGHT);
    }
  }

  pen.fillStyle = colour("quiet");
  const step = axisStep(perSecond);
  for (let time = 0; time <= duration; time += step) {
    const left = LABEL_WIDTH + time * perSecond;
    pen.textAlign = time === 0 ? "left" : left > width - 24 ? "right" : "center";
    pen.fillText(clock(time), Math.min(left, width), height - AXIS_HEIGHT / 2 + 2);
  }
  pen.textAlign = "left";

  pen.fillStyle = colour("text");
  pen.fillRect(LABEL_WIDTH + Math.min(video.currentTime, duration) * perSecond - 0.75, 0, 1.5, height - AXIS_HEIGHT);
  canvas.setAttribute("aria-valuemax", duration.toFixed(0));
  canvas.setAttribute("aria-valuenow", video.currentTime.toFixed(0));
  canvas.setAttribute("aria-valuetext", clock(video.currentTime));
}

function seekByPointer(event) {
  const { duration, perSecond } = timelineScale();
  const time = (event.offsetX - LABEL_WIDTH) / perSecond;
  video.currentTime = Math.min(Math.max(time, 0), duration - 0.1);
}

function seekByKey(event) {
  const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
  if (!step) return;
  event.preventDefault();
  video.currentTime = Math.max(0, video.currentTime + step);
}

// ------------------------------------------------------------------------------------------------------------- start

function listen() {
  const state = (name) => () => {
    if (document.body.dataset.state !== "error") document.body.dataset.state = name;
  };
  video.addEventListener("loadeddata", state("ready"));
  video.addEventListener("playing", state("playing"));
  video.addEventListener("pause", state("paused"));
  video.addEventListener("ended", state("ended"));
  video.addEventListener("ended", () => logEvent("end"));
  video.addEventListener("seeking", () => logEvent(`seek to ${video.currentTime.toFixed(2)}`));
  video.addEventListener("waiting", () => logEvent("waiting for data"));
  video.addEventListener("resize", () => logEvent(`picture ${video.videoWidth} × ${video.videoHeight}`));
  video.addEventListener("error", () => {
    if (!video.error || !engine || engine.name === "hls.js") return;
    const what = `The browser cannot play this: ${video.error.message || `media error ${video.error.code}`}.`;
    fail(what, "Choose hls.js at the top right to hear more about the reason.");
  });
  $("timeline").addEventListener("click", seekByPointer);
  $("timeline").addEventListener("keydown", seekByKey);
  $("players").addEventListener("click", (event) => {
    const { player } = event.target.dataset;
    if (player && player !== engine?.name) startEngine(player);
  });
  setInterval(showStats, 250);
}

async function start() {
  listen();
  try {
    presentation = await loadPresentation(MASTER);
  } catch (error) {
    fail(error.message, "Package the streams again, or look into the directory.");
    return;
  }
  showTables();
  $("players").hidden = !playsNatively();
  // Who names a copy of hls.js wants to see it play.
  await startEngine(playsNatively() && !isLocalHlsJs ? "native" : "hls.js");
}

start();
