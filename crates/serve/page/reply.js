// A reply on its way: its sections as far as they are written. What they mean in the end, boxes in pixels and spans
// in seconds, is the server's to read, with the reader that every other verb uses.

/**
 * @typedef {object} Sections
 * @property {string} thinking
 * @property {string} scene
 * @property {string} answer
 * @property {string} rest What stands outside of all.
 */

const TAG = /<(\/?)(observe|scene|think|answer)>/g;

/**
 * @param {string} text
 * @returns {Sections}
 */
export function sections(text) {
  const found = { observe: "", scene: "", think: "", answer: "", rest: "" };
  /** @type {keyof typeof found} */
  let open = "rest";
  let at = 0;
  // The beginning of a tag is not text yet.
  const whole = text.replace(/<\/?[a-z]*$/, "");
  for (const match of whole.matchAll(TAG)) {
    found[open] += whole.slice(at, match.index);
    at = match.index + match[0].length;
    const name = /** @type {keyof typeof found} */ (match[2]);
    if (match[1] && name === "think" && open === "rest" && !found.think) {
      // Some chat templates open it in the prompt.
      found.think = found.rest;
      found.rest = "";
    }
    open = match[1] ? "rest" : name;
  }
  found[open] += whole.slice(at);
  const thinking = [found.observe, found.think]
    .map((part) => part.trim())
    .filter(Boolean)
    .join("\n\n");
  return { thinking, scene: found.scene.trim(), answer: found.answer.trim(), rest: found.rest.trim() };
}
