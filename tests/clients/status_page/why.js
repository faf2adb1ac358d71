// Why is the till slow? Three services, each slow for another reason.
"use strict";

const assert = require("node:assert");
const { TIMEOUT, addresses, open, order, run, screenshot, screenshots, text, until, untilLive } = require("./browser.js");

const [limited, slow, crowded] = addresses;

// The latest value of a line of a chart, in words.
const chart = (name, line) => `figure[data-key='chart-${name}'] .key li.${line} b`;

// Lets something happen once there is a time before, and looks at the page when its first lines say what.
async function look(address, what, name, headline, sentences, [value, isHigh]) {
  const page = await open(address);
  await untilLive(page);
  // Three points: the axis is five minutes long, and the line begins where they do.
  await until(page, ".load", (shown) => shown, "the first figures");
  const line = page.locator("figure[data-key='chart-requests'] path.main:not(.fill)");
  const begin = async () => Number((await line.getAttribute("d")).match(/^M(\d+) /)[1]);
  while (await begin() > 560) await page.waitForTimeout(500);
  assert.strictEqual(await page.locator(".findings").count(), 0, "all is well before");
  order(what);
  await until(page, chart(...value), isHigh, "the chart");
  const found = () => page.locator(".findings strong").allInnerTexts();
  const areFound = (shown) => shown.length === sentences.length && shown.every((one, index) => sentences[index].test(one));
  for (const deadline = Date.now() + TIMEOUT; !areFound(await found());) {
    assert.ok(Date.now() < deadline, `${name}: ${await found()}`);
    await page.waitForTimeout(100);
  }
  await until(page, "h1", (shown) => shown.includes(headline), "the headline");
  await screenshot(page, `why-${name}`);
  await page.locator("#clients").screenshot({ path: `${screenshots}/why-${name}-clients.png` });
  console.log(`${name}: ${await text(page, "#state")}`);
  return page;
}

async function theTillIsSlow() {
  const seconds = (shown) => /^\d.* s$/.test(shown);
  await Promise.all([
    look(limited, "use up the limit", "limit", "but something needs attention", [/^API and OData requests of connector cronus wait [\d.]+ s in the queue: the rate limit of application .* is used up \(300 per 5 min\)\.$/], [["queue", "queue"], (shown) => Number(shown) > 2]),
    look(slow, "slow Business Central down", "business-central", "but requests are slow", [/^Business Central takes \d.* s to respond \(95th percentile, mostly \d+ ms in the last hour\)\.$/], [["duration", "upstream"], seconds]),
    look(crowded, "let a client be greedy", "client", "but requests are slow", [/^127\.0\.0\.30 \(export\/1\.0\) sent \d+ % of the requests of the last 5 minutes\.$/, /all 2 permits of application .* are in use\.$/], [["queue", "queue"], (shown) => Number(shown) > 2]),
  ]);
}

run([theTillIsSlow]);
