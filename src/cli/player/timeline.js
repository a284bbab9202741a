// The strip of segments: a row for each track, what is loaded and what plays; and the time axis that it shares with the bit
// rates below it.
import { $, clock, segmentAt, totalDuration } from "./words.js";

const ROW_HEIGHT = 22;
const BAR_HEIGHT = 14;
export const AXIS_HEIGHT = 20;
export const LABEL_WIDTH = 96;
/** Between a label and what it stands beside. */
export const LABEL_GAP = 12;

const video = $("video");

/** The tracks that are shown, each once. */
export function shownTracks({ variants, audio }) {
  const seen = new Set();
  return [...variants, ...audio].filter(({ id, segments }) => segments?.length && !seen.has(id) && seen.add(id));
}

/** From seconds to pixels of a canvas. */
export function timeScale(canvas, tracks) {
  const duration = Math.max(1e-3, ...tracks.map(totalDuration));
  const width = Math.max(1, canvas.clientWidth - LABEL_WIDTH);
  return { duration, perSecond: width / duration, x: (time) => LABEL_WIDTH + (time * width) / duration };
}

/** A pen over the whole canvas, in CSS pixels, with colours by their names in the style sheet. */
export function penOf(canvas, height) {
  const width = canvas.clientWidth;
  const density = window.devicePixelRatio || 1;
  const pixels = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) {
    [canvas.width, canvas.height] = pixels;
    canvas.style.height = `${height}px`;
  }
  const style = getComputedStyle(document.documentElement);
  const pen = canvas.getContext("2d");
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  return { pen, width, colour: (name) => style.getPropertyValue(`--${name}`) };
}

/** A round number of seconds that leaves room for its label. */
function axisStep(perSecond) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
  return steps.find((step) => step * perSecond >= 64) || 14400;
}

/** Times below the axis, and a line where the player is. */
export function drawAxis({ pen, width, colour }, { duration, perSecond, x }, height) {
  pen.fillStyle = colour("quiet");
  const step = axisStep(perSecond);
  for (let time = 0; time <= duration; time += step) {
    const left = x(time);
    pen.textAlign = time === 0 ? "left" : left > width - 24 ? "right" : "center";
    pen.fillText(clock(time), Math.min(left, width), height - AXIS_HEIGHT / 2 + 2);
  }
  pen.textAlign = "left";
  pen.fillStyle = colour("text");
  pen.fillRect(x(Math.min(video.currentTime, duration)) - 0.75, 0, 1.5, height - AXIS_HEIGHT);
}

/** Draws the strip; `playing` are the tracks that play. */
export function drawTimeline(tracks, playing) {
  const canvas = $("timeline");
  $("timeline-section").hidden = tracks.length === 0;
  const height = tracks.length * ROW_HEIGHT + AXIS_HEIGHT;
  const drawing = penOf(canvas, height);
  const scale = timeScale(canvas, tracks);
  const { pen, colour } = drawing;
  for (const [index, track] of tracks.entries()) {
    const top = index * ROW_HEIGHT;
    const isPlaying = playing.includes(track.id);
    const now = isPlaying ? segmentAt(track.segments, video.currentTime) : -1;
    pen.fillStyle = colour(isPlaying ? "text" : "quiet");
    pen.fillText(track.name, 0, top + BAR_HEIGHT / 2 + 1, LABEL_WIDTH - LABEL_GAP);
    for (const [place, segment] of track.segments.entries()) {
      const wide = segment.duration * scale.perSecond;
      pen.fillStyle = colour(place === now ? "accent" : segment.loaded ? "loaded" : "line");
      pen.fillRect(scale.x(segment.start), top, wide > 4 ? wide - 1.5 : wide, BAR_HEIGHT);
      if (!segment.discontinuity || place === 0) continue;
      pen.fillStyle = colour("text");
      pen.fillRect(scale.x(segment.start) - 1.5, top, 1.5, BAR_HEIGHT);
    }
  }
  drawAxis(drawing, scale, height);
  canvas.setAttribute("aria-valuemax", scale.duration.toFixed(0));
  canvas.setAttribute("aria-valuenow", video.currentTime.toFixed(0));
  canvas.setAttribute("aria-valuetext", clock(video.currentTime));
}

/** Goes to the time under the pointer. */
export function seekByPointer(event, tracks) {
  const { duration, perSecond } = timeScale(event.currentTarget, tracks);
  const time = (event.offsetX - LABEL_WIDTH) / perSecond;
  video.currentTime = Math.min(Math.max(time, 0), duration - 0.1);
}

export function seekByKey(event) {
  const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
  if (!step) return;
  event.preventDefault();
  video.currentTime = Math.max(0, video.currentTime + step);
}
