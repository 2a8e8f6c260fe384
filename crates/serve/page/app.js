// Which view is shown, in which colours. Each view is made when it is first looked at and keeps its state.

import { get, keysFrom } from "./api.js";
import { attempt, byId, dialog, el, fault, field } from "./dom.js";

/** @typedef {import("./types.js").Features} Features */
/** @typedef {{show?: (words: string[]) => void}} View A view hears the words after its name in the address. */

/** @type {Record<string, () => Promise<(place: HTMLElement, features: Features) => View>>} */
const VIEWS = {
  ask: async () => (await import("./ask.js")).askView,
  memory: async () => (await import("./memory.js")).memoryView,
  trace: async () => (await import("./trace.js")).traceView,
  runs: async () => (await import("./runs.js")).runsView,
};

/** @type {Map<string, View>} */
const made = new Map();

/** @type {Features|undefined} */
let features;

/** Shows what the address names: `#memory/record/12`. */
async function show() {
  const [name = "ask", ...words] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const view = name in VIEWS ? name : "ask";
  for (const other of Object.keys(VIEWS)) byId(other).hidden = other !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("data-view") === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0]?.toUpperCase()}${view.slice(1)} - Firsthand`;
  fault(null);
  if (!features) return;
  const known = features;
  await attempt(async () => {
    if (!made.has(view)) {
      const make = await VIEWS[view]?.();
      if (make && !made.has(view)) made.set(view, make(byId(view), known));
    }
    made.get(view)?.show?.(words);
  });
}

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const dark = matchMedia("(prefers-color-scheme: dark)");

/** The theme that was chosen; storage may be closed to this page. */
function chosen() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "auto";
  } catch {
    return "auto";
  }
}

function paint() {
  const theme = chosen();
  document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
  const words = { auto: ["Auto", "as the system"], light: ["Light", "light"], dark: ["Dark", "dark"] }[theme];
  byId("theme").textContent = words[0] ?? "";
  byId("theme").setAttribute("aria-label", `${words[0]}: colours are ${words[1]}`);
  document.dispatchEvent(new Event("repaint"));
}

function turn() {
  const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length] ?? "auto";
  try {
    localStorage.setItem("theme", next);
  } catch {
    // It then lasts for nothing, and the system decides.
  }
  paint();
}

/** Asks for the key of a server that wants one. */
async function key() {
  const input = el("input", { type: "password", autocomplete: "off" });
  const pressed = await dialog(
    "This server wants a key",
    [field("Key", input)],
    [
      ["use", "Use it", "main"],
      ["", "Leave"],
    ],
  );
  return pressed === "use" ? input.value.trim() : "";
}

async function start() {
  paint();
  keysFrom(key);
  dark.addEventListener("change", paint);
  byId("theme").addEventListener("click", turn);
  addEventListener("hashchange", () => {
    void show();
    byId("main").focus({ preventScroll: true });
  });
  // A file that misses the place made for it must not replace the page.
  for (const event of ["dragover", "drop"]) addEventListener(event, (dropped) => dropped.preventDefault());
  features = await attempt(() => get("/page/api/state"));
  if (features) byId("model").textContent = features.models[0] ?? "";
  await show();
}

void start();
