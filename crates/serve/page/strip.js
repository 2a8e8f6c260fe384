// The frames the model will look at, in the order of time: pictures to walk through, and below them where each
// stands in the medium.

import { el, put, roving, svg } from "./dom.js";
import { seconds } from "./times.js";

/** @typedef {import("./types.js").Look} Look */
/** @typedef {import("./types.js").Chosen} Chosen */

const WIDE = 1000;

export class Strip {
  /** @param {(frame: Chosen, number: number) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.list = el("div", { class: "frames", role: "group", "aria-label": "Frames the model looks at" });
    this.track = svg("svg", {
      class: "track",
      viewBox: `0 0 ${WIDE} 22`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    this.scale = el("div", { class: "row spread note" });
    this.element = el("div", { class: "strip" }, this.list, this.track, this.scale);
    /** @type {Look|null} */
    this.look = null;
    /** @type {[number, number][]} */
    this.spans = [];
    this.at = 0;
    roving(this.list, "button");
  }

  /** @param {Look} look */
  show(look) {
    this.look = look;
    this.spans = [];
    this.at = 0;
    const frames = look.chosen.map((frame, number) => {
      const words = look.kind === "video" ? seconds(frame.time_s) : "image";
      const label = `Frame ${number + 1} of ${look.chosen.length}, at ${words}`;
      return el(
        "button",
        {
          type: "button",
          class: "frame",
          tabindex: number === 0 ? 0 : -1,
          "aria-label": label,
          title: `frame ${frame.index}, ${frame.hash.slice(0, 12)}`,
          on: { click: () => this.choose(number) },
        },
        el("img", { src: frame.picture, alt: "" }),
        el("span", {}, words),
      );
    });
    put(this.list, ...frames);
    const isVideo = look.kind === "video" && look.duration_s > 0;
    this.track.toggleAttribute("hidden", !isVideo);
    put(this.scale, isVideo && el("span", {}, "0 s"), isVideo && el("span", {}, seconds(look.duration_s)));
    this.#draw();
  }

  /** @param {number} number */
  choose(number) {
    const frame = this.look?.chosen[number];
    if (!frame) return;
    this.#mark(number);
    this.onChoose(frame, number);
  }

  /** @param {number} number */
  #mark(number) {
    const chosen = this.list.children[number];
    if (chosen) {
      // Along the strip alone: the page stays where it is.
      const [inner, outer] = [chosen.getBoundingClientRect(), this.list.getBoundingClientRect()];
      this.list.scrollLeft += Math.max(0, inner.right - outer.right + 8) + Math.min(0, inner.left - outer.left - 8);
    }
    [...this.list.children].forEach((child, index) => {
      if (index === number) child.setAttribute("aria-current", "true");
      else child.removeAttribute("aria-current");
    });
  }

  /**
   * Where the medium stands now.
   * @param {number} at Seconds.
   */
  follow(at) {
    this.at = at;
    this.#draw();
  }

  /**
   * Stretches that the answer cites.
   * @param {[number, number][]} spans
   */
  cite(spans) {
    this.spans = spans;
    const { look } = this;
    [...this.list.children].forEach((child, index) => {
      const time = look?.chosen[index]?.time_s ?? -1;
      child.classList.toggle(
        "cited",
        spans.some(([start, end]) => time >= start - 0.25 && time <= end + 0.25),
      );
    });
    this.#draw();
  }

  #draw() {
    const long = this.look?.duration_s ?? 0;
    if (long <= 0) return;
    const x = (/** @type {number} */ time) => (Math.min(Math.max(time, 0), long) / long) * WIDE;
    put(
      this.track,
      svg("rect", { class: "ground", x: 0, y: 8, width: WIDE, height: 6 }),
      ...this.spans.map(([start, end]) =>
        svg("rect", { class: "span", x: x(start), y: 5, width: Math.max(3, x(end) - x(start)), height: 12 }),
      ),
      ...(this.look?.chosen ?? []).map((frame) =>
        svg("rect", { class: "tick", x: x(frame.time_s) - 1, y: 4, width: 2, height: 14 }),
      ),
      svg("rect", { class: "head", x: x(this.at) - 1.5, y: 0, width: 3, height: 22 }),
    );
  }
}
