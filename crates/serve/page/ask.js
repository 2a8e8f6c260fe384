// Ask: a medium, what the model will see of it, a question, the reply as it is written, and what the reply says about
// the pictures.

import { call, picture, post, stream, upload } from "./api.js";
import { attempt, dialog, el, facts, fault, field, put, say, select } from "./dom.js";
import { answerCard } from "./answer.js";
import { sections } from "./reply.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { seconds } from "./times.js";

/** @typedef {import("./types.js").Features} Features */
/** @typedef {import("./types.js").Look} Look */
/** @typedef {import("./types.js").Reading} Reading */

const STYLES = {
  plain: "As it is",
  "video-r1": "Video-R1",
  "st-r1": "ST-R1",
  spatialthinker: "SpatialThinker (scene graph)",
  "spatialthinker-eval-literal": "SpatialThinker, as evaluated",
  "spatialthinker-train": "SpatialThinker, long",
  egothinker: "EgoThinker",
};

/**
 * @param {HTMLElement} place
 * @param {Features} features
 * @returns {import("./app.js").View}
 */
export function askView(place, features) {
  const view = new Ask(features);
  place.append(view.element);
  return {};
}

class Ask {
  /** @param {Features} features */
  constructor(features) {
    this.features = features;
    /** @type {string|null} Id of the file on the server. */
    this.file = null;
    /** @type {"video"|"image"} */
    this.kind = "video";
    /** @type {Look|null} */
    this.look = null;
    /** @type {unknown} */
    this.manifest = null;
    /** @type {AbortController|null} */
    this.asking = null;
    this.stage = new Stage();
    this.strip = new Strip((frame, number) => this.#frame(frame, number));
    this.stage.onTime = (at) => this.strip.follow(at);
    this.element = el("div", {}, this.#top(), el("div", { class: "columns two" }, this.#left(), this.#right()));
    this.#ready();
  }

  #top() {
    this.picker = el("input", {
      type: "file",
      id: "medium",
      accept: "video/*,image/*",
      class: "unseen",
      on: { change: () => this.#chosen(this.picker?.files?.[0]) },
    });
    this.drop = el(
      "div",
      { class: "drop" },
      el("p", { class: "lead" }, "See the frames a model looks at, ask about them, and watch it reason."),
      el("label", { class: "button", for: "medium" }, "Choose a video or an image"),
      this.picker,
      el("span", { class: "note" }, "or drop one here. It stays on this server."),
    );
    for (const event of ["dragenter", "dragover"])
      this.drop.addEventListener(event, () => this.drop?.classList.add("over"));
    for (const event of ["dragleave", "drop"])
      this.drop.addEventListener(event, () => this.drop?.classList.remove("over"));
    // The whole view takes a file; the place only shows where.
    addEventListener("drop", (event) => {
      if (this.element.offsetParent && event.dataTransfer?.files[0]) void this.#chosen(event.dataTransfer.files[0]);
    });
    return this.drop;
  }

  #left() {
    this.about = el("p", { class: "note" });
    const number = (/** @type {Record<string, any>} */ more) =>
      el("input", {
        type: "number",
        min: 0,
        step: "any",
        inputmode: "decimal",
        on: { change: () => this.#see() },
        ...more,
      });
    this.rules = {
      frames: number({ min: 1, step: 1, max: 768 }),
      fps: number({ placeholder: "2" }),
      start: number({ placeholder: "0" }),
      end: number({ placeholder: "end" }),
      max_pixels: number({ min: 784, step: 1, placeholder: "602112" }),
    };
    const { frames, fps, start, end, max_pixels } = this.rules;
    const settings = el(
      "details",
      {},
      el("summary", {}, "Which frames"),
      el(
        "div",
        { class: "fields" },
        field("Frames", frames, "(a number)"),
        field("or frames a second", fps),
        field("From second", start),
        field("To second", end),
        field("Most pixels of a frame", max_pixels),
      ),
    );
    this.seen = el(
      "div",
      { class: "card stack", hidden: true },
      this.stage.element,
      this.strip.element,
      this.about,
      settings,
    );
    return this.seen;
  }

  #right() {
    this.question = el("textarea", { rows: 2, placeholder: "what do i pick up ?" });
    this.options = el("textarea", { rows: 2, placeholder: "one a line; leave empty for an answer in words" });
    const styles = Object.entries(STYLES).filter(([style]) => this.features.styles.includes(style));
    this.style = select(/** @type {[string, string][]} */ (styles), "plain");
    this.go = el("button", { type: "submit", class: "main" }, "Ask");
    this.stop = el("button", { type: "button", hidden: true, on: { click: () => this.asking?.abort() } }, "Stop");
    const form = el(
      "form",
      {
        class: "card stack",
        on: { submit: (/** @type {Event} */ event) => (event.preventDefault(), void this.#ask()) },
      },
      field("Question", this.question),
      field("Options", this.options),
      el("div", { class: "row" }, field("Prompt", this.style), el("span", { class: "grow" }), this.stop, this.go),
      this.features.note && el("p", { class: "note" }, this.features.note),
    );
    this.question.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.reply = el("div", { class: "reply" });
    return el("div", {}, form, this.reply);
  }

  #ready() {
    if (this.go) this.go.disabled = !this.look || Boolean(this.asking);
    if (this.stop) this.stop.hidden = !this.asking;
    this.element.classList.toggle("empty", !this.look);
  }

  /** @param {File|undefined} file */
  async #chosen(file) {
    if (!file) return;
    if (!/^(video|image)\//.test(file.type)) {
      fault(`${file.name} is neither a video nor an image: choose an MP4, MKV, WebM, JPEG or PNG file`);
      return;
    }
    this.asking?.abort();
    this.look = null;
    this.#ready();
    put(/** @type {HTMLElement} */ (this.reply));
    say(`Opening ${file.name}`);
    await attempt(async () => {
      const before = this.file;
      this.file = await upload(file);
      // The page keeps one medium; what it no longer shows need not stay.
      if (before) void call(`/v1/files/${before}`, { method: "DELETE" }).catch(() => {});
      this.kind = file.type.startsWith("video/") ? "video" : "image";
      this.stage.open(file, this.kind === "video");
      await this.#see();
      this.question?.focus();
    });
  }

  /** Asks the server which frames the model would see. */
  async #see() {
    if (!this.file) return;
    await attempt(async () => {
      /** @type {Look} */
      const look = await post("/page/api/look", { file: this.file, kind: this.kind, rules: this.#chosenRules() });
      const last = look.chosen.at(-1)?.time_s ?? 0;
      look.duration_s =
        this.kind === "video" ? ((await this.stage.duration()) ?? last + 1 / (look.sample_fps || 2)) : 0;
      this.look = look;
      this.stage.size = look.size;
      this.stage.draw({ boxes: [], relations: [] });
      this.strip.show(look);
      if (this.seen) this.seen.hidden = false;
      const count = look.chosen.length;
      const [height, width] = look.resized;
      const words = `${count} ${count === 1 ? "frame" : "frames"} of ${width} × ${height} pixels, ${look.tokens} tokens`;
      put(
        /** @type {HTMLElement} */ (this.about),
        `The model sees ${words}${look.duration_s > 0 ? `, of ${seconds(look.duration_s)}` : ""}. Decoded by ${look.decoder}.`,
      );
      say(`The model sees ${words}`);
      this.#ready();
    });
  }

  #chosenRules() {
    const rules = this.rules;
    if (!rules) return {};
    const { frames, fps, start, end, max_pixels } = rules;
    return {
      frames: frames.value,
      fps: frames.value ? "" : fps.value,
      start: start.value,
      end: end.value,
      max_pixels: max_pixels.value,
    };
  }

  /**
   * @param {import("./types.js").Chosen} frame
   * @param {number} number
   */
  #frame(frame, number) {
    const words = `Frame ${number + 1} of ${this.look?.chosen.length}, ${seconds(frame.time_s)}`;
    void attempt(async () =>
      this.stage.showFrame(
        await picture("/page/api/frame", { file: this.file, at: frame.time_s }),
        frame.time_s,
        words,
        number === 0,
      ),
    );
    this.strip.follow(frame.time_s);
  }

  async #ask() {
    const text = this.question?.value.trim() ?? "";
    if (!this.look || !this.file || this.asking) return;
    if (!text) {
      fault("the question is empty: write what you want to know");
      this.question?.focus();
      return;
    }
    const options = (this.options?.value ?? "")
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
    const style = this.style?.value ?? "plain";
    const asking = (this.asking = new AbortController());
    this.#ready();
    const card = answerCard({ options, look: this.look, stage: this.stage, strip: this.strip });
    put(/** @type {HTMLElement} */ (this.reply), card.element);
    const began = performance.now();
    let written = "";
    await attempt(async () => {
      const body = await post(
        "/page/api/question",
        { file: this.file, kind: this.kind, size: this.look?.size, text, options, style, rules: this.#chosenRules() },
        asking.signal,
      );
      let usage = null;
      let finish = null;
      this.manifest = null;
      for await (const event of stream("/v1/chat/completions", body, asking.signal)) {
        if (event.error) throw new Error(event.error.message ?? "the model could not go on: ask again");
        const choice = event.choices?.[0];
        written += choice?.delta?.content ?? "";
        finish = choice?.finish_reason ?? finish;
        usage = event.usage ?? usage;
        this.manifest = event.firsthand?.manifest ?? event.manifest ?? this.manifest;
        card.write(sections(written));
      }
      /** @type {Reading} */
      const reading = await post(
        "/page/api/read",
        { text: written, style, options, size: this.look?.size, resized: this.look?.resized },
        asking.signal,
      );
      const took = (performance.now() - began) / 1000;
      card.end(reading, {
        seconds: took,
        usage,
        finish,
        manifest: this.manifest,
        onManifest: () => void this.#showManifest(),
      });
      say(`Answer: ${reading.option === null ? reading.answer : `${String.fromCharCode(65 + reading.option)}. ${options[reading.option]}`}`);
    });
    if (asking.signal.aborted) card.stopped();
    this.asking = null;
    this.#ready();
  }

  async #showManifest() {
    const text = JSON.stringify(this.manifest, null, 2);
    const { media: _, options: __, ...plain } = /** @type {Record<string, any>} */ (this.manifest ?? {});
    const pairs = Object.entries(plain).map(([name, value]) => /** @type {[string, string]} */ ([name, String(value)]));
    const body = [
      el("p", { class: "note" }, "Everything that made this answer. The same file, prompt and weights give it again."),
      facts(pairs),
      el("pre", { tabindex: 0, role: "region", "aria-label": "The manifest as JSON" }, text),
    ];
    const pressed = await dialog("What made this answer", body, [
      ["", "Close", "main"],
      ["copy", "Copy as JSON"],
    ]);
    if (pressed === "copy") await attempt(() => navigator.clipboard.writeText(text));
  }
}
