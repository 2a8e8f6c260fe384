// What the server says, as types: read by the checker, never loaded by the browser.

/**
 * @typedef {object} Features What this server has.
 * @property {string} program
 * @property {string[]} models
 * @property {string|null} note What a person should know of the model.
 * @property {boolean} memory
 * @property {boolean} traces
 * @property {boolean} runs
 * @property {string[]} styles
 */

/**
 * @typedef {object} Chosen A frame the model will look at.
 * @property {number} index
 * @property {number} time_s
 * @property {string} hash
 * @property {string} picture A data: location, small.
 */

/**
 * @typedef {object} Look What the model will see of a medium.
 * @property {"image"|"video"} kind
 * @property {[number, number]} size Height and width as shown.
 * @property {[number, number]} resized
 * @property {[number, number, number]} grid
 * @property {number} tokens
 * @property {number} duration_s Filled in by the page; 0 for an image.
 * @property {number|null} sample_fps
 * @property {string} decoder
 * @property {Chosen[]} chosen
 */

/**
 * @typedef {object} LabelledBox
 * @property {string|null} label
 * @property {[number, number, number, number]} box Left, top, right, bottom in pixels of the original picture.
 */

/** @typedef {{subject: string, predicate: string, object: string}} Relation */

/**
 * @typedef {object} Reading A reply taken apart.
 * @property {string} answer
 * @property {number|null} option The option that the answer names, from 0.
 * @property {string|null} thinking
 * @property {string|null} observed
 * @property {{objects: {id: string, bbox: number[]}[], relationships: Relation[]}|null} scene
 * @property {LabelledBox[]} boxes
 * @property {[number, number][]} spans
 */

/**
 * @typedef {object} MemoryRecord An entry of the memory.
 * @property {number} id
 * @property {string} level
 * @property {string} wearer
 * @property {number} start Milliseconds since the midnight before day 1.
 * @property {number} end
 * @property {string} text
 * @property {string|null} [transcript]
 * @property {string[]} people
 * @property {{file: string, start_s: number, end_s: number, frames?: unknown[]}[]} evidence
 * @property {number[]} sources
 * @property {"whole"|"partial"|"open"} state
 */

/**
 * @typedef {object} Hit
 * @property {MemoryRecord} record
 * @property {number} score
 * @property {{text?: number|null, vector?: number|null, time?: number|null}} parts
 */

/**
 * @typedef {object} Counts
 * @property {Record<string, number>} levels
 * @property {Record<string, number>} wearers
 * @property {number|null} first
 * @property {number|null} last
 */

/** @typedef {{start: number, end: number, text: string, tool: string, seen?: {file: string, start_s: number, end_s: number}[]}} Proof */

/**
 * @typedef {object} TraceTurn
 * @property {string} text
 * @property {{tokens: number, seconds: number}} cost
 * @property {{call: {name: string, arguments: Record<string, unknown>}, notes?: string[], text: string, seconds: number, tries: number,
 *   outcome: {found?: {value: unknown, evidence?: Proof[]}, failed?: {error: string, message: string, remedy?: string}}}} [called]
 * @property {{observation?: string, answer?: string, over?: unknown}} said
 */

/**
 * @typedef {object} Trace
 * @property {number} format
 * @property {{id: string, text: string, options: string[], clock: number|string, wearer: string}} question
 * @property {TraceTurn[]} turns
 * @property {{observation?: string, answer?: string, over?: unknown}} end
 * @property {unknown} [verdict]
 * @property {{turns: number, tokens: number, seconds: number}} spent
 * @property {Record<string, unknown>} [manifests]
 */

/** @typedef {{name: string, steps: number, results: boolean, rollouts: number, rows: boolean}} Run */

/**
 * @typedef {object} Metrics Curves of a run, thinned to what a screen shows.
 * @property {number[]} steps
 * @property {string[]} phases Name of the phase at each step.
 * @property {Record<string, (number|null)[]>} series
 * @property {number} lines Steps in the file.
 */

export {};
