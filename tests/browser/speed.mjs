// What a run of 5,000 batches and a log of 100,000 lines cost a browser: printed as JSON, for `make bench`.
import { base, open, start, stop, until } from "./harness.mjs";

const REPEATS = 5;
const STEPS = 60;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

await start();
const runs = [];
const logs = [];
for (let repeat = 0; repeat < REPEATS; repeat += 1) {
  const page = await open("/");
  const { jobs } = await (await page.request.get(`${base}/api/v1/jobs`)).json();
  const run = (name) => `${base}/jobs/${jobs.find((job) => job.name === name).key}/runs/1`;
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask", buffered: true });
  });
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  network.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
  const seen = () => page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    task: Math.max(0, ...globalThis.tasks),
    nodes: document.querySelectorAll("*").length,
  }));

  await page.goto(run("large"));
  await page.waitForSelector("#connection[data-state=live]");
  await page.waitForTimeout(1000);
  runs.push({ ...(await seen()), bytes });

  await page.goto(`${run("long")}/batches/1`);
  await until(page, "the last line is shown", () => /line 100000 /.test(document.querySelector(".window")?.textContent ?? ""));
  const whole = await page.evaluate(() => performance.now());
  await page.evaluate((steps) => new Promise((done) => {
    const window = document.querySelector(".window");
    let step = 0;
    const next = () => {
      window.scrollTop = (window.scrollHeight * step) / steps;
      step += 1;
      if (step > steps) done(); else requestAnimationFrame(next);
    };
    next();
  }), STEPS);
  await page.waitForTimeout(500);
  logs.push({ ...(await seen()), whole });
  await page.context().close();
}
const all = (measured) => Object.fromEntries(Object.keys(measured[0]).map((name) => [name, median(measured.map((one) => one[name]))]));
process.stdout.write(JSON.stringify({ run: all(runs), log: all(logs) }));
await stop();
