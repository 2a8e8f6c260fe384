// Small line charts of a run's numbers, one for each, with the same steps below each other. A second run is drawn in
// ink beside the first in the accent colour. Arrow keys read the values.

import { el, svg } from "./dom.js";

/** @typedef {import("./types.js").Metrics} Metrics */
/** @typedef {{name: string, metrics: Metrics}} Named */

const [WIDE, HIGH, LEFT, BOTTOM] = [360, 150, 46, 18];

/**
 * A number as short as it can be told apart.
 * @param {number} value
 */
export function short(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6 || size < 1e-3) return Number(value.toPrecision(2)).toExponential().replace("e+", "e");
  if (size >= 1000) return `${(value / 1000).toFixed(1)}k`;
  return size >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/**
 * Round numbers between two ends.
 * @param {number} low
 * @param {number} high
 */
function marks(low, high) {
  const raw = (high - low || Math.abs(high) || 1) / 4;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * unit).find((candidate) => candidate >= raw) ?? raw;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step)
    found.push(Math.abs(at) < step * 1e-6 ? 0 : at);
  return found;
}

/**
 * A running mean, so that a direction is seen through the noise.
 * @param {(number|null)[]} values
 */
function smooth(values) {
  if (!isRough(values)) return values;
  const keep = values.length > 40 ? 0.9 : 0.6;
  /** @type {number|null} */
  let mean = null;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean === null ? value : keep * mean + (1 - keep) * value;
    return mean;
  });
}

/**
 * Whether a curve turns so often that its direction needs help.
 * @param {(number|null)[]} values
 */
function isRough(values) {
  const known = values.filter((value) => value !== null);
  const turns = known.filter((value, at) => {
    const [before, after] = [known[at - 1], known[at + 1]];
    return before !== undefined && after !== undefined && (value - before) * (after - value) < 0;
  });
  return turns.length > known.length / 5;
}

/**
 * @param {string} title
 * @param {Named[]} runs One or two.
 * @returns {HTMLElement}
 */
export function chart(title, runs) {
  const curves = runs.flatMap(({ name, metrics }) => {
    const values = metrics.series[title];
    return values ? [{ name, steps: metrics.steps, values, mean: smooth(values) }] : [];
  });
  const finite = curves.flatMap((curve) => curve.values.filter((value) => value !== null)).sort((a, b) => a - b);
  const steps = curves.flatMap((curve) => curve.steps);
  let [low, high] = [finite[0] ?? 0, finite[finite.length - 1] ?? 1];
  // A few first steps far outside must not flatten all the rest.
  const cut = finite[Math.floor(finite.length * 0.985)] ?? high;
  if (finite.length > 60 && high - low > 6 * (cut - low) && cut > low) high = cut;
  if (high === low) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const x = (/** @type {number} */ step) => LEFT + ((step - first) / (last - first || 1)) * (WIDE - LEFT - 6);
  const y = (/** @type {number} */ value) =>
    6 + (1 - (Math.min(Math.max(value, low), high) - low) / (high - low)) * (HIGH - BOTTOM - 6);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true" });
  for (const mark of marks(low, high)) {
    drawing.append(
      svg("line", { class: "grid", x1: LEFT, x2: WIDE - 6, y1: y(mark), y2: y(mark) }),
      svg("text", { x: LEFT - 5, y: y(mark) + 3.5, "text-anchor": "end" }, short(mark)),
    );
  }
  drawing.append(
    svg("text", { x: LEFT, y: HIGH - 4 }, String(first)),
    svg("text", { x: WIDE - 6, y: HIGH - 4, "text-anchor": "end" }, String(last)),
  );
  curves.forEach((curve, at) => {
    const kind = at === 0 ? "first" : "second";
    drawing.append(
      svg("path", { class: `raw ${kind}`, d: path(curve.steps, curve.values, x, y) }),
      svg("path", { class: `mean ${kind}`, d: path(curve.steps, curve.mean, x, y) }),
    );
  });
  const cursor = svg("line", { class: "cursor", y1: 4, y2: HIGH - BOTTOM, x1: -9, x2: -9 });
  drawing.append(cursor);
  return readable(title, curves, drawing, { cursor, x, first, last });
}

/**
 * @param {number[]} steps
 * @param {(number|null)[]} values
 * @param {(step: number) => number} x
 * @param {(value: number) => number} y
 */
function path(steps, values, x, y) {
  let open = false;
  return values
    .map((value, at) => {
      // A step that did not measure it leaves no hole.
      if (value === null) return "";
      const point = `${open ? "L" : "M"}${x(steps[at] ?? 0).toFixed(1)} ${y(value).toFixed(1)}`;
      open = true;
      return point;
    })
    .join("");
}

/**
 * @param {string} title
 * @param {{name: string, steps: number[], values: (number|null)[]}[]} curves
 * @param {SVGElement} drawing
 * @param {{cursor: SVGElement, x: (step: number) => number, first: number, last: number}} scale
 */
function readable(title, curves, drawing, { cursor, x, first, last }) {
  const steps = curves[0]?.steps ?? [];
  const ends = curves.map(({ values }) => values.filter((value) => value !== null).at(-1) ?? null);
  const told = (/** @type {(number|null)[]} */ values) =>
    values.map((value) => (value === null ? "none" : short(value))).join(" / ");
  const value = el("span", { class: "value" }, told(ends));
  let at = steps.length - 1;
  const slider = el("div", {
    class: "plot",
    role: "slider",
    tabindex: 0,
    "aria-label": `${title} by step`,
    "aria-valuemin": first,
    "aria-valuemax": last,
    "aria-valuenow": last,
    "aria-valuetext": `step ${last}: ${told(ends)}`,
  });
  const read = (/** @type {number} */ to) => {
    at = Math.min(Math.max(to, 0), steps.length - 1);
    const step = steps[at] ?? 0;
    const values = curves.map((curve) => curve.values[nearest(curve.steps, step)] ?? null);
    value.textContent = `step ${step}: ${told(values)}`;
    slider.setAttribute("aria-valuenow", String(step));
    slider.setAttribute("aria-valuetext", value.textContent);
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, String(x(step)));
  };
  const leave = () => {
    value.textContent = told(ends);
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, "-9");
  };
  slider.addEventListener("pointermove", (event) => {
    const box = slider.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - 6);
    read(nearest(steps, first + share * (last - first)));
  });
  slider.addEventListener("pointerleave", leave);
  slider.addEventListener("blur", leave);
  slider.addEventListener("keydown", (event) => {
    const by = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      PageUp: at + 10,
      PageDown: at - 10,
      Home: 0,
      End: steps.length - 1,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    read(by);
  });
  slider.append(drawing);
  return el("figure", { class: "chart" }, el("figcaption", { class: "row spread" }, el("b", {}, title), value), slider);
}

/**
 * The place of the nearest of ascending numbers.
 * @param {number[]} numbers
 * @param {number} wanted
 */
function nearest(numbers, wanted) {
  let [low, high] = [0, numbers.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= wanted) low = middle;
    else high = middle;
  }
  return Math.abs((numbers[low] ?? 0) - wanted) <= Math.abs((numbers[high] ?? 0) - wanted) ? low : high;
}

/**
 * A mean with its interval as a bar between 0 and 1.
 * @param {number} value
 * @param {[number, number]|null} interval
 */
export function bar(value, interval) {
  const place = (/** @type {number} */ share) => Math.min(Math.max(share, 0), 1) * 100;
  const drawing = svg(
    "svg",
    { class: "estimate", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "ground", width: 100, height: 10 }),
    svg("rect", { class: "fill", width: place(value), height: 10 }),
  );
  if (interval)
    drawing.append(
      svg("rect", {
        class: "whisker",
        x: place(interval[0]),
        y: 4,
        width: Math.max(place(interval[1]) - place(interval[0]), 0.5),
        height: 2,
      }),
    );
  return drawing;
}
