// What the scripts share. Each is run as: node SCRIPT FOLDER-FOR-SCREENSHOTS ADDRESS... A failed check ends it with an
// error, and so does a message on the console or a request to anywhere else.
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
const [screenshots, ...addresses] = process.argv.slice(2);

let browser;
const complaints = [];
// Which messages of the console are right.
let isExpected = () => false;

// What the test does meanwhile.
const order = (name) => console.log(`do ${name}`);

function expecting(condition) {
  isExpected = condition;
}

async function newContext(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(TIMEOUT);
  return context;
}

async function openIn(context, address) {
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isExpected(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(address)) complaints.push(`request to ${request.url()}`);
  });
  const response = await page.goto(address);
  assert.strictEqual(response.status(), 200);
  return page;
}

const open = async (address, options = {}) => openIn(await newContext(options), address);

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

const untilLive = (page) => until(page, "#updated", (shown) => shown.startsWith("Live"), "the live page");

// Fails if axe finds something serious.
async function checkAccessibility(page, where) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter((found) => ["serious", "critical"].includes(found.impact));
  assert.deepStrictEqual(serious.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), [], where);
  console.log(`axe, ${where}: ${violations.length} minor findings ${violations.map(({ id }) => id)}`);
}

const screenshot = (page, name, options = {}) => page.screenshot({ path: path.join(screenshots, `${name}.png`), ...options });

// Gives an order by click: behind its name is a question, and then the button.
async function give(part, name) {
  await part.locator("details.order > summary", { hasText: name }).click();
  await part.getByRole("button", { name }).click();
}

async function run(parts, flags = []) {
  const executablePath = execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();
  browser = await chromium.launch({ executablePath, args: [...FLAGS, ...flags] });
  try {
    for (const part of parts) {
      await part();
      console.log(`${part.name}: fine`);
    }
    assert.deepStrictEqual(complaints, [], "nothing on the console, no request elsewhere");
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

module.exports = {
  TIMEOUT, addresses, checkAccessibility, expecting, give, newContext, open, openIn, order, run, screenshot, screenshots, text, until, untilLive,
};
