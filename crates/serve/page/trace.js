// Trace: what an agent did to answer a question. Each turn stands beside the moments it looked at.

import { get } from "./api.js";
import { attempt, el, facts, fault, put, say } from "./dom.js";
import { Timeline } from "./timeline.js";
import { moment, momentOf, seconds, stretch } from "./times.js";

/** @typedef {import("./types.js").Trace} Trace */
/** @typedef {import("./types.js").TraceTurn} TraceTurn */
/** @typedef {import("./types.js").Proof} Proof */

/** Most bytes of a trace that is read into the page. */
const MOST_BYTES = 32 << 20;

/**
 * @param {HTMLElement} place
 * @param {import("./types.js").Features} features
 * @returns {import("./app.js").View}
 */
export function traceView(place, features) {
  const view = new TraceView(features.traces);
  place.append(view.element);
  return {
    show: ([name]) => {
      void view.list();
      if (name) void view.load(name);
    },
  };
}

class TraceView {
  /** @param {boolean} served Whether the server keeps traces. */
  constructor(served) {
    this.served = served;
    this.names = el("ul", { class: "names" });
    this.picker = el("input", {
      type: "file",
      id: "trace-file",
      accept: ".json,application/json",
      class: "unseen",
      on: { change: () => void this.#file(this.picker.files?.[0]) },
    });
    const open = el(
      "div",
      { class: "drop" },
      el("label", { class: "button", for: "trace-file" }, "Open a trace"),
      this.picker,
      el("span", { class: "note" }, "or drop the file here"),
    );
    addEventListener("drop", (event) => {
      if (this.element.offsetParent && event.dataTransfer?.files[0]) void this.#file(event.dataTransfer.files[0]);
    });
    this.timeline = new Timeline({
      label: "Moments the agent looked at",
      onChoose: (id) => this.#choose(id),
      onRange: () => {},
    });
    this.turns = el("ol", { class: "turns" });
    this.head = el("section", { class: "card stack", "aria-label": "Question" });
    this.shown = el(
      "div",
      { class: "views", hidden: true },
      this.head,
      el("section", { class: "card", "aria-label": "Moments" }, this.timeline.element),
      this.turns,
    );
    this.element = el(
      "div",
      { class: "columns side" },
      el("aside", { "aria-label": "Traces" }, open, this.names),
      this.shown,
    );
    /** @type {Map<string, number>} Turn of each item. */
    this.turnOf = new Map();
  }

  /** Lists the server's traces. */
  async list() {
    if (!this.served) return;
    await attempt(async () => {
      /** @type {{traces: {name: string, question: string}[]}} */
      const { traces } = await get("/page/api/traces");
      const link = (/** @type {{name: string, question: string}} */ one) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: `#trace/${encodeURIComponent(one.name)}` },
            el("b", {}, one.question),
            el("span", { class: "note" }, one.name),
          ),
        );
      put(this.names, ...traces.map(link));
      if (traces.length === 0)
        this.names.append(
          el("li", { class: "note" }, "None yet: firsthand ask --memory FOLDER --trace FILE writes one."),
        );
    });
  }

  /** @param {string} name */
  async load(name) {
    await attempt(async () => this.show(await get("/page/api/trace", { name })));
    for (const link of this.names.querySelectorAll("a")) {
      if (link.getAttribute("href") === `#trace/${encodeURIComponent(name)}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  /** @param {File|undefined} file */
  async #file(file) {
    if (!file) return;
    if (file.size > MOST_BYTES) return fault(`${file.name} is too large: a trace has at most 32 MiB`);
    await attempt(async () => {
      let trace;
      try {
        trace = JSON.parse(await file.text());
      } catch {
        throw new Error(`${file.name} is not JSON: choose a trace that firsthand wrote`);
      }
      this.show(trace);
    });
    return undefined;
  }

  /** @param {Trace} trace */
  show(trace) {
    if (!Array.isArray(trace?.turns) || typeof trace.question?.text !== "string")
      throw new Error("the file is no trace: choose one that firsthand ask --trace wrote");
    const { question } = trace;
    const verdict = told(trace);
    put(
      this.head,
      el("h2", { class: "question" }, question.text),
      question.options?.length > 0 &&
        el(
          "ol",
          { class: "choices" },
          ...question.options.map((option, at) =>
            el(
              "li",
              { class: verdict.option === at ? "chosen" : "", "aria-current": verdict.option === at ? "true" : null },
              el("b", {}, String.fromCharCode(65 + at)),
              el("span", {}, option),
            ),
          ),
        ),
      verdict.option === undefined && el("p", { class: verdict.failed ? "answer bad" : "answer" }, verdict.words),
      facts([
        ["asked", `${moment(momentOf(question.clock))} about ${question.wearer}`],
        ["cost", `${trace.spent.turns} turns, ${trace.spent.tokens} tokens, ${seconds(trace.spent.seconds)}`],
      ]),
      trace.manifests &&
        Object.keys(trace.manifests).length > 0 &&
        el(
          "details",
          {},
          el("summary", {}, "What made it"),
          el("pre", { tabindex: 0, role: "region", "aria-label": "The manifests as JSON" }, JSON.stringify(trace.manifests, null, 2)),
        ),
    );
    this.#moments(trace);
    const most = Math.max(...trace.turns.map(cost), 0.001);
    put(this.turns, ...trace.turns.map((turn, at) => this.#turn(turn, at, most)));
    this.shown.hidden = false;
    say(`A trace of ${trace.turns.length} turns: ${question.text}`);
  }

  /** @param {Trace} trace */
  #moments(trace) {
    this.turnOf.clear();
    const clock = momentOf(trace.question.clock);
    const lanes = trace.turns.map((turn, at) => {
      const items = proofs(turn).map((proof, number) => {
        const id = `${at}.${number}`;
        this.turnOf.set(id, at);
        const [start, end] = [momentOf(proof.start), momentOf(proof.end)];
        return {
          id,
          start,
          end,
          words: proof.text,
          label: `Turn ${at + 1}, ${stretch(start, end)}: ${proof.text.slice(0, 120)}`,
          kind: "seen",
        };
      });
      return { name: String(at), words: `${at + 1} ${turn.called?.call.name ?? ""}`, items };
    });
    const used = lanes.filter((lane) => lane.items.length > 0);
    const all = used.flatMap((lane) => lane.items);
    /** @type {HTMLElement|null} */ (this.timeline.element.parentElement)?.toggleAttribute("hidden", all.length === 0);
    if (all.length === 0) return;
    const first = Math.min(...all.map((item) => item.start));
    const last = Math.max(...all.map((item) => item.end), clock);
    const edge = Math.max((last - first) * 0.02, 30_000);
    this.timeline.chosen = null;
    this.timeline.extent(Math.max(0, first - edge), last + edge);
    this.timeline.fill(used);
  }

  /** @param {string} id */
  #choose(id) {
    const at = this.turnOf.get(id);
    [...this.turns.children].forEach((child, number) => child.classList.toggle("marked", number === at));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (at !== undefined)
      this.turns.children[at]?.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  /**
   * @param {TraceTurn} turn
   * @param {number} at
   * @param {number} most
   */
  #turn(turn, at, most) {
    const { called, said } = turn;
    const failed = called?.outcome.failed;
    const bar = el("span", { class: "bar-of" });
    bar.style.width = `${(cost(turn) / most) * 100}%`;
    const looked = proofs(turn).map((proof, number) => {
      const span = stretch(momentOf(proof.start), momentOf(proof.end));
      const point = () => this.timeline.mark(`${at}.${number}`);
      return el(
        "button",
        { type: "button", class: "chip", title: proof.text.slice(0, 300), on: { click: point } },
        span,
      );
    });
    const result = said.observation ?? "";
    return el(
      "li",
      { class: "card stack" },
      el(
        "div",
        { class: "row spread" },
        el("h3", {}, `Turn ${at + 1}`),
        el("span", { class: "note" }, `${turn.cost.tokens} tokens, ${seconds(cost(turn))}`),
      ),
      el("div", { class: "bar-ground", "aria-hidden": "true" }, bar),
      thought(turn.text) && el("p", { class: "thinking" }, thought(turn.text)),
      called && el("pre", { class: "call" }, `${called.call.name}(${given(called.call.arguments)})`),
      ...(called?.notes ?? []).map((note) => el("p", { class: "note" }, note)),
      failed && el("p", { class: "bad" }, [failed.message, failed.remedy].filter(Boolean).join("; ")),
      looked.length > 0 && el("div", { class: "row" }, ...looked),
      !failed &&
        result &&
        el(
          "details",
          { open: result.length < 600 },
          el("summary", {}, called ? "Result" : "Told"),
          el("pre", { tabindex: 0, role: "region", "aria-label": "What came back" }, readable(result)),
        ),
      said.answer !== undefined && el("p", { class: "answer" }, said.answer),
      said.over !== undefined && el("p", { class: "bad" }, `No answer: ${ended(said.over)}`),
    );
  }
}

/** @param {TraceTurn} turn */
const cost = (turn) => turn.cost.seconds + (turn.called?.seconds ?? 0);

/** @param {TraceTurn} turn */
const proofs = (turn) => turn.called?.outcome.found?.evidence ?? [];

/** @param {Record<string, unknown>} values */
const given = (values) =>
  Object.entries(values)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(", ");

/** @param {string} text */
function thought(text) {
  return (/<think>([\s\S]*?)(?:<\/think>|$)/.exec(text)?.[1] ?? "").trim();
}

/** @param {unknown} over */
function ended(over) {
  if (typeof over === "string")
    return { turns: "no turn is left", tokens: "no token is left", seconds: "no time is left" }[over] ?? over;
  return Object.entries(/** @type {Record<string, unknown>} */ (over ?? {}))
    .map(([name, reason]) => `${name}: ${reason}`)
    .join(", ");
}

/** @param {string} text */
function readable(text) {
  return text
    .split("\n")
    .map((line) => {
      try {
        const value = JSON.parse(line);
        return typeof value === "object" && value ? JSON.stringify(value, null, 2) : line;
      } catch {
        return line;
      }
    })
    .join("\n");
}

/**
 * What the answer comes to.
 * @param {Trace} trace
 * @returns {{words: string, option?: number, failed: boolean}}
 */
function told(trace) {
  const verdict = /** @type {any} */ (trace.verdict);
  if (typeof verdict?.option === "number") return { words: "", option: verdict.option, failed: false };
  if (verdict === "not_in_memory") return { words: "Not in memory", failed: false };
  if (typeof verdict?.words === "string") return { words: verdict.words, failed: false };
  if (trace.end.answer !== undefined) return { words: trace.end.answer, failed: false };
  return { words: `No answer: ${ended(trace.end.over)}`, failed: true };
}
