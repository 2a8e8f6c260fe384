// A person's way through the page, in a real browser: a film is dropped, a question asked, the answer looked at; then
// the four views with the keyboard alone; both colour schemes and a narrow window under axe. Nothing may fail, nothing may
// be said on the console, nothing may be asked of another host.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [url, packages, executablePath, home, picture] = process.argv.slice(2);
const require = createRequire(path.join(packages, "x.js"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const film = path.join(home, "film/DAY1/DAY1_07002500.mp4");
// A root, as in containers, has no sandbox to give.
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath, args });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(30_000);
const wrong = [];
page.on("console", (message) => message.type() !== "log" && wrong.push(`console: ${message.text()}`));
page.on("pageerror", (error) => wrong.push(`page: ${error.message}`));
page.on("request", (request) => {
  const { protocol, origin } = new URL(request.url());
  if (origin !== url && !["blob:", "data:"].includes(protocol)) wrong.push(`asked of another host: ${request.url()}`);
});
page.on("response", (response) => response.status() >= 400 && wrong.push(`${response.status()}: ${response.url()}`));

/** No fault that axe knows. */
async function accessible(what) {
  await page.evaluate(axe);
  // Colours on their way to another are no colours of the page.
  await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {}))));
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const told = found.violations.map(
    (fault) =>
      `${fault.id}: ${fault.nodes
        .map((node) => `${node.target} ${node.failureSummary}`)
        .slice(0, 3)
        .join(" | ")}`,
  );
  assert.deepEqual(told, [], what);
}

/** What has the focus. */
const focused = () =>
  page.evaluate(() => {
    const at = document.activeElement;
    return {
      tag: at?.tagName ?? "",
      text: at?.textContent ?? "",
      label: at?.getAttribute("aria-label") ?? "",
      id: at?.id ?? "",
      item: at?.getAttribute("data-id") ?? "",
      kind: at?.className ?? "",
    };
  });

/** Tabs until something has the focus; fails where it cannot be reached. */
async function tabTo(what, is, most = 80) {
  for (let i = 0; i < most; i += 1) {
    await page.keyboard.press("Tab");
    if (is(await focused())) {
      const seen = await page.evaluate(() => {
        const at = document.activeElement;
        const style = at ? getComputedStyle(at) : null;
        return style !== null && (style.outlineStyle !== "none" || at?.matches("input[type=file]"));
      });
      assert.ok(seen, `${what} shows that it has the focus`);
      return;
    }
  }
  assert.fail(`the Tab key does not reach ${what}`);
}

async function toView(name) {
  await page.evaluate(() =>
    document.activeElement instanceof HTMLElement ? document.activeElement.blur() : undefined,
  );
  await tabTo(`the link ${name}`, (at) => at.tag === "A" && at.text === name);
  await page.keyboard.press("Enter");
  await page.locator(`#${name.toLowerCase()}`).waitFor({ state: "visible" });
  assert.equal(await page.locator("nav a[aria-current]").textContent(), name);
}

// What the page reads out of texts.
await page.goto(url);
const read = await page.evaluate(async () => {
  const { cited, readMoment, stretch } = await import("/page/times.js");
  const { sections } = await import("/page/reply.js");
  const times = (text) => cited(text, 100).map(({ from, to, start, end }) => [text.slice(from, to), start, end]);
  return {
    times: [
      "at 3 . so 2.00 to 4.00",
      "(2.00,4.00)",
      "from 00:12 to 01:03",
      "the box [1, 2, 3, 4] at 12 px",
      "2 to 3 cups, 5 s later, x2.5",
      "200.0 to 300.0",
    ].map(times),
    moments: ["DAY3_11210217", "Day 3 11:21:02", "2", "day 0", "Day 1 25:00", "soon"].map(readMoment),
    stretches: [stretch(0, 86400000), stretch(25200000, 25230000), stretch(25200000, 201600000)],
    sections: sections("<think>so</think>\n<answer>B</ans"),
    opened: sections("so</think>B"),
  };
});
assert.deepEqual(read, {
  times: [
    [
      ["3", 3, 3],
      ["2.00 to 4.00", 2, 4],
    ],
    [["2.00,4.00", 2, 4]],
    [["00:12 to 01:03", 12, 63]],
    [],
    [["5 s", 5, 5]],
    [],
  ],
  moments: [213662850, 213662000, 86400000, null, null, null],
  stretches: ["Day 1", "Day 1 07:00 to 07:00:30", "Day 1 07:00 to Day 3 08:00"],
  sections: { thinking: "so", scene: "", answer: "B", rest: "" },
  opened: { thinking: "so", scene: "", answer: "", rest: "B" },
});

// A film is dropped on the page.
const bytes = fs.readFileSync(film).toString("base64");
await page.locator("#ask .drop").waitFor();
await accessible("the empty page");
await page.evaluate((body) => {
  const data = new DataTransfer();
  data.items.add(
    new File([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], "DAY1_07002500.mp4", { type: "video/mp4" }),
  );
  document
    .querySelector("#ask .drop")
    ?.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}, bytes);
await page.locator("#ask .frame").first().waitFor();
assert.equal(await page.locator("#ask .frame").count(), 8);
assert.match((await page.locator("#ask .frame").allTextContents()).join(), /0\.00 s.*3\.45 s/);

// A question is asked from the keyboard; the reasoning arrives piece by piece.
await page.locator("textarea").first().focus();
await page.evaluate(() => {
  globalThis.lengths = [];
  const look = () => globalThis.lengths.push(document.querySelector(".thinking")?.textContent?.length ?? 0);
  new MutationObserver(look).observe(document.querySelector("#ask"), {
    subtree: true,
    childList: true,
    characterData: true,
  });
});
await page.keyboard.type("where is the red toy car ?");
await page.keyboard.press("Enter");
const made = page.getByRole("button", { name: "What made it" });
await made.waitFor();
const grown = await page.evaluate(() => new Set(globalThis.lengths.filter((length) => length > 0)).size);
assert.ok(grown >= 3, `the reasoning grew in ${grown} steps`);
assert.match(await page.locator(".answer").textContent(), /^\(\d+\.\d\d,\d+\.\d\d\)$/);
assert.ok((await page.locator(".frame.cited").count()) > 0, "frames of the cited span are marked");

// A cited time leads there in the film.
const time = page.locator(".answer button.time");
const start = Number((await time.textContent()).split(",")[0]);
await page.locator(".frame").nth(1).click();
await page.locator(".stage img:visible").waitFor();
await time.click();
await page.waitForFunction(
  (wanted) => Math.abs((document.querySelector("video")?.currentTime ?? -1) - wanted) < 1.5,
  start,
);
await page.evaluate(() => document.querySelector("video")?.pause());

/** Asks, and waits for the whole reply. */
async function ask(text) {
  await page.locator("textarea").first().fill(text);
  await page.keyboard.press("Enter");
  await page.locator('.reply section[aria-busy="false"]').waitFor();
}

// The manifest names the frames that were shown.
await made.focus();
await page.keyboard.press("Enter");
const manifest = JSON.parse(await page.locator("dialog pre").textContent());
const hashes = manifest.media[0].frames.map((frame) => frame.hash.slice(0, 12));
const shown = await page
  .locator("#ask .frame")
  .evaluateAll((frames) => frames.map((frame) => frame.title.split(", ")[1]));
assert.deepEqual(hashes, shown);
await accessible("the manifest");
await page.keyboard.press("Escape");
await page.locator("dialog").waitFor({ state: "detached" });
assert.equal((await focused()).text, "What made it", "the focus comes back from the dialog");

// A box is drawn over the frame, in pixels of the original.
await ask("the red toy car");
await accessible("an answer");
if ((await page.locator(".drawing .edge").count()) > 0) {
  const box = await page.locator(".drawing rect.edge").first().boundingBox();
  const stage = await page.locator(".picture").boundingBox();
  assert.ok(box && stage && box.x >= stage.x - 2 && box.x + box.width <= stage.x + stage.width + 2);
}

// The picture for the README.
await ask("where is the red toy car ?");
await page.locator(".frame").nth(5).click();
await page.locator(".stage img:visible").waitFor();
await page.evaluate(() => (document.activeElement instanceof HTMLElement ? document.activeElement.blur() : undefined));
await page.mouse.move(2, 2);
await page.setViewportSize({ width: 1040, height: 740 });
await page.screenshot({ path: picture });
await page.setViewportSize({ width: 1280, height: 860 });

// Memory, with the keyboard alone.
await toView("Memory");
await page.locator(".item").first().waitFor();
await tabTo("the search", (at) => at.tag === "INPUT" && at.id.startsWith("f"));
await page.keyboard.type("red mug");
await page.keyboard.press("Enter");
await page.locator(".hit").first().waitFor();
await tabTo("the timeline", (at) => at.item !== "");
const first = (await focused()).item;
await page.keyboard.press("ArrowDown");
const below = await focused();
assert.notEqual(below.item, first, "the down arrow goes to a finer lane");
assert.match(below.label, /^hour, /);
for (const key of ["+", "+", "+", "ArrowDown", "ArrowDown", "ArrowRight"]) {
  await page.keyboard.press(key);
  await page.waitForTimeout(250);
}
assert.match((await focused()).label, /^30 seconds, /);
await page.keyboard.press("Enter");
await page.locator("#memory .shots img").first().waitFor();
await page.waitForFunction(() => [...document.querySelectorAll(".shots img")].every((shot) => shot.naturalWidth > 0));
await accessible("a record");
const before = await page.evaluate(async () => (await (await fetch("/page/api/memory")).json()).levels.clip);
await tabTo("Forget", (at) => at.text === "Forget");
await page.keyboard.press("Enter");
await page.locator("dialog").waitFor();
await accessible("the confirmation");
await page.keyboard.press("Escape");
await page.locator("dialog").waitFor({ state: "detached" });
const count = () => page.evaluate(async () => (await (await fetch("/page/api/memory")).json()).levels.clip);
assert.equal(await count(), before, "leaving the dialog forgets nothing");
await page.keyboard.press("Enter");
await page.locator("dialog").waitFor();
await tabTo("the confirmation", (at) => at.text === "Forget it", 5);
await page.keyboard.press("Enter");
await page.getByText("Forgotten:").first().waitFor();
assert.equal(await count(), before - 1, "one clip is forgotten");

// Trace.
await toView("Trace");
await page.locator("#trace .names a").first().waitFor();
await tabTo("the trace", (at) => at.text.includes("mug.json"));
await page.keyboard.press("Enter");
await page.locator(".turns li").first().waitFor();
await tabTo("a moment", (at) => at.item !== "");
await page.keyboard.press("Enter");
assert.equal(await page.locator(".turns .marked").count(), 1, "the turn of a moment is marked");
await accessible("a trace");

// A trace from a file; what strangers wrote in it stays text. What is no trace is refused in one line.
const stranger = JSON.parse(fs.readFileSync(path.join(home, "traces/mug.json"), "utf8"));
stranger.question.text = `<img src="x" onerror="document.title = 'wrong'"><b>where ?</b>`;
const file = (name, text) => ({ name, mimeType: "application/json", buffer: Buffer.from(text) });
await page.locator("#trace-file").setInputFiles(file("stranger.json", JSON.stringify(stranger)));
await page.locator(".question", { hasText: "<b>where ?</b>" }).waitFor();
assert.equal(await page.locator("#trace img, #trace .question b").count(), 0);
await page.locator("#trace-file").setInputFiles(file("none.json", "{}"));
await page.locator("#fault", { hasText: "choose one that" }).waitFor();
await accessible("a refusal");

// Runs.
await toView("Runs");
await page.locator(".chart").first().waitFor();
await tabTo("a curve", (at) => at.kind === "plot");
await page.keyboard.press("Home");
await page.keyboard.press("ArrowRight");
assert.match(await page.locator(".plot:focus").getAttribute("aria-valuetext"), /^step 2: /);
await page.locator(".samples li").first().waitFor();
await accessible("a run");
await page.locator(".tick input").nth(3).check();
await page.locator("#runs h2", { hasText: "grpo-long" }).first().waitFor();
await page.waitForTimeout(300);
assert.ok((await page.locator("path.mean.second").count()) > 3, "two runs are drawn");
await accessible("two training runs");
await page.locator(".tick input").nth(0).check();
await page.locator(".tick input").nth(1).check();
await page.locator("#runs h2", { hasText: "Compared" }).waitFor();
assert.match(await page.locator("#runs").textContent(), /eval-4.*eval-8.*Done differently/s);
await accessible("two benchmark runs");

// Both schemes, and the narrowest window, in every view.
for (const scheme of ["dark", "light"]) {
  await page.emulateMedia({ colorScheme: scheme });
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 860 });
    for (const name of ["Ask", "Memory", "Trace", "Runs"]) {
      await page.locator("nav a", { hasText: name }).click();
      await page.locator(`#${name.toLowerCase()}`).waitFor({ state: "visible" });
      await page.waitForTimeout(200);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} wide in ${width}`);
      await page.screenshot({ path: picture.replace(".png", `-${name.toLowerCase()}-${scheme}-${width}.png`) });
      await accessible(`${name}, ${scheme}, ${width} wide`);
    }
  }
}
const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const light = await ground();
await page.locator("#theme").click();
await page.locator("#theme").click();
assert.notEqual(await ground(), light, "the button turns the page dark");

assert.deepEqual(wrong, []);
await browser.close();
