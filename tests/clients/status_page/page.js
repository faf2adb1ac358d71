// Drives the status page: node page.js ADDRESS FOLDER-FOR-SCREENSHOTS. A failed check ends it with an error.
"use strict";

const assert = require("node:assert");
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const axe = require("axe-core");
const { chromium } = require("playwright-core");

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const TIMEOUT = 60000;
const [address, screenshots] = process.argv.slice(2);

// What the test does meanwhile.
const order = (name) => console.log(`do ${name}`);

let browser;
const complaints = [];
let isOffline = false;

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(TIMEOUT);
  const page = await context.newPage();
  page.on("console", (message) => {
    if (!isOffline && ["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(address)) complaints.push(`request to ${request.url()}`);
  });
  const response = await page.goto(address);
  assert.strictEqual(response.status(), 200);
  return page;
}

const text = (page, selector) => page.locator(selector).first().innerText();

// Waits until the text of a part of the page fulfills a condition.
async function until(page, selector, condition, what) {
  const deadline = Date.now() + TIMEOUT;
  let last;
  while (Date.now() < deadline) {
    last = await page.locator(selector).first().innerText().catch(() => "");
    if (condition(last)) return last;
    await page.waitForTimeout(100);
  }
  throw new Error(`${what} does not come: ${last}`);
}

// Live updates: none takes away the focus, the selection, unfolded details or typed text.
async function live() {
  const page = await open();
  await until(page, "#updated", (shown) => shown.startsWith("Live"), "the live page");
  assert.match(await text(page, "h1"), /2 of 3 connectors are ready/);
  assert.match(await text(page, "#connectors details"), /harbor[^]*not ready/, "the broken one is first");

  // A filter applies while one types, and the field keeps text and focus.
  const field = page.locator("#problems input[name=problem]");
  await field.click();
  await page.keyboard.type("NOWHERE");
  await until(page, "#problems .aside", (shown) => /(19 of 21|20 of 22) problems/.test(shown), "the filtered list");
  assert.match(page.url(), /\?problem=NOWHERE/);
  await page.evaluate(() => {
    window.mark = document.querySelector("#problems input[name=problem]");
    document.querySelector("#problems li details").open = true;
  });
  // What is above may grow: what one looks at stays where it is, but for a row that appears in view.
  const position = () => page.evaluate(() => Math.round(window.mark.getBoundingClientRect().top));
  const before = await position();

  order("use up a limit");
  await until(page, "#state", (shown) => /all 2 permits of application .* are in use/.test(shown), "the used-up limit");
  assert.match(await text(page, "#state"), /[3-9] requests are queued/);
  const kept = await page.evaluate(() => ({
    focus: document.activeElement === window.mark, value: window.mark.value,
    open: document.querySelectorAll("#problems li details[open]").length,
  }));
  assert.deepStrictEqual(kept, { focus: true, value: "NOWHERE", open: 1 });
  assert.ok(Math.abs(await position() - before) < 60, `moved from ${before} to ${await position()}`);
  await page.screenshot({ path: path.join(screenshots, "limit-used-up.png") });
  order("release the limit");
  await until(page, "#state", (shown) => !shown.includes("permits of application"), "the end of the queue");

  // The selection is in a part that does not change, beside one that does.
  const selected = () => page.evaluate(() => String(getSelection()));
  const connector = "details[data-key='connector cronus']";
  await page.evaluate((selector) => {
    document.activeElement.blur();
    document.querySelector(selector).open = true;
    getSelection().selectAllChildren(document.querySelector(`${selector} h4 code`));
  }, connector);
  const selection = await selected();
  assert.match(selection, /^[0-9a-f-]{36}$/);
  const received = async () => Number((await text(page, `${connector} .application`)).match(/(\d+) received/)[1]);
  const tokens = await received();
  order("refresh a token");
  await until(page, `${connector} .application`, (shown) => Number(shown.match(/(\d+) received/)[1]) > tokens, "the new token");
  assert.strictEqual(await selected(), selection);

  order("break a step");
  await until(page, connector, (shown) => /not ready/.test(shown) && /✗ 8 Credential/.test(shown), "the broken step");
  assert.match(await text(page, "h1"), /No connector is ready|1 of 3/);
  assert.strictEqual(await selected(), selection);
  await page.screenshot({ path: path.join(screenshots, "step-broken.png") });
  await page.context().close();
}

async function pauseAndLoss() {
  const page = await open();
  await page.getByRole("button", { name: "Pause" }).click();
  assert.strictEqual(await page.getAttribute("#pause", "aria-pressed"), "true");
  await until(page, "#updated", (shown) => shown.startsWith("Paused"), "the pause");
  const before = await text(page, "#problems");
  order("make a problem");
  await page.waitForTimeout(5000);
  assert.strictEqual(await text(page, "#problems"), before, "nothing changes while it is paused");
  await page.reload();
  await until(page, "#updated", (shown) => shown.startsWith("Paused"), "the pause after a reload of the page");
  await page.getByRole("button", { name: "Pause" }).click();
  await until(page, "#updated", (shown) => shown.startsWith("Live"), "the end of the pause");
  assert.notStrictEqual(await text(page, "#problems"), before);

  isOffline = true;
  await page.context().setOffline(true);
  await until(page, "#live", (shown) => shown.includes("Connection lost since"), "the lost connection");
  await page.context().setOffline(false);
  await until(page, "#live", (shown) => shown.includes("Live, updated"), "the connection");
  isOffline = false;
  await page.context().close();
}

// An order takes a second step, and tells its outcome.
async function orders() {
  const page = await open();
  await page.getByText("Reload the configuration").first().click();
  await page.getByRole("button", { name: "Reload the configuration" }).click();
  await until(page, "h1", (shown) => shown.includes("The configuration is in service"), "the outcome of the reload");
  await page.getByRole("link", { name: "Back to the status" }).click();
  await page.waitForURL(address);
  await page.context().close();
}

async function accessible() {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 800, 390]) {
      const page = await open({ viewport: { width, height: 900 }, colorScheme });
      await until(page, "#updated", (shown) => shown.startsWith("Live"), "the live page");
      await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => window.axe.run());
      const serious = violations.filter((found) => ["serious", "critical"].includes(found.impact));
      assert.deepStrictEqual(serious.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), [], `${colorScheme} ${width}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(overflow <= width, `${overflow} of ${width} pixels`);
      console.log(`axe, ${colorScheme}, ${width}: ${violations.length} minor findings ${violations.map(({ id }) => id)}`);
      await page.context().close();
    }
  }
}

async function pictures() {
  for (const [name, width, colorScheme] of [["1280-light", 1280, "light"], ["1280-dark", 1280, "dark"], ["390", 390, "light"]]) {
    const page = await open({ viewport: { width, height: 900 }, colorScheme });
    await until(page, "#updated", (shown) => shown.startsWith("Live"), "the live page");
    await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
    const heights = await page.evaluate(() => {
      const list = document.querySelector("ol.problems");
      return { page: document.documentElement.scrollHeight, problems: list.offsetHeight, count: list.children.length };
    });
    console.log(`${name}:`, JSON.stringify(heights));
    assert.strictEqual(heights.count, 20);
    assert.ok(heights.problems < 4000, `${heights.problems} pixels`);
    await page.context().close();
  }
}

// The texts of the page; figures move on between two looks.
const facts = (page) => page.evaluate(() => {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const time = walker.currentNode.parentElement.closest("time.at");
    texts.push(time ? time.title : walker.currentNode.nodeValue);
  }
  return texts.map((one) => one.replace(/[\d.,]+/g, "#").replace(/# (ms|s|min)\b/g, "#"));
});

async function withoutScript() {
  const deadline = Date.now() + TIMEOUT;
  for (;;) {
    const [live, plain] = [await open(), await open({ javaScriptEnabled: false })];
    await until(live, "#updated", (shown) => shown.startsWith("Live"), "the live page");
    // A page without scripts runs none for us either: another one reads its source.
    const source = await plain.content();
    const same = await live.evaluate((html) => {
      document.querySelector("main").innerHTML = new DOMParser().parseFromString(html, "text/html").querySelector("main").innerHTML;
    }, source).then(() => facts(live));
    const fresh = await open();
    await until(fresh, "#updated", (shown) => shown.startsWith("Live"), "the live page");
    const shown = await facts(fresh);
    const visible = await plain.locator("header").innerText();
    for (const page of [live, plain, fresh]) await page.context().close();
    assert.match(visible, /Reloads every 30 s\. Times are UTC\./);
    assert.doesNotMatch(visible, /Pause/);
    if (JSON.stringify(same) === JSON.stringify(shown)) return;
    if (Date.now() > deadline) assert.deepStrictEqual(same, shown);
  }
}

(async () => {
  const executablePath = execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();
  browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    for (const part of [accessible, withoutScript, pauseAndLoss, pictures, live, orders]) {
      await part();
      console.log(`${part.name}: fine`);
    }
    assert.deepStrictEqual(complaints, [], "nothing on the console, no request elsewhere");
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
