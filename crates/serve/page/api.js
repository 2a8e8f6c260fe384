// The one place that talks to the server, always to the address this page came from. A failure is one line that
// says what to do.

/** @typedef {import("./types.js").Features} Features */

/** An error whose message is for a person. */
export class Trouble extends Error {}

/**
 * @param {Response} response
 * @returns {Promise<Trouble>}
 */
async function refused(response) {
  const text = await response.text();
  try {
    const told = JSON.parse(text).error;
    const words = typeof told === "string" ? told : told.message;
    if (typeof words === "string" && words) return new Trouble(words.replace(/\s*\n\s*(hint: )?/g, "; "));
  } catch {
    // Not ours: a proxy's page, for example.
  }
  return new Trouble(`the server answered ${response.status}: look at what firsthand serve printed`);
}

/** The key of a server that wants one; it lives as long as the tab. */
let key = "";
/** @type {() => Promise<string>} */
let askForKey = async () => "";

/**
 * Who asks a person for the key.
 * @param {() => Promise<string>} ask Gives "" when there is none.
 */
export function keysFrom(ask) {
  askForKey = ask;
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function call(path, init = {}) {
  let response;
  try {
    const headers = new Headers(init.headers);
    if (key) headers.set("authorization", `Bearer ${key}`);
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Trouble("the server does not answer: start firsthand serve again, then reload this page");
  }
  if (response.status === 401) {
    const given = await askForKey();
    if (given && given !== key) {
      key = given;
      return call(path, init);
    }
  }
  if (!response.ok) throw await refused(response);
  return response;
}

/**
 * @param {Record<string, string|number|null|undefined>} query Without a value: left out.
 */
function search(query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `?${text}` : "";
}

/**
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [query]
 * @param {AbortSignal} [signal]
 */
export async function get(path, query = {}, signal) {
  return (await call(path + search(query), { signal })).json();
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [signal]
 */
export async function post(path, body, signal) {
  const headers = { "content-type": "application/json" };
  return (await call(path, { method: "POST", headers, body: JSON.stringify(body), signal })).json();
}

/**
 * A picture this server draws, as an address within the page.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} query
 */
export async function picture(path, query) {
  return URL.createObjectURL(await (await call(path + search(query))).blob());
}

/**
 * Keeps a file on the server until it is deleted; gives its id.
 * @param {File} file
 * @returns {Promise<string>}
 */
export async function upload(file) {
  const form = new FormData();
  form.append("purpose", "vision");
  form.append("file", file, file.name);
  return (await (await call("/v1/files", { method: "POST", body: form })).json()).id;
}

/**
 * The events of a stream, as values.
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any>}
 */
export async function* stream(path, body, signal) {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await call(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value.replace(/\r\n/g, "\n");
    let end;
    while ((end = rest.indexOf("\n\n")) >= 0) {
      const event = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const data = event
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trimStart())
        .join("\n");
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}
