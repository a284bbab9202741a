// The page of `fragmint play`: plays the HLS playlist or the DASH manifest, shows what is in it and what the player does with it.
// Everything here is the same for all engines (engines.js) and both manifests (playlists.js, mpd.js).
import { ENGINES, isLocal, playsNatively, requirePlayer } from "./engines.js";
import { loadDash } from "./mpd.js";
import { loadHls } from "./playlists.js";
import { averageRate, drawRates, followPointer, loadSizes, showLegend } from "./rates.js";
import { drawTimeline, seekByKey, seekByPointer, shownTracks } from "./timeline.js";
import { $, bits, clock, element, languageName, plural, totalDuration } from "./words.js";

const LOG_LIMIT = 500;
const MANIFESTS = { hls: { load: loadHls }, dash: { load: loadDash } };

const video = $("video");
const { dataset } = document.body;

let engine = null;
let presentation = null;
/** The tracks of `presentation` that have segments to show. */
let tracks = [];
/** Counts what was begun, so that what was begun before says nothing any more. */
let turn = 0;

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
  dataset.state = "error";
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

// ------------------------------------------------------------------------------------------------- manifest, engine

/** Names of the manifests that are there. */
const manifests = () => Object.keys(MANIFESTS).filter((name) => dataset[name]);

/** The manifest that the address asks for (`#dash`), or else the server. */
function wanted() {
  const asked = location.hash.slice(1);
  return manifests().includes(asked) ? asked : dataset.first;
}

function press(group, attribute, name) {
  for (const button of $(group).children) {
    button.setAttribute("aria-pressed", String(button.dataset[attribute] === name));
  }
}

function stopEngine() {
  engine?.stop();
  engine = null;
  $("message").hidden = true;
  dataset.state = "loading";
}

/** Shows and plays a manifest from its start. */
async function startManifest(name) {
  const mine = ++turn;
  stopEngine();
  dataset.manifest = name;
  press("manifests", "manifest", name);
  $("players").hidden = name !== "hls" || !playsNatively();
  try {
    const loaded = await MANIFESTS[name].load(dataset[name]);
    if (mine !== turn) return;
    presentation = loaded;
  } catch (error) {
    if (mine === turn) fail(error.message, "Package the streams again, or look into the directory.");
    return;
  }
  tracks = shownTracks(presentation);
  $("rates-hint").hidden = true;
  showTables();
  showSizes();
  // Who names a copy of hls.js wants to see it play.
  const native = name === "hls" && playsNatively() && !isLocal("hls.js");
  await startEngine(name === "dash" ? "dash.js" : native ? "native" : "hls.js");
}

async function startEngine(name) {
  const mine = ++turn;
  stopEngine();
  for (const { segments } of tracks) for (const segment of segments) segment.loaded = false;
  press("players", "player", name);
  showForced();
  const missing = name === "native" ? null : await requirePlayer(name);
  if (mine !== turn) return;
  if (missing) {
    fail(missing.what, missing.remedy);
    return;
  }
  const next = new ENGINES[name](dataset[dataset.manifest], presentation, { logEvent, fail });
  next.start();
  engine = next;
  showForced();
  logEvent(next.title);
  // A browser that wants a click first leaves the first picture and the controls.
  video.play().catch(() => {});
}

/** The sizes of the segments come behind: nothing waits for them. */
async function showSizes() {
  const [shown, of] = [tracks, presentation];
  const hint = await loadSizes(shown);
  if (of !== presentation) return;
  $("rates-hint").textContent = hint;
  $("rates-hint").hidden = !hint;
  showLegend(shown);
  // A manifest need not tell what the segments have on average.
  for (const track of of.variants) {
    if (track.averageCell && Number.isNaN(track.average)) track.averageCell.textContent = bits(averageRate(track));
  }
}

// ------------------------------------------------------------------------------------------------------------ tables

function row(cells, choose) {
  const made = element("tr");
  made.append(element("td"));
  for (const [index, cell] of cells.entries()) {
    const { text, className = "" } = typeof cell === "object" ? cell : { text: cell };
    const td = element("td", undefined, className);
    // The first cell is a button, so that a keyboard reaches it.
    td.append(index === 0 ? Object.assign(element("button", text), { type: "button" }) : text);
    made.append(td);
  }
  made.addEventListener("click", choose);
  return made;
}

const number = (text) => ({ text, className: "number" });

function variantRow(variant) {
  variant.row = row(
    [
      variant.name,
      variant.width ? `${variant.width} × ${variant.height}` : "–",
      number(variant.frameRate ? String(Number(variant.frameRate.toFixed(3))) : "–"),
      { text: variant.codecs.join(", ") || "–", className: "quiet" },
      number(bits(variant.average)),
      number(bits(variant.peak)),
      number(String(variant.segments.length)),
    ],
    () => force(variant),
  );
  variant.averageCell = variant.row.children[5];
  return variant.row;
}

function audioRow(media) {
  media.row = row(
    [
      media.name,
      languageName(media.language),
      media.channels || "–",
      media.isDefault ? "yes" : "no",
      number(String(media.segments.length)),
    ],
    () => engine?.chooseAudio(media),
  );
  return media.row;
}

function showTables() {
  const { variants, audio } = presentation;
  const pictures = variants.filter(({ width }) => width);
  $("renditions").replaceChildren(...(pictures.length ? pictures : variants).map(variantRow));
  $("video-section").hidden = false;

  const seen = new Set();
  const sounds = audio.filter(({ id }) => !seen.has(id) && seen.add(id));
  $("audio").replaceChildren(...sounds.map(audioRow));
  $("audio-section").hidden = sounds.length === 0;

  document.body.classList.toggle("audio-only", pictures.length === 0);
  const seconds = Math.max(...variants.map(totalDuration));
  const parts = [
    pictures.length && plural(pictures.length, "rendition"),
    sounds.length && plural(sounds.length, "audio track"),
  ];
  $("summary").textContent = [clock(seconds), ...parts.filter(Boolean)].join(" · ");
}

/** A second click on the forced rendition gives the choice back. */
function force(variant) {
  if (!engine?.canForce || presentation.variants.length < 2) return;
  const next = engine.forcedVariant() === variant ? null : variant;
  engine.force(next);
  logEvent(next ? `asked for rendition ${next.name}` : "player chooses the rendition");
  showForced();
}

function showForced() {
  dataset.player = engine?.name || "";
  const single = presentation.variants.length < 2;
  const forced = engine?.canForce ? engine.forcedVariant() : null;
  for (const variant of presentation.variants) {
    variant.row?.classList.toggle("fixed", single || !engine?.canForce);
    variant.row?.querySelector(".tag")?.remove();
    if (forced === variant) variant.row?.children[1].append(element("span", "chosen", "tag"));
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

/** Identifiers of the tracks that play. */
const playing = () => [engine?.currentVariant(), engine?.currentAudio()].filter(Boolean).map(({ id }) => id);

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
  $("now").textContent = variant ? variant.name : "–";
  $("picture").textContent = video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : "–";
  $("declared").textContent = variant ? bits(variant.average || variant.peak) : "–";
  $("connection").textContent = bits(engine?.connection() || NaN);
  $("buffer").textContent = `${bufferAhead().toFixed(1)} s`;
  $("dropped").textContent = quality?.totalVideoFrames
    ? `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}`
    : "–";
  drawTimeline(tracks, playing());
  drawRates(tracks, playing());
}

// ------------------------------------------------------------------------------------------------------------- start

function listen() {
  const state = (name) => () => {
    if (dataset.state !== "error") dataset.state = name;
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
    if (!video.error || engine?.name !== "native") return;
    const what = `The browser cannot play this: ${video.error.message || `media error ${video.error.code}`}.`;
    fail(what, "Choose hls.js at the top right to hear more about the reason.");
  });
  for (const id of ["timeline", "rates"]) $(id).addEventListener("click", (event) => seekByPointer(event, tracks));
  $("timeline").addEventListener("keydown", seekByKey);
  followPointer(() => drawRates(tracks, playing()));
  $("players").addEventListener("click", (event) => {
    const { player } = event.target.dataset;
    if (player && player !== engine?.name) startEngine(player);
  });
  // The address remembers the manifest, so that it can be kept and sent.
  $("manifests").addEventListener("click", (event) => {
    const { manifest } = event.target.dataset;
    if (manifest) location.hash = manifest;
  });
  window.addEventListener("hashchange", () => {
    if (wanted() !== dataset.manifest) startManifest(wanted());
  });
  setInterval(showStats, 250);
}

$("manifests").hidden = manifests().length < 2;
listen();
startManifest(wanted());
