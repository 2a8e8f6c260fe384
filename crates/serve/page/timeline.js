// Days of someone's time as lanes, coarse above fine, to zoom and walk through: arrow keys go along a lane and between
// lanes, plus and minus zoom, and every item can be focused and chosen.

import { el, put } from "./dom.js";
import { clock, moment, stretch } from "./times.js";

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {number} start Milliseconds.
 * @property {number} end
 * @property {string} words Shown where there is room.
 * @property {string} label Said aloud.
 * @property {string} [kind] A class.
 */

/** @typedef {{name: string, words: string, items: Item[]}} Lane */

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const STEPS = [
  10_000,
  30_000,
  MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  60 * MINUTE,
  3 * 60 * MINUTE,
  6 * 60 * MINUTE,
  DAY,
  7 * DAY,
];
const NARROWEST = MINUTE;

export class Timeline {
  /** @param {{label: string, onChoose: (id: string) => void, onRange: () => void}} options */
  constructor({ label, onChoose, onRange }) {
    this.onChoose = onChoose;
    this.onRange = onRange;
    this.whole = { start: 0, end: DAY };
    this.range = { start: 0, end: DAY };
    /** @type {Lane[]} */
    this.lanes = [];
    /** @type {string|null} */
    this.chosen = null;
    this.axis = el("div", { class: "axis", "aria-hidden": "true" });
    this.body = el("div", { class: "lanes" });
    this.where = el("p", { class: "note" });
    const button = (/** @type {string} */ words, /** @type {string} */ name, /** @type {() => void} */ click) =>
      el("button", { type: "button", class: "quiet", "aria-label": name, title: name, on: { click } }, words);
    this.tools = el(
      "div",
      { class: "row" },
      el("span", { class: "note keys", "aria-hidden": "true" }, "arrow keys walk, + and \u2212 zoom"),
      button("\u2190", "Earlier", () => this.move(-0.5)),
      button("\u2192", "Later", () => this.move(0.5)),
      button("\u2212", "Zoom out", () => this.zoom(2)),
      button("+", "Zoom in", () => this.zoom(0.5)),
      button("All", "Show all", () => this.show(this.whole.start, this.whole.end)),
    );
    this.element = el(
      "div",
      { class: "timeline", role: "group", "aria-label": `${label}. Arrow keys walk, plus and minus zoom` },
      el("div", { class: "row spread" }, this.where, this.tools),
      this.axis,
      this.body,
    );
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /**
   * All there is.
   * @param {number} start
   * @param {number} end
   */
  extent(start, end) {
    this.whole = { start, end: Math.max(end, start + NARROWEST) };
    this.show(this.whole.start, this.whole.end);
  }

  /** @param {Lane[]} lanes */
  fill(lanes) {
    this.lanes = lanes;
    this.#draw();
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  show(start, end) {
    const long = Math.min(Math.max(end - start, NARROWEST), this.whole.end - this.whole.start);
    const from = Math.min(Math.max(start, this.whole.start), this.whole.end - long);
    this.range = { start: from, end: from + long };
    this.#draw();
    this.onRange();
  }

  /** @param {number} by A share of what is shown. */
  move(by) {
    const long = this.range.end - this.range.start;
    this.show(this.range.start + by * long, this.range.end + by * long);
  }

  /**
   * @param {number} by Below 1 shows less.
   * @param {number} [around]
   */
  zoom(by, around) {
    const { start, end } = this.range;
    const item = this.#item(focusedId()) ?? this.#item(this.chosen);
    const middle =
      around ??
      (item && item.end > start && item.start < end
        ? (Math.max(item.start, start) + Math.min(item.end, end)) / 2
        : (start + end) / 2);
    const left = (middle - start) * by;
    this.show(middle - left, middle - left + (end - start) * by);
  }

  /**
   * Marks an item and brings it into view.
   * @param {string|null} id
   */
  mark(id) {
    this.chosen = id;
    const item = this.#item(id);
    if (item && (item.end <= this.range.start || item.start >= this.range.end)) {
      const long = this.range.end - this.range.start;
      this.show((item.start + item.end - long) / 2, (item.start + item.end + long) / 2);
    } else {
      this.#draw();
    }
  }

  /** @param {string|null} id */
  #item(id) {
    for (const lane of this.lanes) for (const item of lane.items) if (item.id === id) return item;
    return null;
  }

  /** @param {number} ms */
  #percent(ms) {
    return ((ms - this.range.start) / (this.range.end - this.range.start)) * 100;
  }

  #draw() {
    const { start, end } = this.range;
    this.where.textContent = stretch(start, end);
    const focused = this.body.contains(document.activeElement) ? focusedId() : null;
    this.#axis();
    let stop = false;
    const rows = this.lanes.map((lane) => {
      const shown = lane.items.filter((item) => item.end > start && item.start < end);
      const buttons = shown.map((item) => this.#button(item));
      const first =
        buttons.find((button) => button.dataset.id === this.chosen) ?? (this.#item(this.chosen) ? null : buttons[0]);
      if (first && !stop) {
        first.tabIndex = 0;
        stop = true;
      }
      return el(
        "div",
        { class: "lane", role: "group", "aria-label": lane.words },
        el("span", { class: "name", "aria-hidden": "true" }, lane.words),
        el("div", { class: "items" }, ...buttons),
      );
    });
    put(this.body, ...rows);
    if (!stop) this.body.querySelector("button")?.setAttribute("tabindex", "0");
    if (focused) this.#focus(focused);
  }

  /** @param {Item} item */
  #button(item) {
    const left = Math.max(this.#percent(item.start), 0);
    const right = Math.min(this.#percent(item.end), 100);
    const button = el(
      "button",
      {
        type: "button",
        class: `item ${item.kind ?? ""}${right - left > 3 ? "" : " bare"}`,
        tabindex: -1,
        "aria-label": item.label,
        title: item.label,
        "aria-pressed": String(item.id === this.chosen),
        data: { id: item.id },
        on: { click: () => this.#choose(item.id) },
      },
      right - left > 3 && item.words,
    );
    button.style.left = `${left}%`;
    button.style.width = `${Math.max(right - left, 0.15)}%`;
    return button;
  }

  /** @param {string} id */
  #choose(id) {
    this.chosen = id;
    this.onChoose(id);
    this.#draw();
  }

  /** @param {string} id */
  #focus(id) {
    const button = [...this.body.querySelectorAll("button")].find((other) => other.dataset.id === id);
    if (!button) return;
    for (const other of this.body.querySelectorAll("button")) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  }

  #axis() {
    const { start, end } = this.range;
    const most = Math.max(2, Math.floor((this.axis.clientWidth || 900) / 84));
    const step = STEPS.find((candidate) => (end - start) / candidate <= most) ?? 7 * DAY;
    const marks = [];
    for (let at = Math.ceil(start / step) * step; at <= end; at += step) {
      const words = at % DAY === 0 ? moment(at).replace(" 00:00", "") : clock(at);
      const mark = el("span", { class: at % DAY === 0 ? "day" : "" }, words);
      mark.style.left = `${this.#percent(at)}%`;
      marks.push(mark);
    }
    put(this.axis, el("div", {}, ...marks));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      _: () => this.zoom(2),
      0: () => this.show(this.whole.start, this.whole.end),
    }[event.key];
    const walk = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      Home: [-Infinity, 0],
      End: [Infinity, 0],
    }[event.key];
    if (!act && !walk) return;
    event.preventDefault();
    if (act) act();
    else this.#walk(walk?.[0] ?? 0, walk?.[1] ?? 0);
  }

  /**
   * @param {number} along
   * @param {number} across
   */
  #walk(along, across) {
    const id = focusedId();
    const lane = this.lanes.findIndex((one) => one.items.some((item) => item.id === id));
    const item = this.lanes[lane]?.items.find((one) => one.id === id);
    if (!item) {
      const first = this.body.querySelector("button")?.dataset.id;
      if (first) this.#focus(first);
      return;
    }
    let next;
    if (across) {
      const middle = (Math.max(item.start, this.range.start) + Math.min(item.end, this.range.end)) / 2;
      for (let other = lane + across; !next && this.lanes[other]; other += across)
        next = nearest(this.lanes[other]?.items ?? [], across > 0 ? item.start : middle);
    } else {
      const items = this.lanes[lane]?.items ?? [];
      next = items[Math.min(Math.max(items.indexOf(item) + along, 0), items.length - 1)];
    }
    if (!next) return;
    if (next.end <= this.range.start || next.start >= this.range.end) {
      const long = this.range.end - this.range.start;
      this.show((next.start + next.end - long) / 2, (next.start + next.end + long) / 2);
    }
    this.#focus(next.id);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    // Only with a key held, so that the page can still be scrolled.
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const box = this.body.getBoundingClientRect();
    const { start, end } = this.range;
    if (event.shiftKey) this.move(Math.sign(event.deltaY || event.deltaX) * 0.1);
    else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, start + ((event.clientX - box.left) / box.width) * (end - start));
  }
}

/** The item that has the focus. */
function focusedId() {
  return (document.activeElement instanceof HTMLElement && document.activeElement.dataset.id) || null;
}

/**
 * @param {Item[]} items
 * @param {number} at
 */
function nearest(items, at) {
  const distance = (/** @type {Item} */ item) =>
    item.start <= at && at < item.end ? 0 : Math.min(Math.abs(item.start - at), Math.abs(item.end - at));
  return items.reduce(
    (/** @type {Item|undefined} */ best, item) => (best && distance(best) <= distance(item) ? best : item),
    undefined,
  );
}
