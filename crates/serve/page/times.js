// Time in words: seconds of a medium, moments of a wearer's days. And the times that a text cites, as buttons.

import { el } from "./dom.js";

const DAY = 86_400_000;

/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

/**
 * Seconds as a person reads them: 2.50 s, 1:02.5, 1:02:03.
 * @param {number} seconds
 */
export function seconds(seconds) {
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tenth = Math.floor((seconds - whole) * 10);
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}.${tenth}`;
}

/**
 * A moment: Day 3 11:21:02.
 * @param {number} ms
 */
export function moment(ms) {
  return `Day ${Math.floor(ms / DAY) + 1} ${clock(ms)}`;
}

/**
 * The time of day: 11:21, or 11:21:02 where the seconds matter.
 * @param {number} ms
 */
export function clock(ms) {
  const s = Math.floor((ms % DAY) / 1000);
  const minutes = `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}`;
  return s % 60 ? `${minutes}:${two(s % 60)}` : minutes;
}

/**
 * From one moment to another, the day said once where it is the same.
 * @param {number} start
 * @param {number} end
 */
export function stretch(start, end) {
  const last = Math.max(start, end - 1);
  const same = Math.floor(start / DAY) === Math.floor(last / DAY);
  if (same && end % DAY === 0 && start % DAY === 0) return `Day ${start / DAY + 1}`;
  if (start % DAY === 0 && end % DAY === 0) return `Day ${start / DAY + 1} to ${end / DAY}`;
  return same
    ? `${moment(start)} to ${clock(end) === "00:00" ? "24:00" : clock(end)}`
    : `${moment(start)} to ${moment(end)}`;
}

/**
 * The moment of a text: `DAY3_11210217`, `Day 3 11:21:02`, `3 11:21`. Null where it is none.
 * @param {string} text
 * @returns {number|null}
 */
export function readMoment(text) {
  const plain = text.trim();
  const file = /^DAY(\d{1,7})_(\d\d)(\d\d)(\d\d)(\d\d)$/i.exec(plain);
  const words = /^(?:day\s*)?(\d{1,7})(?:[\s,]+(\d{1,2}):(\d\d)(?::(\d\d))?)?$/i.exec(plain);
  const found = file ?? words;
  if (!found) return null;
  const [day = 0, h = 0, m = 0, s = 0] = found.slice(1, 5).map((part) => Number(part ?? 0));
  const frame = file ? Number(file[5]) : 0;
  if (!day || h > 24 || m > 59 || s > 59) return null;
  return (day - 1) * DAY + ((h * 60 + m) * 60 + s) * 1000 + (frame < 20 ? frame * 50 : 0);
}

/**
 * A moment as a trace or a record states it: milliseconds, or the printed form.
 * @param {number|string} value
 */
export function momentOf(value) {
  return typeof value === "number" ? value : (readMoment(value) ?? 0);
}

const NUMBER = String.raw`\d+(?:\.\d+)?`;
const CLOCK = String.raw`\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?`;
const UNIT = String.raw`(?:\s?(?:seconds|second|secs|sec|s)\b)`;
const TIME = new RegExp(
  String.raw`\[[^\]]*\]` + // A box, which holds no times.
    String.raw`|(?<a>${CLOCK}|${NUMBER})${UNIT}?\s*(?:,|to|-|\u2013|and|until)\s*(?<b>${CLOCK}|${NUMBER})(?<u>${UNIT})?` +
    String.raw`|(?<c>${CLOCK})|(?<d>${NUMBER})${UNIT}|(?<=\bat )(?<e>${NUMBER})(?![\d.]*\s*(?:%|x|px|degrees))`,
  "g",
);

/** @param {string} text */
function inSeconds(text) {
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/**
 * @typedef {{from: number, to: number, start: number, end: number}} Cited Where in the text, and seconds.
 */

/**
 * The times a text cites that lie within a medium.
 * @param {string} text
 * @param {number} duration
 * @returns {Cited[]}
 */
export function cited(text, duration) {
  const found = [];
  for (const match of text.matchAll(TIME)) {
    const { a, b, u, c, d, e } = match.groups ?? {};
    const one = c ?? d ?? e;
    const before = text[match.index - 1] ?? " ";
    if (/[\w.]/.test(before)) continue;
    const start = a !== undefined ? inSeconds(a) : one !== undefined ? inSeconds(one) : NaN;
    const end = b !== undefined ? inSeconds(b) : start;
    // Two plain numbers with nothing that says time may be anything.
    const says = one !== undefined || u !== undefined || /[.:]/.test(match[0]);
    if (says && start <= end && end <= duration + 0.5) {
      found.push({ from: match.index, to: match.index + match[0].length, start, end });
    }
  }
  return found;
}

/**
 * A text whose cited times are buttons.
 * @param {string} text
 * @param {number} duration Seconds of the medium; 0 cites nothing.
 * @param {(start: number, end: number) => void} jump
 * @returns {(Node|string)[]}
 */
export function withTimes(text, duration, jump) {
  if (duration <= 0) return [text];
  const parts = [];
  let at = 0;
  for (const { from, to, start, end } of cited(text, duration)) {
    parts.push(text.slice(at, from));
    const words = text.slice(from, to);
    const label =
      end > start ? `Go to ${start.toFixed(2)} to ${end.toFixed(2)} seconds` : `Go to ${start.toFixed(2)} seconds`;
    // The words stay in the accessible name.
    parts.push(
      el("button", { type: "button", class: "time", title: label, on: { click: () => jump(start, end) } }, words),
    );
    at = to;
  }
  parts.push(text.slice(at));
  return parts;
}
