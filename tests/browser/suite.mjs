// The dashboard in a real Chromium. Each test is a sentence about what a person meets.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { base, close, faults, jobs, open, shoot, start, stop, until, workspace } from "./harness.mjs";

before(start);
after(stop);

const failed = `/jobs/${jobs.review}/runs/1`;
const steps = `/jobs/${jobs.steps}/runs/1`;
const pages = {
  jobs: "/",
  filtered: "/?q=nothing-is-called-so",
  job: `/jobs/${jobs.review}`,
  run: failed,
  running: steps,
  batch: `${failed}/batches/2`,
  difference: `${failed}/batches/2/difference`,
  running_batch: `${steps}/batches/1`,
  not_started: `${steps}/batches/6`,
  log: `${steps}/log`,
  timeline: `${failed}/timeline`,
  timeline_running: `${steps}/timeline`,
  history: "/history",
  no_history: "/history?q=nothing-is-called-so",
  pending: `${steps}?state=pending`,
  edit: `/jobs/${jobs.review}/edit`,
  confirm: `/confirm/retry?job=${jobs.review}`,
  confirm_delete: `/confirm/delete?job=${jobs.review}`,
  confirm_many: `/confirm/suspend?job=${jobs.review}&job=${jobs.steps}`,
};
const variants = [["1440-light", 1440, "light"], ["1440-dark", 1440, "dark"], ["360-light", 360, "light"], ["360-dark", 360, "dark"]];

for (const [variant, width, scheme] of variants) {
  test(`every page at ${variant} is accessible, fits, and logs no error`, async () => {
    const page = await open("/", { width, scheme });
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(base + path);
      await page.waitForSelector("#connection[data-state=live]");
      assert.deepEqual(await faults(page), [], `${name}: ${path}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${name} is ${over} px wider than the window`);
      const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
      assert.ok(nodes <= 2500, `${name} has ${nodes} nodes`);
      await shoot(page, `${name}-${variant}`);
    }
    await close(page);
  });
}

test("a run that goes on is followed without a reload, and a screen reader is told", async () => {
  const page = await open(steps);
  await page.waitForSelector("#connection[data-state=live]");
  await page.evaluate(() => { globalThis.sameDocument = true; });
  writeFileSync(join(workspace, "go1"), "");
  await until(page, "the first batch is done", () => document.querySelector(".figures dd").textContent.startsWith("1 "));
  await until(page, "it is said", () => /1 of 6 done/.test(document.getElementById("said").textContent));
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
  await close(page);
});

test("a page that is cut off says so, comes back by itself and has missed nothing", async () => {
  const page = await open(steps);
  await page.waitForSelector("#connection[data-state=live]");
  await page.route("**/events", (route) => route.abort());
  await page.reload();
  await page.waitForSelector("#connection[data-state=lost]");
  writeFileSync(join(workspace, "go2"), "");
  await page.unroute("**/events");
  await page.waitForSelector("#connection[data-state=live]");
  await until(page, "the second batch is done", () => document.querySelector(".figures dd").textContent.startsWith("2 "));
  page.trouble = page.trouble.filter((one) => !one.includes("ERR_FAILED"));
  await close(page);
});

test("a log is followed, pauses where one reads, counts what is new, and is searched", async () => {
  const page = await open(`${steps}/batches/3`);
  const rows = () => [...document.querySelectorAll(".window .row")].map((row) => row.querySelector(".t").textContent);
  await until(page, "what was written is shown", () => /line 2000 of batch 3/.test(document.querySelector(".window")?.textContent ?? ""));
  assert.ok((await page.evaluate(rows)).length < 150, "only lines in sight are in the document");
  await page.evaluate(() => { document.querySelector(".window").scrollTop = 0; });
  await until(page, "it has stopped to follow", () => document.querySelector("[aria-pressed=false]")?.textContent === "Follow");
  writeFileSync(join(workspace, "more3"), "");
  await until(page, "the new lines are counted", () => document.querySelector(".pill").textContent === "3 new lines");
  await page.click(".pill");
  await until(page, "the end is shown", () => /the last line/.test(document.querySelector(".window").textContent));
  await page.fill(".tools input", "line 19");
  await until(page, "the hits are counted", () => /of 111$/.test(document.querySelector(".count").textContent));
  await close(page);
  const linked = await open(`${steps}/batches/3?show=output#L1500`);
  await until(linked, "the linked line is shown", () => document.querySelector(".row.aim .t")?.textContent === "line 1500 of batch 3");
  await close(linked);
});

test("lines of a log have their times, in three ways", async () => {
  const page = await open(`${steps}/batches/1?show=output#L1500`);
  const way = page.getByLabel("Times of lines");
  for (const [name, wanted] of [["Since the start", "^\\+0m\\d\\ds$"], ["Local times", "\\d\\d.*\\d\\d"], ["UTC", "^\\d\\d:\\d\\d:\\d\\d$"]]) {
    await way.selectOption(name);
    await until(page, `the time as ${name}`, (wanted) => new RegExp(wanted).test(document.querySelector(".row.aim .k")?.textContent ?? ""), wanted);
  }
  assert.match(await page.getAttribute(".row.aim .k", "title"), /^\d{4}-.*Z$/);
  await way.selectOption("No times");
  await until(page, "no time", () => document.querySelector(".row.aim") && !document.querySelector(".row .k"));
  await close(page);
});

test("a batch is chosen in the grid with the arrows or the pointer, also after the grid was drawn anew", async () => {
  const page = await open(steps);
  await page.waitForSelector("#connection[data-state=live]");
  await page.locator("svg.strip").focus();
  await page.keyboard.press("End");
  await page.evaluate(() => { document.querySelector("svg.strip").dataset.old = "1"; });
  writeFileSync(join(workspace, "go4"), "");
  await until(page, "the grid is drawn anew", () => document.querySelector("svg.strip:not([data-old])"));
  assert.equal(await page.getAttribute("svg.strip", "aria-valuetext"), "Batch 6: Enter opens it");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${steps}/batches/5`);
  await page.goto(base + steps);
  await page.waitForSelector("#connection[data-state=live]");
  // It may be drawn anew at any moment.
  const strip = page.locator("svg.strip");
  const [width, height] = await strip.evaluate((strip) => [strip.getBoundingClientRect().width, strip.getBoundingClientRect().height]);
  await strip.click({ position: { x: width / 12, y: height / 2 } });
  await page.waitForURL(`**${steps}/batches/1`);
  await close(page);
});

test("the timeline says which time is under the pointer, and is zoomed by its address", async () => {
  const page = await open(`${failed}/timeline`);
  const box = await page.locator(".timeline svg").first().boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await until(page, "the time is said", () => /^[0-9.]+s, .*\d/.test(document.querySelector(".cursor:not([hidden])")?.textContent ?? ""));
  await page.click("text=Zoom in");
  await page.waitForURL(/from=.*&to=/);
  await close(page);
});

test("colours and http links of a terminal are shown, and nothing else of one", async () => {
  const page = await open(`/jobs/${jobs.review}/runs/1/batches/1`);
  await until(page, "the text is shown", () => /green/.test(document.querySelector(".window")?.textContent ?? ""));
  const seen = await page.evaluate(() => {
    const rows = [...document.querySelectorAll(".window .t")];
    return {
      text: rows.map((row) => row.textContent).join("\n"),
      green: document.querySelector(".window .a32")?.textContent,
      links: [...document.querySelectorAll(".window .t a")].map((link) => [link.textContent, link.href, link.rel]),
      title: document.title,
    };
  });
  assert.equal(seen.green, "green");
  assert.deepEqual(seen.links, [["a page", "https://example.com/a", "noopener noreferrer"]]);
  assert.match(seen.text, /bad link stays text/);
  assert.doesNotMatch(seen.text, /\u001b|Y29weQ|owned/);
  assert.match(seen.title, /^Batch 1/);
  await close(page);
});

test("failed batches are stepped through with n and p, and everything is reached by keyboard", async () => {
  const page = await open(`${failed}/batches/2`);
  await page.keyboard.press("n");
  await page.waitForURL(`**${failed}/batches/4`);
  await page.keyboard.press("p");
  await page.waitForURL(`**${failed}/batches/2`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await close(page);
});

test("without a script pages are read, and a run is suspended after a question", async () => {
  const page = await open(failed, { script: false });
  assert.match(await page.textContent("main"), /What failed/);
  await page.goto(`${base}${failed}/batches/2`);
  assert.match(await page.textContent("pre.text"), /it broke/);
  await page.goto(`${base}/`);
  await page.check(`input[value="${jobs.steps}"]`);
  await page.check(`input[value="${jobs.review}"]`);
  await page.click("text=Suspend");
  assert.match(await page.textContent("h1"), /Suspend 1 job\?/);
  await close(page);
});

test("what failed is tried again in a new run, which is opened", async () => {
  const page = await open(failed);
  await page.click("text=Retry failed");
  await page.waitForSelector("text=A new run begins, of the batches that failed.");
  await page.click("button.primary");
  await page.waitForURL(`**/jobs/${jobs.review}/runs/2`, { timeout: 60000 });
  await until(page, "the new run ends", () => /Failed/.test(document.querySelector(".heading").textContent));
  await close(page);
});

test("a run is stopped at once, and the buttons that make no sense say why", async () => {
  const page = await open(steps);
  const resume = page.locator("button:disabled", { hasText: "Resume" });
  assert.equal(await resume.getAttribute("title"), "The run goes on already.");
  await page.click("text=Stop at once");
  await page.click("button.primary");
  await page.waitForURL(`**${steps}`);
  await until(page, "it has ended", () => /Failed/.test(document.querySelector(".heading").textContent));
  await close(page);
});

test("a job is edited after what differs was shown, and runs", async () => {
  const file = join(workspace, "../review.yaml");
  const before = readFileSync(file, "utf8");
  const page = await open(`/jobs/${jobs.review}`);
  await page.click("text=Edit and run");
  await page.fill("#text", before.replace("max_retries: 1", "max_retries: 0"));
  await page.click("text=Show the difference");
  assert.deepEqual(await page.$$eval(".difference :is(del, ins)", (all) => all.map((one) => one.textContent.slice(0, 22))), ["retry: {max_retries: 1", "retry: {max_retries: 0"]);
  assert.deepEqual(await faults(page), []);
  assert.equal(readFileSync(file, "utf8"), before, "nothing is written before it is meant");
  await page.click("text=Write it and run");
  await page.waitForURL(`**/jobs/${jobs.review}/runs/3`, { timeout: 60000 });
  assert.match(readFileSync(file, "utf8"), /max_retries: 0/);
  await until(page, "the new run ends", () => /Failed/.test(document.querySelector(".heading").textContent));
  await close(page);
});

test("a run that is over is deleted after a question that names it", async () => {
  const page = await open(failed);
  await page.click("text=Delete this run");
  assert.match(await page.textContent("h1"), /Delete run 1 of review\?/);
  await page.click("button.primary");
  await page.waitForURL(`**/jobs/${jobs.review}`);
  assert.deepEqual(await page.$$eval("#list a.name", (all) => all.map((one) => one.textContent)), ["Run 3", "Run 2"]);
  await close(page);
});

test("jobs are chosen and deleted with the keyboard alone, after a question that names their number", async () => {
  const page = await open("/");
  const reach = async (what, wanted) => {
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(wanted)) return;
    }
    assert.fail(`${what} is not reached by Tab`);
  };
  for (const name of ["review", "steps"]) {
    await reach(`the box of ${name}`, `document.activeElement.ariaLabel === "Choose ${name}"`);
    await page.keyboard.press("Space");
  }
  await reach("Delete", "document.activeElement.textContent === 'Delete'");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/confirm/delete?*");
  assert.equal(await page.textContent("h1"), "Delete 2 jobs?");
  await reach("the answer", "document.activeElement.textContent === 'Delete 2 jobs'");
  await page.keyboard.press("Enter");
  await until(page, "both are gone", () => document.querySelectorAll(".checks b").length === 2);
  assert.deepEqual(await faults(page), []);
  await page.click("text=All jobs");
  await page.waitForSelector("text=No job has run here yet");
  await close(page);
});
