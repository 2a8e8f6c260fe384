// The official OpenAI client for JavaScript, unmodified, against a server: node openai_client.mjs URL FOLDER.
// FOLDER holds clip.mp4 and photo.jpg. Prints one line of JSON with what it saw.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";

const installed = createRequire(process.cwd() + "/");
const OpenAI = installed("openai").default;
const { zodFunction, zodResponseFormat } = installed("openai/helpers/zod");
const { z } = installed("zod");
const [url, folder] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "a-long-secret", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;

const messages = [{ role: "user", content: "where is the red cup ?" }];
const whole = await client.chat.completions.create({ model, messages, max_tokens: 16 });
let streamed = "";
for await (const chunk of await client.chat.completions.create({ model, messages, max_tokens: 16, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(streamed, whole.choices[0].message.content);

const picture = "data:image/jpeg;base64," + fs.readFileSync(folder + "/photo.jpg").toString("base64");
const look = [{ type: "image_url", image_url: { url: picture } }, { type: "text", text: "what is this ?" }];
const looked = await client.chat.completions.create({ model, messages: [{ role: "user", content: look }], max_tokens: 8 });
assert.ok(looked.usage.prompt_tokens_details.image_tokens > 0);

const upload = await client.files.create({ file: fs.createReadStream(folder + "/clip.mp4"), purpose: "vision" });
const watch = [{ type: "video_url", video_url: { url: upload.id } }, { type: "text", text: "what moves ?" }];
const watched = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: watch }],
  max_tokens: 8,
  frames: 4,
  max_pixels: 6272,
  min_pixels: 3136,
});
assert.equal(watched.firsthand.manifest.media[0].frames.length, 4);
assert.ok((await client.files.delete(upload.id)).deleted);

const vectors = await client.embeddings.create({ model, input: ["a cup", "a door"] });
assert.equal(vectors.data.length, 2);

const parameters = { type: "object", properties: { room: { enum: ["kitchen", "hall"] } }, required: ["room"], additionalProperties: false };
const tools = [{ type: "function", function: { name: "look", parameters } }];
const called = await client.chat.completions.create({ model, messages, tools, tool_choice: "required", max_tokens: 100 });
const call = called.choices[0].message.tool_calls[0].function;
assert.equal(call.name, "look");
assert.ok(["kitchen", "hall"].includes(JSON.parse(call.arguments).room));

const response_format = { type: "json_schema", json_schema: { name: "r", strict: true, schema: parameters } };
const shaped = await client.chat.completions.create({ model, messages, response_format, max_tokens: 100 });
assert.ok(["kitchen", "hall"].includes(JSON.parse(shaped.choices[0].message.content).room));

const Room = z.enum(["kitchen", "hall"]);
const Look = z.object({ room: Room, near: z.object({ again: Room, sure: z.boolean() }), list: z.array(Room).max(2), maybe: Room.nullable() });
const Step = z.object({ room: Room, get then() { return Step.nullable(); } });
const parsed = await client.chat.completions.parse({
  model, messages, max_tokens: 200, tool_choice: "required", tools: [zodFunction({ name: "look", parameters: Look })],
});
Look.parse(parsed.choices[0].message.tool_calls[0].function.parsed_arguments);
const two = [zodFunction({ name: "look", parameters: Look }), zodFunction({ name: "walk", parameters: z.object({ first: Step }) })];
for (const name of ["look", "walk"]) {
  const choice = { type: "function", function: { name } };
  const one = (await client.chat.completions.create({ model, messages, max_tokens: 60, tools: two, tool_choice: choice })).choices[0];
  assert.equal(one.message.tool_calls[0].function.name, name);
  if (one.finish_reason !== "length") JSON.parse(one.message.tool_calls[0].function.arguments);
}
const formed = await client.chat.completions.parse({ model, messages, max_tokens: 200, response_format: zodResponseFormat(Look, "look") });
Look.parse(formed.choices[0].message.parsed);

await assert.rejects(client.chat.completions.create({ model, messages, presence_penalty: 1 }), (error) => error.status === 400);
console.log(JSON.stringify({ model, text: streamed, width: vectors.data[0].embedding.length }));
