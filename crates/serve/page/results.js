// Tables of results: benchmarks of `eval`, held-out accuracy of `train rl`, and two runs of `eval` against each other.

import { el } from "./dom.js";
import { bar } from "./charts.js";

/** @typedef {{mean?: number, value?: number, interval?: [number, number]|null, items?: number}} Estimate */

/** @param {number} share */
const percent = (share) => `${(share * 100).toFixed(1)} %`;

/** @param {Estimate|number|null|undefined} estimate */
function value(estimate) {
  if (typeof estimate === "number") return estimate;
  return estimate?.mean ?? estimate?.value ?? null;
}

/**
 * @param {Estimate|null|undefined} estimate
 * @returns {[number, number]|null}
 */
const interval = (estimate) => estimate?.interval ?? null;

/**
 * @param {string} caption
 * @param {string[]} heads
 * @param {import("./dom.js").Child[][]} rows
 */
function table(caption, heads, rows) {
  const head = el(
    "tr",
    {},
    ...heads.map((words, at) =>
      words ? el("th", { scope: "col", class: at > 0 ? "number" : "" }, words) : el("td", {}),
    ),
  );
  const body = rows.map((cells) =>
    el(
      "tr",
      {},
      ...cells.map((cell, at) =>
        at === 0
          ? el("th", { scope: "row" }, cell)
          : el("td", { class: cell instanceof Element ? "" : "number" }, cell),
      ),
    ),
  );
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, head), el("tbody", {}, ...body)),
  );
}

/**
 * One estimate as cells: a bar, the number, its interval, how many.
 * @param {string} name
 * @param {Estimate|null|undefined} estimate
 * @returns {import("./dom.js").Child[]}
 */
function cells(name, estimate) {
  const mean = value(estimate);
  const ends = interval(estimate);
  return [
    name,
    mean === null ? "" : bar(mean, ends),
    mean === null ? "none" : percent(mean),
    ends ? `${percent(ends[0])} to ${percent(ends[1])}` : "",
    estimate?.items ?? "",
  ];
}

/**
 * Whatever a results.json holds; what is not known is shown as it is.
 * @param {any} results
 * @param {string} run Its name, by which its tables are told from those of another.
 * @returns {HTMLElement}
 */
export function resultsCard(results, run) {
  if (Array.isArray(results?.figures)) return benchmarks(results, run);
  if (results?.before && results?.after) return held(results, run);
  return el(
    "pre",
    { tabindex: 0, role: "region", "aria-label": `results.json of ${run}` },
    JSON.stringify(results, null, 2),
  );
}

/**
 * @param {any} results
 * @param {string} run
 */
function benchmarks(results, run) {
  const parts = results.figures.map((/** @type {any} */ figure) => {
    const title = `${figure.benchmark}, ${figure.frames === "none" ? "no frames" : `${figure.frames} frames`}, ${figure.shown}${figure.by ? `, by ${figure.by}` : ""}`;
    const rows = [cells("all", figure.mean)];
    for (const [name, estimate] of Object.entries(figure.headline ?? {}))
      rows.push(cells(`mean over ${name}`, estimate));
    for (const [group, names] of Object.entries(figure.groups ?? {})) {
      for (const [name, estimate] of Object.entries(/** @type {Record<string, Estimate>} */ (names)))
        rows.push(cells(`${group}: ${name}`, estimate));
    }
    const missing = figure.failed + figure.unjudged;
    const chance = figure.baseline ? `Guessing scores ${percent(figure.baseline.chance)}. ` : "";
    const note = `${chance}${figure.rows} rows${missing > 0 ? `, ${missing} without a score` : ""}.`;
    return el(
      "section",
      { class: "stack" },
      el("h3", {}, title),
      table(`${title}, ${run}`, ["", "", "right", "95 % interval", "items"], rows),
      el("p", { class: "note" }, note),
    );
  });
  return el("div", { class: "stack" }, ...parts);
}

/**
 * @param {any} results
 * @param {string} run
 */
function held(results, run) {
  const { before, after } = results;
  const kinds = [
    ["all", before, after],
    ...Object.keys({ ...before.kinds, ...after.kinds }).map((kind) => [
      kind.replace(/_/g, " "),
      before.kinds?.[kind],
      after.kinds?.[kind],
    ]),
  ];
  const rows = kinds.map(([name, old, now]) => {
    const [a, b] = [value(old), value(now)];
    const gain = a === null || b === null ? "" : `${b >= a ? "+" : "\u2212"}${Math.abs((b - a) * 100).toFixed(1)}`;
    return [
      name,
      a === null ? "" : bar(a, interval(old)),
      a === null ? "none" : percent(a),
      b === null ? "" : bar(b, interval(now)),
      b === null ? "none" : percent(b),
      gain,
      now?.items ?? "",
    ];
  });
  return table(
    `Held-out accuracy of ${run} before and after`,
    ["held out", "", `before (step ${before.step ?? 0})`, "", `after (step ${after.step ?? ""})`, "points", "items"],
    rows,
  );
}

/**
 * Two runs of `eval`.
 * @param {any} comparison As `firsthand compare --json` prints it.
 * @param {[string, string]} names
 */
export function comparisonCard(comparison, names) {
  const matches = comparison.matches.map((/** @type {any} */ match) => {
    const title = `${match.benchmark}, ${match.frames.join(" against ")} frames, ${match.shown}`;
    const [a, b] = match.means ?? [null, null];
    const difference = match.difference;
    const gap = value(difference) ?? (a === null ? null : b - a);
    const rows = [
      [names[0], a === null ? "" : bar(a, null), a === null ? "none" : percent(a)],
      [names[1], b === null ? "" : bar(b, null), b === null ? "none" : percent(b)],
      [
        "difference",
        interval(difference)
          ? `${percent(interval(difference)?.[0] ?? 0)} to ${percent(interval(difference)?.[1] ?? 0)}`
          : "",
        gap === null ? "none" : percent(gap),
      ],
    ];
    const flips = match.flips
      .slice(0, 50)
      .map((/** @type {any} */ flip) => [
        flip.id,
        `${flip.before} to ${flip.after}`,
        flip.gold,
        flip.said_before,
        flip.said_after,
      ]);
    return el(
      "section",
      { class: "stack" },
      el("h3", {}, title),
      table(title, ["", "", "right"], rows),
      match.flips.length > 0 &&
        el(
          "details",
          {},
          el("summary", {}, `${match.flips.length} answers changed`),
          table("Answers that changed", ["item", "score", "right", "said first", "said second"], flips),
        ),
    );
  });
  const changes = comparison.changes.map((/** @type {any} */ change) => [
    `${change.cause}: ${change.what}`,
    change.before,
    change.after,
  ]);
  return el(
    "div",
    { class: "stack" },
    ...matches,
    el("h3", {}, changes.length > 0 ? "Done differently" : "Done the same way"),
    changes.length > 0 && table("What was done differently", ["", names[0], names[1]], changes),
  );
}
