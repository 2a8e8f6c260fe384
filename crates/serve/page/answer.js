// A reply as it grows, and what is in it once it is whole: the answer, the reasoning with its times, boxes and
// relations to point at.

import { el, put } from "./dom.js";
import { seconds, withTimes } from "./times.js";

/** @typedef {import("./types.js").Look} Look */
/** @typedef {import("./types.js").Reading} Reading */
/** @typedef {import("./reply.js").Sections} Sections */

/**
 * @typedef {object} Made What is told beside a reply.
 * @property {number} seconds
 * @property {{prompt_tokens?: number, completion_tokens?: number}|null} usage
 * @property {string|null} finish
 * @property {unknown} manifest
 * @property {() => void} onManifest
 */

/**
 * @param {{options: string[], look: Look, stage: import("./stage.js").Stage, strip: import("./strip.js").Strip}} on
 */
export function answerCard({ options, look, stage, strip }) {
  const answer = el("p", { class: "answer" });
  const choices = el("ol", { class: "choices" });
  const state = el("p", { class: "note" }, "Looking …");
  const thinking = el("p", { class: "thinking" });
  const reasons = el("div", { hidden: true }, el("h3", {}, "Reasoning"), thinking);
  const drawn = el("div", { class: "stack", hidden: true });
  const foot = el("div", { class: "row spread" }, state);
  const element = el(
    "section",
    { class: "card stack", "aria-label": "Reply", "aria-busy": "true" },
    el("h2", { class: "unseen" }, "Reply"),
    answer,
    choices,
    reasons,
    drawn,
    foot,
  );
  const duration = look.kind === "video" ? look.duration_s : 0;
  const jump = (/** @type {number} */ start, /** @type {number} */ end) => stage.jump(start, end);
  put(
    choices,
    ...options.map((option, at) => el("li", {}, el("b", {}, String.fromCharCode(65 + at)), el("span", {}, option))),
  );
  choices.hidden = options.length === 0;

  /** @param {number|null} at */
  function choose(at) {
    [...choices.children].forEach((child, index) => {
      child.classList.toggle("chosen", index === at);
      if (index === at) child.setAttribute("aria-current", "true");
    });
    answer.hidden = at !== null;
  }

  return {
    element,
    /** @param {Sections} sections */
    write(sections) {
      const { thinking: thought, rest, answer: said } = sections;
      const shown = said || (thought ? "" : rest);
      put(answer, shown);
      reasons.hidden = !thought;
      put(thinking, ...withTimes(thought, duration, jump));
      state.textContent = shown ? "Answering …" : "Thinking …";
    },
    stopped() {
      state.textContent = "Stopped.";
      element.setAttribute("aria-busy", "false");
    },
    /**
     * @param {Reading} reading
     * @param {Made} made
     */
    end(reading, made) {
      element.setAttribute("aria-busy", "false");
      put(answer, ...withTimes(reading.answer, duration, jump));
      choose(reading.option);
      const thought = [reading.observed, reading.thinking].filter(Boolean).join("\n\n");
      reasons.hidden = !thought;
      put(thinking, ...withTimes(thought, duration, jump));
      if (duration > 0) {
        const spans = reading.spans.filter(([start, end]) => start <= end && end <= duration + 0.5);
        strip.cite(spans);
        if (spans[0] && reading.boxes.length === 0) stage.jump(spans[0][0], spans[0][0]);
      }
      boxes(reading);
      const { usage } = made;
      const counts = usage ? `${usage.prompt_tokens} tokens read, ${usage.completion_tokens} written, ` : "";
      const cut = made.finish === "length" ? " Cut at the most tokens allowed." : "";
      state.textContent = `${counts}${seconds(made.seconds)}.${cut}`;
      if (made.manifest) foot.append(el("button", { type: "button", on: { click: made.onManifest } }, "What made it"));
    },
  };

  /** @param {Reading} reading */
  function boxes(reading) {
    const relations = reading.scene?.relationships ?? [];
    const drawing = { boxes: reading.boxes, relations };
    drawn.hidden = reading.boxes.length === 0;
    if (drawn.hidden) return;
    // Boxes of a video are about its first frame, so that one is shown.
    if (look.kind === "video") strip.choose(0);
    stage.draw(drawing);
    const point = (/** @type {string|null} */ label) => stage.draw(drawing, label);
    const chips = reading.boxes.map((box, at) => {
      const words = box.label ?? `Box ${at + 1}`;
      const corners = box.box.map((corner) => Math.round(corner)).join(", ");
      const on = {
        mouseenter: () => point(box.label),
        focus: () => point(box.label),
        mouseleave: () => point(null),
        blur: () => point(null),
      };
      return el(
        "button",
        { type: "button", class: "chip", title: corners, "aria-label": `${words} at ${corners}`, on },
        words,
      );
    });
    put(drawn, el("h3", {}, reading.scene ? "Scene" : "Boxes"), el("div", { class: "row" }, ...chips));
    if (relations.length > 0) {
      const rows = relations.map(({ subject, predicate, object }) =>
        el("li", {}, el("b", {}, subject), ` ${predicate} `, el("b", {}, object)),
      );
      drawn.append(el("ul", { class: "relations" }, ...rows));
    }
  }
}
