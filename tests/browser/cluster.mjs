// The dashboard of an operator in a real Chromium, driven by tests/cluster/chart/node/dashboard.rs: by way of
// `kubectl mozart dashboard`, and through a Service with a token that may see one namespace.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { base, close, faults, fresh, jobs, open, service, shoot, start, stop, token, until, workspace } from "./harness.mjs";

before(start);
after(stop);

const run = `/jobs/${jobs.steps}/runs/1`;

test("who comes by kubectl mozart dashboard sees the job, and what its Pods write while they write it", async () => {
  const page = await open("/");
  await page.waitForSelector(`a.name[href="/jobs/${jobs.steps}"]`);
  await page.goto(base + run);
  await page.waitForSelector("#connection[data-state=live]");
  assert.deepEqual(await faults(page), []);
  await shoot(page, "cluster-run");
  await page.evaluate(() => { globalThis.sameDocument = true; });
  writeFileSync(join(workspace, "go1"), "");
  await until(page, "the first batch is done", () => document.querySelector(".figures dd").textContent.startsWith("1 "));
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);

  await page.goto(`${base}${run}/batches/2`);
  await until(page, "the log of a Pod that runs", () => document.body.textContent.includes("said by batch 2"));
  writeFileSync(join(workspace, "more2"), "");
  await until(page, "what it writes now", () => document.body.textContent.includes("more of batch 2"));
  await close(page);
});

test("what is done there is done to the job", async () => {
  const page = await open(run);
  const badge = (word) => until(page, `the run is ${word}`, (word) => document.querySelector(".heading .badge")?.textContent.trim() === word, word);
  await page.click("text=Suspend");
  await page.click("button.primary");
  for (const batch of [2, 3]) writeFileSync(join(workspace, `go${batch}`), "");
  await badge("Suspended");
  await page.click("text=Resume");
  await page.click("button.primary");
  await badge("Running");
  await close(page);
});

test("a batch that failed has its Pod, its prompt and what its validations found, and is retried", async () => {
  const odd = `/jobs/${jobs.odd}/runs/1`;
  const page = await open(`${odd}/batches/2`);
  const checks = await page.textContent(".checks");
  assert.match(checks, /Failed\s+file_exists[^]*made2[^]*Expected/);
  assert.match(await page.textContent("#pod"), /Pod odd-[0-9a-f]{5}-r1-b2-a1/);
  await page.click("nav[aria-label=Texts] >> text=Output");
  await until(page, "what it wrote", () => document.body.textContent.includes("said by odd 2"));
  await page.click("nav[aria-label=Texts] >> text=Prompt");
  await until(page, "what it was asked", () => document.querySelector(".log")?.textContent.includes("2"));
  assert.deepEqual(await faults(page), []);
  await shoot(page, "cluster-batch");
  await page.goto(base + odd);
  await page.click("text=Retry failed");
  await page.click("button.primary");
  // The operator begins the run, which takes it a moment.
  const again = `${base}/jobs/${jobs.odd}/runs/2`;
  while ((await page.request.get(again)).status() === 404) await page.waitForTimeout(100);
  await page.goto(again);
  await until(page, "all is done", () => document.querySelector(".heading .badge")?.textContent.trim() === "Complete");
  await close(page);
});

test("who comes through the Service signs in, and sees one namespace", async () => {
  const page = await fresh(service);
  await page.goto(service + run);
  assert.deepEqual(await faults(page), []);
  await page.fill("#token", "nothing");
  await page.click("button");
  await page.waitForSelector("text=does not know that token");
  await page.fill("#token", token);
  await page.click("button");
  await page.waitForSelector("#connection[data-state=live]");
  assert.equal(new URL(page.url()).pathname, run);
  assert.deepEqual(await faults(page), []);
  // It may look, and is told why it may do no more.
  const buttons = await page.$$eval("#head .actions button[disabled]", (all) => all.map((one) => one.title));
  assert.ok(buttons.length > 0 && buttons.every((title) => /may not (patch|delete)/.test(title)), String(buttons));
  await page.goto(`${service}/jobs/${jobs.odd}/runs/2`);
  const retry = await page.$$eval("#head .actions button[disabled]", (all) => all.map((one) => one.title));
  assert.ok(retry.some((title) => title.includes("may not patch the MozartJob odd")), String(retry));
  // What a Pod writes now, and what a run was asked, are objects of their own.
  await page.goto(`${service}${run}/batches/5`);
  assert.ok((await page.textContent("body")).includes("may not get the log of the Pod steps-"));
  await page.goto(`${service}/jobs/${jobs.odd}/runs/1/batches/2?show=prompt`);
  assert.ok((await page.textContent("body")).includes("may not get the ConfigMap odd-"));
  await page.goto(`${service}/`);
  const names = await page.$$eval("a.name", (all) => all.map((one) => one.getAttribute("href")));
  assert.deepEqual(names.sort(), [`/jobs/${jobs.odd}`, `/jobs/${jobs.steps}`]);
  const refused = await page.goto(`${service}/jobs/${jobs.other}`);
  assert.equal(refused.status(), 403);
  assert.ok((await page.textContent("body")).includes("may not get the MozartJob"));
  await page.click("text=Sign out");
  await page.waitForSelector("#token");
  // The browser logs pages that refuse, and what it does not do without TLS, and nothing else.
  assert.deepEqual(page.trouble.filter((one) => !/status of 40[13]|Cross-Origin-Opener-Policy/.test(one)), []);
  await page.context().close();
});
