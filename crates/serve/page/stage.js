// The medium at full size: the file itself, or the exact frame that the model looked at, with what the answer says
// about it drawn on top.

import { el, put, svg } from "./dom.js";
import { seconds } from "./times.js";

/** @typedef {import("./types.js").LabelledBox} LabelledBox */
/** @typedef {import("./types.js").Relation} Relation */
/** @typedef {{boxes: LabelledBox[], relations: Relation[]}} Drawing */

export class Stage {
  constructor() {
    this.video = el("video", {
      controls: true,
      preload: "metadata",
      playsinline: true,
      muted: true,
      "aria-label": "The video",
    });
    this.still = el("img", { alt: "" });
    this.drawing = svg("svg", { class: "drawing", "aria-hidden": "true" });
    this.caption = el("p", { class: "note caption" });
    this.stillButton = el(
      "button",
      { type: "button", class: "quiet", on: { click: () => this.showVideo() } },
      "Back to the video",
    );
    this.frame = el("div", { class: "picture" }, this.video, this.still, this.drawing);
    this.element = el(
      "figure",
      { class: "stage" },
      this.frame,
      el("div", { class: "row spread" }, this.caption, this.stillButton),
    );
    /** @type {Drawing} */
    this.drawn = { boxes: [], relations: [] };
    /** @type {[number, number]} Height and width of the original. */
    this.size = [1, 1];
    this.isVideo = false;
    this.until = Infinity;
    /** @type {string|null} */
    this.url = null;
    this.video.addEventListener("timeupdate", () => this.#passed());
    /** @type {(at: number) => void} */
    this.onTime = () => {};
  }

  /**
   * Shows another file.
   * @param {File} file
   * @param {boolean} isVideo
   */
  open(file, isVideo) {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(file);
    this.isVideo = isVideo;
    this.draw({ boxes: [], relations: [] });
    this.video.hidden = !isVideo;
    this.still.hidden = isVideo;
    this.stillButton.hidden = true;
    this.drawing.toggleAttribute("hidden", isVideo);
    if (isVideo) {
      this.video.src = this.url;
    } else {
      this.video.removeAttribute("src");
      this.still.src = this.url;
      this.still.alt = `The image ${file.name}`;
    }
    this.caption.textContent = file.name;
  }

  /**
   * The exact frame the model was given, as the server decodes it.
   * @param {string} address
   * @param {number} at Seconds.
   * @param {string} words
   * @param {boolean} isFirst Boxes of a video are about its first frame; over another they would lie.
   */
  showFrame(address, at, words, isFirst) {
    if (!this.isVideo) return;
    if (this.still.src.startsWith("blob:")) URL.revokeObjectURL(this.still.src);
    this.video.pause();
    if (Number.isFinite(this.video.duration)) this.video.currentTime = at;
    this.still.src = address;
    this.still.alt = words;
    this.still.hidden = false;
    this.video.hidden = true;
    this.stillButton.hidden = false;
    this.caption.textContent = words;
    this.drawing.toggleAttribute("hidden", !isFirst);
  }

  /** Seconds of the video; null where the browser cannot play it. */
  async duration() {
    const { video } = this;
    if (video.readyState < 1 && !video.error) {
      await new Promise((resolve) => {
        for (const event of ["loadedmetadata", "error"]) video.addEventListener(event, resolve, { once: true });
      });
    }
    return Number.isFinite(video.duration) ? video.duration : null;
  }

  showVideo() {
    if (!this.isVideo) return;
    this.still.hidden = true;
    this.video.hidden = false;
    this.stillButton.hidden = true;
    this.caption.textContent = seconds(this.video.currentTime);
    this.drawing.toggleAttribute("hidden", true);
  }

  /**
   * Plays from one time to another, or shows one time.
   * @param {number} start
   * @param {number} end
   */
  jump(start, end) {
    if (!this.isVideo) return;
    this.showVideo();
    this.video.currentTime = start;
    this.until = end > start ? end : Infinity;
    this.caption.textContent = end > start ? `${seconds(start)} to ${seconds(end)}` : seconds(start);
    if (end > start) void this.video.play().catch(() => {});
    this.onTime(start);
  }

  #passed() {
    const at = this.video.currentTime;
    if (at >= this.until) {
      this.until = Infinity;
      this.video.pause();
    }
    this.onTime(at);
  }

  /**
   * @param {Drawing} drawing
   * @param {string|null} [marked] The label to stand out.
   */
  draw(drawing, marked = null) {
    this.drawn = drawing;
    const [height, width] = this.size;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const unit = Math.max(width, height) / 100;
    const { boxes, relations } = drawing;
    put(
      this.drawing,
      ...relations.map((relation) => line(relation, boxes, unit, marked)),
      ...boxes.map((box) => outline(box, unit, width, marked)),
    );
  }
}

/**
 * @param {LabelledBox} labelled
 * @param {number} unit
 * @param {number} width
 * @param {string|null} marked
 */
function outline({ label, box }, unit, width, marked) {
  const [x1, y1, x2, y2] = box;
  const group = svg("g", { class: marked && marked === label ? "box marked" : "box" });
  const rect = { x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1), rx: unit / 3 };
  group.append(
    svg("rect", { ...rect, class: "halo", "stroke-width": unit * 0.9 }),
    svg("rect", { ...rect, class: "edge", "stroke-width": unit * 0.45 }),
  );
  if (label) {
    const size = unit * 3;
    const long = label.length * size * 0.56 + unit;
    const x = Math.min(Math.max(0, x1), Math.max(0, width - long));
    const y = y1 > size * 1.3 ? y1 - size * 1.3 : y1;
    group.append(
      svg("rect", { class: "tag", x, y, width: long, height: size * 1.3, rx: unit / 3 }),
      svg("text", { x: x + unit / 2, y: y + size, "font-size": size }, label),
    );
  }
  return group;
}

/**
 * A relation as a line between the middles of two boxes.
 * @param {Relation} relation
 * @param {LabelledBox[]} boxes
 * @param {number} unit
 * @param {string|null} marked
 */
function line(relation, boxes, unit, marked) {
  const middle = (/** @type {string} */ id) => {
    const found = boxes.find((box) => box.label === id);
    return found && [(found.box[0] + found.box[2]) / 2, (found.box[1] + found.box[3]) / 2];
  };
  const [from, to] = [middle(relation.subject), middle(relation.object)];
  if (!from || !to) return null;
  const [x1 = 0, y1 = 0] = from;
  const [x2 = 0, y2 = 0] = to;
  const is = marked === relation.subject || marked === relation.object;
  const size = unit * 2.6;
  const words = { x: (x1 + x2) / 2, y: (y1 + y2) / 2, "font-size": size, "text-anchor": "middle", class: "predicate" };
  return svg(
    "g",
    { class: is ? "relation marked" : "relation" },
    svg("line", { x1, y1, x2, y2, class: "halo", "stroke-width": unit * 0.7 }),
    svg("line", { x1, y1, x2, y2, class: "edge", "stroke-width": unit * 0.3 }),
    svg("text", { ...words, class: "predicate halo", "stroke-width": unit * 0.8 }, relation.predicate),
    svg("text", words, relation.predicate),
  );
}
