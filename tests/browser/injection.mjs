// Two hundred ways to put a script into a page, in every field that a model, a program, a file name or a user fills.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { base, close, jobs, open, start, stop } from "./harness.mjs";

before(start);
after(stop);

// Elements and attributes that no page of the dashboard has: whatever is found was made from data.
const FOREIGN = [
  "img", "iframe", "object", "embed", "video", "audio", "math", "marquee", "base", "style", "template", "frame", "applet",
  "meta[http-equiv]", "script:not([src^='/assets/'])", "link:not([href^='/assets/'])", "svg script", "svg use", "svg a",
  "svg animate", "svg set", "foreignObject", "a[href^='javascript:' i]", "a[href^='data:' i]", "[srcdoc]", "[formaction*='script' i]",
  "form:not([action^='/']):not([id='bulk'])", "[data-injected]", "#injected",
].join(",");

async function check(page, path) {
  const answer = await page.goto(base + path);
  assert.equal(answer.status(), 200, path);
  // The page is alive, and what is written into it later, the log, is there.
  await page.waitForSelector("#connection[data-state=live]");
  if (await page.$("[data-log]")) await page.waitForSelector(".window .row");
  const found = await page.evaluate((foreign) => {
    const handlers = [...document.querySelectorAll("*")].filter((node) => [...node.attributes].some((attribute) => /^on/i.test(attribute.name)));
    return {
      nodes: [...document.querySelectorAll(foreign), ...handlers].map((node) => node.outerHTML.slice(0, 200)),
      hit: globalThis.injected === true,
    };
  }, FOREIGN);
  assert.deepEqual(found, { nodes: [], hit: false }, path);
  assert.deepEqual(page.trouble, [], path);
}

test("no payload becomes a node, a dialog or a script on any page", async () => {
  const page = await open("/");
  const run = `/jobs/${jobs.injection}/runs/1`;
  await check(page, "/");
  await check(page, "/?q=%3Cimg%20src=x%20onerror=alert(1)%3E%22%27%3E");
  await check(page, `/jobs/${jobs.injection}`);
  for (const after of [0, 50, 100, 150]) await check(page, `${run}?state=all&after=${after}`);
  await check(page, run);
  await check(page, `${run}/timeline`);
  await check(page, `/jobs/${jobs.injection}/edit`);
  await check(page, `/confirm/delete?job=${jobs.injection}`);
  await check(page, `/confirm/retry?job=${jobs.injection}&batches=1-200`);
  await check(page, "/history");
  await check(page, "/history?q=%3Cimg%20src=x%20onerror=alert(1)%3E%22%27%3E");
  for (let batch = 1; batch <= 200; batch += 1) await check(page, `${run}/batches/${batch}`);
  for (const batch of [1, 2, 60, 120, 200]) {
    for (const text of ["output", "errors", "prompt"]) await check(page, `${run}/batches/${batch}?show=${text}`);
    await check(page, `${run}/batches/${batch}/difference?to=2&show=errors`);
  }
  // The difference of a text that is full of them, and what a program is sent, opened by mistake.
  await page.goto(`${base}/jobs/${jobs.injection}/edit`);
  await page.fill("#text", `${"<img src=x onerror=alert(1)>\n".repeat(20)}`);
  await page.click("text=Show the difference");
  await page.waitForSelector(".difference");
  assert.deepEqual(await page.$$(FOREIGN), []);
  for (const path of ["/api/v1/jobs", `/api/v1${run}`, `/api/v1${run}/batches?limit=200`, `/api/v1${run}/failures`, `/api/v1/jobs/${jobs.injection}/spec`]) {
    const answer = await page.goto(base + path);
    assert.equal(answer.headers()["content-type"], "application/json", path);
    assert.equal(answer.headers()["x-content-type-options"], "nosniff", path);
    // A browser asks for the icon of a page that names none.
    page.trouble = page.trouble.filter((one) => !one.includes("404"));
    assert.deepEqual(page.trouble, [], path);
  }
  await close(page);
});
