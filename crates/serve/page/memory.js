// Memory: a wearer's days as a timeline, a search that knows the clock, records with what they stand on, and
// forgetting.

import { get, picture, post } from "./api.js";
import { attempt, dialog, el, facts, fault, field, put, say, select } from "./dom.js";
import { Timeline } from "./timeline.js";
import { moment, readMoment, seconds, stretch } from "./times.js";

/** @typedef {import("./types.js").MemoryRecord} MemoryRecord */
/** @typedef {import("./types.js").Hit} Hit */

/** Coarse to fine. */
const LEVELS = /** @type {const} */ (["week", "day", "hour", "10min", "clip"]);
const WORDS = { week: "Weeks", day: "Days", hour: "Hours", "10min": "10 minutes", clip: "30 seconds" };
const ONE = { week: "week", day: "day", hour: "hour", "10min": "10 minutes", clip: "30 seconds" };
/** Milliseconds of a record of each level, about. */
const LONG = { week: 604_800_000, day: 86_400_000, hour: 3_600_000, "10min": 600_000, clip: 30_000 };
/** Records of a level that one look may hold; a finer level waits until it fits. */
const MOST = 400;

/**
 * @param {HTMLElement} place
 * @param {import("./types.js").Features} features
 * @returns {import("./app.js").View}
 */
export function memoryView(place, features) {
  if (!features.memory) {
    const how = el("code", {}, "firsthand serve --memory FOLDER");
    place.append(
      el("div", { class: "card" }, el("h2", {}, "No memory is open"), el("p", {}, "Start the server with one: ", how)),
    );
    return {};
  }
  const view = new MemoryView();
  place.append(view.element);
  void view.start();
  return {
    show: ([kind, id]) => {
      if (kind === "record" && id) void view.open(Number(id), false);
    },
  };
}

/**
 * What a button on the timeline shows and says: the beginning, as it is read aloud.
 * @param {string} text
 */
const brief = (text) => text.slice(0, 120).replace(/\s+/g, " ").trim();

class MemoryView {
  constructor() {
    this.timeline = new Timeline({
      label: "Timeline",
      onChoose: (id) => void this.open(Number(id), true),
      onRange: () => this.#soon(),
    });
    this.wearer = select([], "");
    this.record = el(
      "section",
      { class: "card stack", "aria-label": "Record" },
      el("p", { class: "note" }, "Choose something on the timeline, or search."),
    );
    this.hits = el("ol", { class: "hits" });
    this.about = el("p", { class: "note" });
    this.words = el("input", { type: "search", placeholder: "where did i leave the red mug ?" });
    this.clock = el("input", { type: "text", placeholder: "now: the end", autocomplete: "off" });
    this.level = select(
      [["", "any"], .../** @type {[string, string][]} */ (LEVELS.map((level) => [level, ONE[level]]))],
      "",
    );
    const form = el(
      "form",
      {
        class: "card search",
        role: "search",
        on: { submit: (/** @type {Event} */ event) => (event.preventDefault(), void this.#search()) },
      },
      field("Search", this.words),
      field("As of", this.clock, "(Day 3 18:00)"),
      field("Level", this.level),
      field("Wearer", this.wearer),
      el("button", { type: "submit", class: "main" }, "Search"),
    );
    this.found = el(
      "section",
      { class: "card", "aria-label": "Found", hidden: true },
      el("h2", {}, "Found"),
      this.hits,
    );
    const line = el("section", { class: "card stack", "aria-label": "Days" }, this.timeline.element, this.about);
    this.element = el(
      "div",
      { class: "views" },
      form,
      line,
      el("div", { class: "columns two" }, this.record, this.found),
    );
    this.wearer.addEventListener("change", () => void this.#fetch());
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    /** @type {AbortController|null} */
    this.fetching = null;
  }

  async start() {
    await attempt(async () => {
      /** @type {import("./types.js").Counts} */
      const counts = await get("/page/api/memory");
      const wearers = Object.keys(counts.wearers);
      put(this.wearer, ...wearers.map((wearer) => el("option", { value: wearer }, wearer)));
      if (counts.first === null || counts.last === null) {
        this.about.textContent = "The memory is empty: firsthand remember adds a recording.";
        return;
      }
      this.timeline.extent(counts.first, counts.last);
    });
  }

  /** Looks again once the view has come to rest. */
  #soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.#fetch(), 60);
  }

  async #fetch() {
    this.fetching?.abort();
    const fetching = (this.fetching = new AbortController());
    const { start, end } = this.timeline.range;
    const fits = LEVELS.filter((level) => (end - start) / LONG[level] <= MOST);
    await attempt(async () => {
      const asked = fits.map((level) =>
        get(
          "/page/api/memory/range",
          { level, from: Math.floor(start), to: Math.ceil(end), wearer: this.wearer.value, limit: MOST },
          fetching.signal,
        ),
      );
      const lists = /** @type {{records: MemoryRecord[], more: boolean}[]} */ (await Promise.all(asked));
      const lanes = LEVELS.map((level) => {
        const list = lists[fits.indexOf(level)];
        const items = (list?.records ?? []).map((record) => ({
          id: String(record.id),
          start: record.start,
          end: record.end,
          words: brief(record.text),
          label: `${ONE[level]}, ${stretch(record.start, record.end)}: ${brief(record.text)}`,
          kind: record.state,
        }));
        return { name: level, words: WORDS[level], items };
      });
      this.timeline.fill(lanes);
      const hidden = LEVELS.filter((level, at) => !fits.includes(level) || lists[fits.indexOf(level)]?.more || at < 0);
      this.about.textContent =
        hidden.length > 0 ? `Zoom in to see ${hidden.map((level) => WORDS[level].toLowerCase()).join(" and ")}.` : "";
    });
  }

  async #search() {
    const words = this.words.value.trim();
    const clock = this.clock.value.trim() ? readMoment(this.clock.value) : null;
    if (!words) return fault("the question is empty: name a thing, a person or a time");
    if (this.clock.value.trim() && clock === null)
      return fault(`${this.clock.value} is not a moment: write Day 3 18:00`);
    await attempt(async () => {
      const body = { words, clock, level: this.level.value || null, wearer: this.wearer.value || null, top: 20 };
      /** @type {{hits: Hit[]}} */
      const { hits } = await post("/page/api/memory/search", body);
      this.found.hidden = false;
      put(this.hits, ...hits.map((hit) => this.#hit(hit)));
      if (hits.length === 0) this.hits.append(el("li", {}, "Nothing. Ask with other words, or as of a later time."));
      say(`${hits.length} found`);
    });
    return undefined;
  }

  /** @param {Hit} hit */
  #hit({ record, score, parts }) {
    const named = { text: "words", vector: "meaning", time: "time" };
    const why = Object.entries(named)
      .filter(([name]) => typeof parts[/** @type {keyof typeof parts} */ (name)] === "number")
      .map(([name, words]) => `${words} ${parts[/** @type {keyof typeof parts} */ (name)]?.toFixed(2)}`);
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "hit", on: { click: () => void this.open(record.id, true) } },
        el("b", {}, stretch(record.start, record.end)),
        el(
          "span",
          { class: "note" },
          `${ONE[/** @type {keyof typeof ONE} */ (record.level)] ?? record.level}${record.state === "partial" ? ", up to the clock" : ""}, score ${score.toFixed(2)} (${why.join(", ")})`,
        ),
        el("span", { class: "clamp" }, record.text),
      ),
    );
  }

  /**
   * Shows a record and where it stands.
   * @param {number} id
   * @param {boolean} named Whether the address should name it.
   */
  async open(id, named) {
    await attempt(async () => {
      /** @type {{record: MemoryRecord, children: MemoryRecord[], parents: MemoryRecord[]}} */
      const { record, children, parents } = await get(`/page/api/memory/record/${id}`);
      if (named) history.replaceState(null, "", `#memory/record/${id}`);
      this.#reveal(record);
      say(`${stretch(record.start, record.end)}: ${record.text}`);
      put(this.record, ...this.#card(record, children, parents));
    });
  }

  /**
   * Marks a record on the timeline, closer where its level would not be seen.
   * @param {MemoryRecord} record
   */
  #reveal(record) {
    this.timeline.mark(String(record.id));
    const { start, end } = this.timeline.range;
    const long = Math.max(record.end - record.start, 1000);
    const middle = (record.start + record.end) / 2;
    const isIn = middle >= start && middle < end;
    if (!isIn || (end - start) / long > 250) this.timeline.show(middle - 20 * long, middle + 20 * long);
  }

  /**
   * @param {MemoryRecord} record
   * @param {MemoryRecord[]} children
   * @param {MemoryRecord[]} parents
   */
  #card(record, children, parents) {
    const long = Math.max(record.end - record.start, 1000);
    const zoom = () => this.timeline.show(record.start - long * 0.1, record.end + long * 0.1);
    const other = (/** @type {MemoryRecord} */ one) =>
      el(
        "button",
        {
          type: "button",
          class: "chip",
          title: one.text.slice(0, 200),
          on: { click: () => void this.open(one.id, true) },
        },
        stretch(one.start, one.end),
      );
    const open = record.state === "open" ? "Waits to be written again: something it stood on was forgotten." : null;
    return [
      el(
        "div",
        { class: "row spread" },
        el("h2", {}, stretch(record.start, record.end)),
        el(
          "span",
          { class: "row" },
          el("button", { type: "button", class: "quiet", on: { click: zoom } }, "Zoom to it"),
          el(
            "button",
            { type: "button", class: "danger", on: { click: () => void this.#forget(record, parents) } },
            "Forget",
          ),
        ),
      ),
      el("p", { class: "story" }, record.text),
      record.transcript && el("blockquote", {}, record.transcript),
      facts([
        ["level", ONE[/** @type {keyof typeof ONE} */ (record.level)] ?? record.level],
        ["wearer", record.wearer],
        ["people", record.people.join(", ")],
        ["state", open],
      ]),
      ...record.evidence.map((evidence, at) => this.#evidence(record, evidence, at)),
      parents.length > 0 && el("div", { class: "row" }, el("h3", {}, "Told by"), ...parents.map(other)),
      children.length > 0 &&
        el("div", { class: "row" }, el("h3", {}, "Made from"), ...children.slice(0, 60).map(other)),
    ];
  }

  /**
   * @param {MemoryRecord} record
   * @param {MemoryRecord["evidence"][0]} evidence
   * @param {number} at
   */
  #evidence(record, evidence, at) {
    const count = 4;
    const long = evidence.end_s - evidence.start_s;
    const shots = Array.from({ length: count }, (_, number) => {
      const time = evidence.start_s + (long * (number + 0.5)) / count;
      const shot = el("img", { alt: `The recording at ${seconds(time)}` });
      picture("/page/api/memory/still", { record: record.id, evidence: at, at: time, width: 240 }).then(
        (src) => (shot.src = src),
        // A recording may have been moved since.
        () => shot.replaceWith(el("span", { class: "note" }, "not readable")),
      );
      return el("figure", {}, shot, el("figcaption", { class: "note" }, seconds(time)));
    });
    const words = `${evidence.file}, ${seconds(evidence.start_s)} to ${seconds(evidence.end_s)}`;
    return el(
      "div",
      { class: "stack" },
      el("h3", {}, "Evidence"),
      el("p", { class: "note mono" }, words),
      el("div", { class: "shots" }, ...shots),
    );
  }

  /**
   * @param {MemoryRecord} record
   * @param {MemoryRecord[]} parents
   */
  async #forget(record, parents) {
    const span = stretch(record.start, record.end);
    const body = [
      `Everything in the memory about ${record.wearer} between ${moment(record.start)} and ${moment(record.end)} is deleted: captions, summaries, words and vectors. It cannot be brought back.`,
      parents.length > 0 ? "Summaries that hold more than this are written anew without it." : null,
      "The recordings themselves stay where they are.",
    ];
    const pressed = await dialog(`Forget ${span}?`, body, [
      ["", "Keep it", "main"],
      ["forget", "Forget it", "danger"],
    ]);
    if (pressed !== "forget") return;
    await attempt(async () => {
      /** @type {{records: number}} */
      const done = await post("/page/api/memory/forget", { wearer: record.wearer, from: record.start, to: record.end });
      put(
        this.record,
        el("p", {}, `Forgotten: ${done.records} ${done.records === 1 ? "record" : "records"} of ${span}.`),
      );
      say(`Forgotten: ${span}`);
      this.found.hidden = true;
      await this.#fetch();
    });
  }
}
