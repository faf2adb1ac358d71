// The live page, its accessibility, and the page without a script.
"use strict";

const assert = require("node:assert");
const { TIMEOUT, addresses, checkAccessibility, expecting, give, order, run, screenshot, text, until, untilLive, ...browser } = require("./browser.js");

const [address] = addresses;
const open = (options) => browser.open(address, options);

// Live updates: none takes away the focus, the selection, unfolded details or typed text.
async function live() {
  const page = await open();
  await untilLive(page);
  assert.match(await text(page, "h1"), /2 of 3 connectors are ready/);
  assert.match(await text(page, "#connectors details"), /harbor[^]*not ready/, "the broken one is first");

  // A filter applies while one types, and the field keeps text and focus.
  assert.match(await text(page, "#problems"), /[67] requests, [67] paths of \/api/);
  const field = page.locator("#problems input[name=problem]");
  await field.click();
  await page.keyboard.type("NOWHERE");
  await until(page, "#problems .aside", (shown) => /(23 of 25|24 of 26) problems/.test(shown), "the filtered list");
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
  await screenshot(page, "limit-used-up");
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
  await screenshot(page, "step-broken");
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

  expecting(() => true);
  await page.context().setOffline(true);
  await until(page, "#live", (shown) => shown.includes("Connection lost since"), "the lost connection");
  await page.context().setOffline(false);
  await until(page, "#live", (shown) => shown.includes("Live, updated"), "the connection");
  expecting(() => false);
  await page.context().close();
}

// On loopback without a token, everybody there gives orders. Each takes a second step, and tells its outcome.
async function orders() {
  const page = await open();
  await give(page.locator("#configuration"), "Reload the configuration");
  await until(page, "h1", (shown) => shown.includes("The configuration is in service"), "the outcome of the reload");
  await page.getByRole("link", { name: "Back to the status" }).click();
  await page.waitForURL(address);
  const connector = page.locator("details[data-key='connector harbor']");
  await give(connector, "Check this connector");
  await until(page, "h1", (shown) => shown.includes("The checks found a mistake"), "the outcome of the checks");
  assert.match(await text(page, "main pre"), /✗/);
  await page.getByRole("link", { name: "Back to the status" }).click();
  await page.waitForURL(address);
  await page.context().close();
}

async function accessible() {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 800, 390]) {
      const page = await open({ viewport: { width, height: 900 }, colorScheme });
      await untilLive(page);
      await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
      await checkAccessibility(page, `${colorScheme}, ${width}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(overflow <= width, `${overflow} of ${width} pixels`);
      await page.context().close();
    }
  }
}

async function pictures() {
  for (const [name, width, colorScheme] of [["1280-light", 1280, "light"], ["1280-dark", 1280, "dark"], ["390", 390, "light"]]) {
    const page = await open({ viewport: { width, height: 900 }, colorScheme });
    await untilLive(page);
    await screenshot(page, name, { fullPage: true });
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
    await untilLive(live);
    // A page without scripts runs none for us either: another one reads its source.
    const source = await plain.content();
    const same = await live.evaluate((html) => {
      document.querySelector("main").innerHTML = new DOMParser().parseFromString(html, "text/html").querySelector("main").innerHTML;
    }, source).then(() => facts(live));
    const fresh = await open();
    await untilLive(fresh);
    const shown = await facts(fresh);
    const visible = await plain.locator("header").innerText();
    for (const page of [live, plain, fresh]) await page.context().close();
    assert.match(visible, /Reloads every 30 s\. Times are UTC\./);
    assert.doesNotMatch(visible, /Pause/);
    if (JSON.stringify(same) === JSON.stringify(shown)) return;
    if (Date.now() > deadline) assert.deepStrictEqual(same, shown);
  }
}

run([accessible, withoutScript, pauseAndLoss, pictures, live, orders]);
