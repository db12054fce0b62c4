// A Chromium, pages of it that are let in, and what is wrong with a page. Driven by tests/it/dashboard/browser.rs.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const require = createRequire(join(root, ".cache/browser/package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// What the Rust side has prepared.
export const { address, jobs, workspace, shots, service, token } = JSON.parse(process.env.MOZART_BROWSER_TEST);
export const base = new URL(address).origin;

let browser = null;

export async function start() {
  // Chromium refuses its sandbox to root, which is who runs in continuous integration.
  browser = await chromium.launch({ executablePath: "chromium-path" in process.env ? process.env["chromium-path"] : "/usr/bin/chromium", args: ["--no-sandbox"] });
}

export async function stop() {
  await browser?.close();
}

// A page that is let in and fails the test for every error that it logs.
export async function open(path, options) {
  const page = await fresh(base, options);
  await page.goto(address);
  await page.goto(base + path);
  return page;
}

// A page of nobody, which loads nothing from elsewhere.
export async function fresh(origin, { width = 1440, scheme = "light", script = true } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: width < 500 ? 740 : 900 },
    colorScheme: scheme,
    javaScriptEnabled: script,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.trouble = [];
  page.on("dialog", async (dialog) => {
    page.trouble.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("pageerror", (error) => page.trouble.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") page.trouble.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) page.trouble.push(`loads ${request.url()}`);
  });
  return page;
}

export async function close(page) {
  await page.context().close();
  assert.deepEqual(page.trouble, []);
}

// What axe finds wrong, in words. Injected past the page's own policy, which lets nothing in.
export async function faults(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ").slice(0, 400)}`);
}

export async function shoot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

// Waits until a thing in the page is so.
export async function until(page, what, condition, argument) {
  await page.waitForFunction(condition, argument, { timeout: 20000, polling: 50 }).catch((error) => {
    throw new Error(`${what}: ${error.message.split("\n")[0]}`);
  });
}
