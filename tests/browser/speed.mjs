// What a run of 5,000 batches costs a browser: printed as JSON, for `make bench`.
import { base, open, start, stop } from "./harness.mjs";

const REPEATS = 5;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

await start();
const measured = [];
for (let repeat = 0; repeat < REPEATS; repeat += 1) {
  const page = await open("/");
  const key = (await (await page.request.get(`${base}/api/v1/jobs`)).json()).jobs[0].key;
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask", buffered: true });
  });
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  network.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
  await page.goto(`${base}/jobs/${key}/runs/1`);
  await page.waitForSelector("#connection[data-state=live]");
  await page.waitForTimeout(1000);
  const seen = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    task: Math.max(0, ...globalThis.tasks),
    nodes: document.querySelectorAll("*").length,
  }));
  measured.push({ ...seen, bytes });
  await page.context().close();
}
const all = (name) => median(measured.map((one) => one[name]));
process.stdout.write(JSON.stringify({ paint: all("paint"), task: all("task"), nodes: all("nodes"), bytes: all("bytes") }));
await stop();
