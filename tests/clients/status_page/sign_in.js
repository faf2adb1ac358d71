// Signing in over HTTPS off loopback and on loopback, orders by click, and pages of others that would give some.
"use strict";

const assert = require("node:assert");
const { addresses, checkAccessibility, expecting, give, newContext, openIn, order, run, screenshot, text, until, untilLive } = require("./browser.js");

const [secured, local] = addresses;
const TOKEN = "the-token-of-the-tests";

const signIn = async (page, token) => {
  await page.getByLabel("Token of the admin listener").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
};

// What the page says about reloads so far: none happens without being asked for.
const reloads = (page) => page.locator("#configuration dd", { hasText: "applied" }).innerText();

async function backToTheStatus(page, address) {
  await page.getByRole("link", { name: "Back to the status" }).click();
  await page.waitForURL(address);
}

// The sign-in page: styled, with an icon, accessible in light and dark, wide and narrow.
async function signInPage() {
  const context = await newContext({ ignoreHTTPSErrors: true });
  const page = await openIn(context, secured);
  assert.strictEqual(page.url(), `${secured}sign-in`, "whoever is not signed in is led there");
  const look = await page.evaluate(async () => {
    const icon = document.getElementById("icon").href;
    const image = new Image();
    image.src = icon;
    await image.decode();
    return { width: image.naturalWidth, radius: getComputedStyle(document.querySelector("section.state")).borderRadius };
  });
  assert.ok(look.width > 0 && look.radius !== "0px", JSON.stringify(look));
  assert.strictEqual(await page.evaluate(() => document.activeElement.id), "token", "one can type at once");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await checkAccessibility(page, `sign-in, ${colorScheme}, ${width}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width);
      await screenshot(page, `sign-in-${colorScheme}-${width}`);
    }
  }
  await context.close();
}

async function wrongToken() {
  const context = await newContext({ ignoreHTTPSErrors: true });
  const page = await openIn(context, secured);
  // The browser tells the status of every page that is an error.
  expecting((message) => message.includes("status of 401"));
  await signIn(page, "the-token-of-others");
  await until(page, "[role=alert]", (shown) => shown === "The token is wrong.", "the message");
  expecting(() => false);
  await checkAccessibility(page, "wrong token");
  assert.deepStrictEqual(await context.cookies(), []);
  assert.strictEqual(await page.getByLabel("Token of the admin listener").inputValue(), "");
  await signIn(page, ` ${TOKEN}`);
  await page.waitForURL(secured);
  await context.close();
}

// From the sign-in to its end.
async function session() {
  const context = await newContext({ ignoreHTTPSErrors: true });
  const page = await openIn(context, secured);
  await signIn(page, TOKEN);
  await page.waitForURL(secured);
  assert.match(await text(page, "h1"), /cronus is ready/);
  const [cookie, ...others] = await context.cookies();
  assert.match(cookie.name, /^__Host-bcproxy-\d+$/);
  const { httpOnly, secure, sameSite, path } = cookie;
  assert.deepStrictEqual({ httpOnly, secure, sameSite, path, others }, { httpOnly: true, secure: true, sameSite: "Strict", path: "/", others: [] });
  assert.strictEqual(await page.evaluate(() => document.cookie), "");

  await untilLive(page);
  order("make a problem");
  await until(page, "#problems", (shown) => shown.includes("/api/nowhere(new)"), "the problem, without a reload of the page");

  const before = await reloads(page);
  await give(page.locator("#configuration"), "Reload the configuration");
  await until(page, "h1", (shown) => shown.includes("The configuration is in service"), "the outcome of the reload");
  await checkAccessibility(page, "outcome");
  await backToTheStatus(page, secured);
  assert.notStrictEqual(await reloads(page), before);
  const connector = page.locator("details[data-key='connector cronus']");
  await give(connector, "Check this connector");
  await until(page, "h1", (shown) => shown.includes("The checks found no mistake"), "the outcome of the checks");
  assert.match(await text(page, "main pre"), /✓/);
  await backToTheStatus(page, secured);

  await othersPages(context, page);

  // Another tab is live until the session ends.
  const other = await openIn(context, secured);
  await untilLive(other);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${secured}sign-in`);
  await other.waitForURL(`${secured}sign-in`);
  assert.deepStrictEqual(await context.cookies(), []);
  // What the browser keeps of the page shows nothing any more, either.
  await page.goBack();
  await page.waitForURL(`${secured}sign-in`);
  await context.close();
}

// Pages of others send forms from the browser that has a session, and point their names here.
async function othersPages(context, status) {
  const before = await reloads(status);
  const form = `<form method="post" action="${secured}reload"><button>Win a prize</button></form>`;
  const port = new URL(secured).port;
  // The second is of the same site: the browser sends it the cookie, whatever SameSite says.
  const page = await context.newPage();
  for (const address of ["https://prizes.example/", "https://127.0.0.1:9/"]) {
    await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: form }));
    await page.goto(address);
    const response = page.waitForResponse(`${secured}reload`);
    await page.getByRole("button").click();
    assert.strictEqual((await response).status(), 403, address);
    await page.waitForURL(`${secured}reload`);
  }
  const response = await page.goto(`https://rebound.example:${port}/`);
  assert.strictEqual(response.status(), 421);
  assert.doesNotMatch(await response.text(), /cronus/);
  await status.reload();
  assert.strictEqual(await reloads(status), before);
}

// On loopback everybody reads, and an order leads to the sign-in page.
async function onLoopback() {
  const context = await newContext();
  const page = await openIn(context, local);
  assert.strictEqual(page.url(), local);
  const before = await reloads(page);
  await give(page.locator("#configuration"), "Reload the configuration");
  await page.waitForURL(`${local}sign-in`);
  await signIn(page, TOKEN);
  await page.waitForURL(local);
  assert.strictEqual(await reloads(page), before);
  await give(page.locator("#configuration"), "Reload the configuration");
  await until(page, "h1", (shown) => shown.includes("The configuration is in service"), "the outcome of the reload");
  await backToTheStatus(page, local);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${local}sign-in`);
  await context.close();
}

run([signInPage, wrongToken, session, onLoopback], ["--host-resolver-rules=MAP rebound.example 127.0.0.1"]);
