// Elements from plain values. Text is always text: nothing in this page is ever parsed as HTML.

/** @typedef {Node|string|number|null|undefined|false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Sets attributes; `on` holds listeners, `data` data attributes, true and false are presence and absence.
 * @param {Element} element
 * @param {Record<string, any>} attributes
 */
function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") {
      for (const [key, text] of Object.entries(value)) element.setAttribute(`data-${key}`, String(text));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function fill(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * An element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, attributes);
  fill(element, children);
  return element;
}

/**
 * An element of a drawing.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, attributes);
  fill(element, children);
  return element;
}

/**
 * Puts children in place of whatever is there.
 * @param {Element} element
 * @param {...Child} children
 */
export function put(element, ...children) {
  element.replaceChildren();
  fill(element, children);
}

/**
 * The element of that id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element ${id}`);
  return element;
}

/**
 * A labelled control.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint] Said after the label.
 */
export function field(label, control, hint) {
  if (!control.id) control.id = `f${++field.count}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label, hint && ` ${hint}`), control);
}
field.count = 0;

/**
 * A list of choices.
 * @param {[string, string][]} choices Value and words.
 * @param {string} [chosen]
 */
export function select(choices, chosen) {
  const options = choices.map(([value, words]) => el("option", { value, selected: value === chosen }, words));
  return el("select", {}, ...options);
}

/**
 * Names and values.
 * @param {[string, Child][]} pairs Those without a value are left out.
 */
export function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(el("dt", {}, name), el("dd", {}, value));
  }
  return list;
}

/**
 * Says something to those who listen instead of look.
 * @param {string} text
 */
export function say(text) {
  const place = byId("spoken");
  place.textContent = "";
  // A text that is the same as before would not be said again.
  requestAnimationFrame(() => (place.textContent = text));
}

/**
 * Shows an error in one line, or takes it away.
 * @param {unknown} error
 */
export function fault(error) {
  const place = byId("fault");
  place.hidden = !error;
  place.textContent = error instanceof Error ? error.message : String(error ?? "");
}

/**
 * Runs work that may fail and shows why it did.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T|undefined>}
 */
export async function attempt(work) {
  try {
    fault(null);
    return await work();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) fault(error);
    return undefined;
  }
}

/**
 * A dialog over the page; gives what its buttons return, or "" when it is left.
 * @param {string} title
 * @param {Child[]} body
 * @param {[string, string, string?][]} buttons Value, words, class.
 * @returns {Promise<string>}
 */
export function dialog(title, body, buttons) {
  const id = `d${++field.count}`;
  const row = el("div", { class: "row" });
  const box = el(
    "dialog",
    { "aria-labelledby": id },
    el("div", { class: "inside" }, el("h2", { id }, title), ...elements(body), row),
  );
  for (const [value, words, kind] of buttons) {
    row.append(el("button", { type: "button", class: kind, on: { click: () => box.close(value) } }, words));
  }
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      resolve(box.returnValue);
    });
  });
}

/** @param {Child[]} children */
function elements(children) {
  return children.map((child) => (typeof child === "string" ? el("p", {}, child) : child));
}

/**
 * One tab stop for a group whose items the arrow keys walk through.
 * @param {HTMLElement} group
 * @param {string} items Selector of the items.
 */
export function roving(group, items) {
  const all = () => /** @type {HTMLElement[]} */ ([...group.querySelectorAll(items)]);
  const enter = (/** @type {HTMLElement} */ item) => {
    for (const other of all()) other.tabIndex = other === item ? 0 : -1;
    item.focus();
  };
  group.addEventListener("keydown", (event) => {
    const list = all();
    const at = list.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: list.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const item = list[Math.min(Math.max(to, 0), list.length - 1)];
    if (item) enter(item);
  });
  group.addEventListener("focusin", (event) => {
    const item = /** @type {HTMLElement} */ (event.target).closest?.(items);
    if (item) for (const other of all()) other.tabIndex = other === item ? 0 : -1;
  });
}
