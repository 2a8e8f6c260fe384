// Runs: training curves, parts of the reward, samples, benchmark tables, and two runs side by side.

import { get } from "./api.js";
import { chart, short } from "./charts.js";
import { attempt, el, put, say } from "./dom.js";
import { comparisonCard, resultsCard } from "./results.js";

/** @typedef {import("./types.js").Run} Run */
/** @typedef {import("./types.js").Metrics} Metrics */

/** Shown first, in this order; the rest by name. */
const FIRST = ["reward", "accuracy", "loss", "gradient_norm", "tokens_per_second", "learning_rate"];

/**
 * @param {HTMLElement} place
 * @param {import("./types.js").Features} features
 * @returns {import("./app.js").View}
 */
export function runsView(place, features) {
  if (!features.runs) {
    const how = el("code", {}, "firsthand serve --runs FOLDER");
    place.append(
      el(
        "div",
        { class: "card" },
        el("h2", {}, "No runs are open"),
        el("p", {}, "Start the server with the folder that holds them: ", how),
      ),
    );
    return {};
  }
  const view = new RunsView();
  place.append(view.element);
  return { show: (words) => void view.open(words) };
}

class RunsView {
  constructor() {
    this.list = el("ul", { class: "names" });
    this.shown = el("div", { class: "views" }, el("p", { class: "note" }, "Choose a run; tick two to compare them."));
    this.element = el("div", { class: "columns side" }, el("aside", { "aria-label": "Runs" }, this.list), this.shown);
    /** @type {Run[]} */
    this.runs = [];
    /** @type {string[]} */
    this.chosen = [];
  }

  /** @param {string[]} words Names of one or two runs. */
  async open(words) {
    await attempt(async () => {
      /** @type {{runs: Run[]}} */
      const { runs } = await get("/page/api/runs");
      this.runs = runs;
      const known = words.filter((name) => runs.some((run) => run.name === name)).slice(0, 2);
      const first = runs.find((run) => run.steps > 0) ?? runs[0];
      this.chosen = known.length > 0 || !first ? known : [first.name];
      this.#names();
      await this.#show();
    });
  }

  #names() {
    const rows = this.runs.map((run) => {
      const box = el("input", {
        type: "checkbox",
        "aria-label": `Show ${run.name}`,
        on: { change: () => this.#tick(run.name) },
      });
      box.checked = this.chosen.includes(run.name);
      const has = [
        run.steps > 0 && `${run.steps} steps`,
        run.rollouts > 0 && "samples",
        run.results && "results",
        run.rows && "answers",
      ]
        .filter(Boolean)
        .join(", ");
      const link = el(
        "a",
        {
          href: `#runs/${encodeURIComponent(run.name)}`,
          "aria-current": this.chosen.includes(run.name) ? "true" : null,
        },
        el("b", {}, run.name),
        el("span", { class: "note" }, has),
      );
      return el("li", { class: "tick" }, box, link);
    });
    put(this.list, ...rows);
    if (rows.length === 0)
      this.list.append(
        el("li", { class: "note" }, "The folder holds no run: firsthand train and firsthand eval write them."),
      );
  }

  /** @param {string} name */
  #tick(name) {
    const others = this.chosen.filter((other) => other !== name);
    const chosen = this.chosen.includes(name) ? others : [...others.slice(-1), name];
    history.replaceState(null, "", `#runs/${chosen.map(encodeURIComponent).join("/")}`);
    this.chosen = chosen;
    for (const box of this.list.querySelectorAll("input"))
      box.checked = chosen.some((one) => box.getAttribute("aria-label") === `Show ${one}`);
    this.list.querySelectorAll("a").forEach((link, at) => {
      if (chosen.includes(this.runs[at]?.name ?? "")) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    void attempt(() => this.#show());
  }

  async #show() {
    const runs = this.chosen.flatMap((name) => this.runs.filter((run) => run.name === name));
    if (runs.length === 0) {
      put(this.shown, el("p", { class: "note" }, "Choose a run; tick two to compare them."));
      return;
    }
    const parts = [
      this.#head(runs),
      await this.#curves(runs),
      ...(await this.#results(runs)),
      ...runs.filter((run) => run.rollouts > 0).map((run) => this.#samples(run)),
    ];
    put(this.shown, ...parts);
    say(`Showing ${this.chosen.join(" and ")}`);
  }

  /** @param {Run[]} runs */
  #head(runs) {
    const names = runs.map((run, at) =>
      el(
        "span",
        { class: "row" },
        el("span", { class: `key ${at === 0 ? "first" : "second"}`, "aria-hidden": "true" }),
        el("b", {}, run.name),
      ),
    );
    return el("h2", { class: "row" }, ...names);
  }

  /** @param {Run[]} runs */
  async #curves(runs) {
    const with_ = runs.filter((run) => run.steps > 0);
    if (with_.length === 0) return null;
    const named = await Promise.all(
      with_.map(async (run) => ({
        name: run.name,
        metrics: /** @type {Metrics} */ (await get("/page/api/runs/metrics", { run: run.name })),
      })),
    );
    const all = [...new Set(named.flatMap(({ metrics }) => Object.keys(metrics.series)))].filter((name) =>
      named.some(({ metrics }) => varies(metrics.series[name] ?? [])),
    );
    const first = FIRST.filter((name) => all.includes(name));
    const parts = all.filter((name) => name.includes(".") && !first.includes(name)).sort();
    const rest = all.filter((name) => !first.includes(name) && !parts.includes(name)).sort();
    const grid = (/** @type {string[]} */ names) =>
      el("div", { class: "charts" }, ...names.map((name) => chart(name, named)));
    return el(
      "section",
      { class: "card stack", "aria-label": "Curves" },
      grid(first),
      parts.length > 0 && el("h3", {}, "Parts of the reward"),
      parts.length > 0 && grid(parts),
      rest.length > 0 && el("details", {}, el("summary", {}, `${rest.length} more`), grid(rest)),
      numbers(named, [...first, ...parts]),
    );
  }

  /** @param {Run[]} runs */
  async #results(runs) {
    const with_ = runs.filter((run) => run.results);
    if (runs.length === 2 && runs.every((run) => run.rows)) {
      const [a, b] = [runs[0]?.name ?? "", runs[1]?.name ?? ""];
      const comparison = await get("/page/api/runs/compare", { first: a, second: b });
      return [
        el(
          "section",
          { class: "card stack", "aria-label": "Comparison" },
          el("h2", {}, "Compared"),
          comparisonCard(comparison, [a, b]),
        ),
      ];
    }
    return Promise.all(
      with_.map(async (run) =>
        el(
          "section",
          { class: "card stack", "aria-label": `Results of ${run.name}` },
          el("h2", {}, runs.length > 1 ? `Results of ${run.name}` : "Results"),
          resultsCard(await get("/page/api/runs/results", { run: run.name }), run.name),
        ),
      ),
    );
  }

  /** @param {Run} run */
  #samples(run) {
    const place = el("div", { class: "stack" });
    const steps = el("select", { "aria-label": "Step" });
    const open = async () => {
      const { groups } = await get("/page/api/runs/rollout", { run: run.name, step: steps.value });
      put(place, ...groups.map(group));
    };
    steps.addEventListener("change", () => void attempt(open));
    void attempt(async () => {
      /** @type {{steps: number[]}} */
      const list = await get("/page/api/runs/rollouts", { run: run.name });
      put(steps, ...list.steps.map((step) => el("option", { value: step }, `step ${step}`)));
      steps.value = String(list.steps.at(-1) ?? "");
      await open();
    });
    return el(
      "section",
      { class: "card stack", "aria-label": `Samples of ${run.name}` },
      el(
        "div",
        { class: "row spread" },
        el("h2", {}, `Samples${this.chosen.length > 1 ? ` of ${run.name}` : ""}`),
        steps,
      ),
      place,
    );
  }
}

/**
 * One question with its samples, best first.
 * @param {{name: string, question: string, right: string, samples: {kind: string, reward: number, parts: string, text: string}[]}} group
 */
function group({ question, right, samples }) {
  const most = Math.max(...samples.map((sample) => Math.abs(sample.reward)), 1e-9);
  const rows = [...samples]
    .sort((a, b) => b.reward - a.reward)
    .map((sample) => {
      const bar = el("span", { class: "bar-of" });
      bar.style.width = `${(Math.max(sample.reward, 0) / most) * 100}%`;
      return el(
        "li",
        {},
        el(
          "div",
          { class: "row spread" },
          el("b", {}, `${sample.reward.toFixed(3)}`),
          el("span", { class: "note" }, `${sample.kind}, ${sample.parts}`),
        ),
        el("div", { class: "bar-ground", "aria-hidden": "true" }, bar),
        el("p", { class: "sample" }, sample.text),
      );
    });
  return el(
    "details",
    { open: true },
    el("summary", {}, question),
    el("p", { class: "note" }, `right: ${right}`),
    el("ol", { class: "samples" }, ...rows),
  );
}

/** @param {(number|null)[]} values */
function varies(values) {
  const finite = values.filter((value) => value !== null);
  return finite.length > 1 && finite.some((value) => value !== finite[0]);
}

/**
 * The last values, for those who read instead of look.
 * @param {{name: string, metrics: Metrics}[]} named
 * @param {string[]} series
 */
function numbers(named, series) {
  const rows = series.map((name) => {
    const last = named.flatMap(({ metrics }) => {
      const values = (metrics.series[name] ?? []).filter((value) => value !== null);
      return [values[0], values.at(-1)].map((value) =>
        el("td", { class: "number" }, value === undefined ? "" : short(value)),
      );
    });
    return el("tr", {}, el("th", { scope: "row" }, name), ...last);
  });
  const heads = named.flatMap(({ name }) => [`${name}, first`, `${name}, last`]);
  const table = el(
    "table",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "number"),
        ...heads.map((words) => el("th", { scope: "col", class: "number" }, words)),
      ),
    ),
    el("tbody", {}, ...rows),
  );
  return el(
    "details",
    {},
    el("summary", {}, "As a table"),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "First and last values" }, table),
  );
}
