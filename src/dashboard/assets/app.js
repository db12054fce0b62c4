// Makes pages live. Without it they are read as they are.

// Times in the reader's own zone; the exact one stays on hover.
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86400)}d${two(Math.floor(s / 3600) % 24)}h`;
}

function times(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = time.hasAttribute("data-ago") ? `${duration((Date.now() - at) / 1000)} ago` : clock.format(at);
    if (time.textContent !== text) time.textContent = text;
  }
}

// A button copies what it holds, or the text of what it names.
function copies(root) {
  for (const button of root.querySelectorAll("button[data-copy], button[data-copy-of]")) button.hidden = false;
}

async function copy(button) {
  const { copy, copyOf } = button.dataset;
  await navigator.clipboard.writeText(copy ?? document.getElementById(copyOf).textContent);
  button.textContent = "Copied";
  say("Copied");
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// A batch of the grid is under the pointer: its place says which. With the keyboard the arrows choose one. What is
// chosen stays so when the grid is drawn anew.
let chosen = 1;
let pointed = null;

function drawn(strip) {
  const { columns, pitch, total } = strip.dataset;
  return { columns: Number(columns), pitch: Number(pitch), total: Number(total) };
}

function strips(root) {
  for (const strip of root.querySelectorAll("svg.strip")) {
    const { columns, pitch, total } = drawn(strip);
    chosen = Math.min(Math.max(chosen, 1), total);
    const child = (name) => {
      const found = strip.querySelector(name);
      if (found) return found;
      const node = strip.ownerDocument.createElementNS("http://www.w3.org/2000/svg", name);
      strip.append(node);
      return node;
    };
    child("title").textContent = pointed ? `Batch ${pointed}` : "";
    const frame = child("rect");
    const place = { x: ((chosen - 1) % columns) * pitch, y: Math.floor((chosen - 1) / columns) * pitch, width: pitch, height: pitch };
    for (const [name, value] of Object.entries(place)) frame.setAttribute(name, value);
    const said = {
      tabindex: 0, role: "slider", "aria-valuemin": 1, "aria-valuemax": total, "aria-valuenow": chosen,
      "aria-valuetext": `Batch ${chosen}: Enter opens it`,
    };
    for (const [name, value] of Object.entries(said)) strip.setAttribute(name, value);
  }
}

function batchAt(strip, event) {
  const { columns, pitch, total } = drawn(strip);
  const box = strip.getBoundingClientRect();
  const scale = strip.viewBox.baseVal.width / box.width;
  const column = Math.floor(((event.clientX - box.left) * scale) / pitch);
  const row = Math.floor(((event.clientY - box.top) * scale) / pitch);
  const batch = row * columns + column + 1;
  return column >= 0 && column < columns && batch >= 1 && batch <= total ? batch : null;
}

function choose(strip, event) {
  const { columns, total } = drawn(strip);
  const places = {
    ArrowRight: chosen + 1, ArrowLeft: chosen - 1, ArrowDown: chosen + columns, ArrowUp: chosen - columns, Home: 1, End: total,
  };
  const to = places[event.key];
  if (event.key === "Enter") location.assign(strip.dataset.href + chosen);
  if (to === undefined) return;
  event.preventDefault();
  if (to >= 1 && to <= total) chosen = to;
  strips(strip.parentNode);
}

// A line through the timeline where the pointer is, and the time there.
function cursor(drawing, event) {
  const box = drawing.querySelector("svg").getBoundingClientRect();
  const at = (event.clientX - box.left) / box.width;
  const line = drawing.querySelector(".cursor") ?? drawing.appendChild(document.createElement("span"));
  line.className = "cursor";
  line.ariaHidden = "true";
  line.hidden = at < 0 || at > 1;
  const { from, to, start } = drawing.querySelector("[data-start]").dataset;
  const seconds = Number(from) + at * (Number(to) - Number(from));
  line.style.left = `${event.clientX - drawing.getBoundingClientRect().left}px`;
  line.classList.toggle("late", at > 0.7);
  line.textContent = `${seconds < 60 ? `${seconds.toFixed(2)}s` : duration(seconds)}, ${clock.format(new Date(Date.parse(start) + seconds * 1000))}`;
}

// On the document, since parts of the page are replaced.
function pointer() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy], button[data-copy-of]");
    if (button) copy(button);
    const strip = event.target.closest("svg.strip");
    const batch = strip && batchAt(strip, event);
    if (batch) location.assign(strip.dataset.href + batch);
  });
  document.addEventListener("pointermove", (event) => {
    const strip = event.target.closest("svg.strip");
    const now = strip && batchAt(strip, event);
    if (now !== pointed) { pointed = now; strips(document); }
    const drawing = event.target.closest(".drawing");
    if (drawing) cursor(drawing, event);
    else for (const line of document.querySelectorAll(".cursor")) line.hidden = true;
  }, { passive: true });
}

function keys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const strip = event.target.closest("svg.strip");
    if (strip) { choose(strip, event); return; }
    const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  });
}

// What a screen reader is told of a change.
function say(text) {
  const place = document.getElementById("said");
  if (place && place.textContent !== text) place.textContent = text;
}

function dress(root) {
  times(root);
  copies(root);
  strips(root);
}

// The same page is asked for again, and what has changed in its live parts takes their place. What a person has
// chosen, opened or is reading there stays.
let asking = null;
let again = false;

async function renew() {
  // What answers a form is at no address of its own.
  if (document.querySelector("main[data-still]")) return;
  if (asking) { again = true; return; }
  asking = fetch(location.href, { headers: { accept: "text/html" } });
  try {
    const answer = await asking;
    if (answer.status === 401) { connection("lost", "Signed out"); return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    dress(page);
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const fresh = page.getElementById(part.id);
      if (fresh) replace(part, fresh);
    }
    // Parts that were not there before, or are no more, are a new page.
    const parts = (root) => [...root.querySelectorAll("[data-live][id]")].map((part) => part.id).join();
    if (parts(document) !== parts(page)) swap(page);
  } catch {
    // The stream says when the server is back.
  } finally {
    asking = null;
    if (again) { again = false; setTimeout(renew, 250); }
  }
}

function replace(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const checked = new Set([...old.querySelectorAll("input:checked")].map((box) => box.value));
  const focused = old.contains(document.activeElement) ? path(old, document.activeElement) : null;
  const node = document.importNode(fresh, true);
  old.replaceWith(node);
  for (const box of node.querySelectorAll("input[type=checkbox]")) box.checked = checked.has(box.value);
  if (focused) follow(node, focused)?.focus({ preventScroll: true });
}

function swap(page) {
  const main = document.getElementById("main");
  const log = main.querySelector("[data-log]");
  if (log) return;
  main.replaceWith(document.importNode(page.getElementById("main"), true));
}

// Where a node stands under another, so that its successor can be found.
function path(root, node) {
  const steps = [];
  for (let at = node; at !== root; at = at.parentNode) steps.unshift([...at.parentNode.children].indexOf(at));
  return steps;
}

function follow(root, steps) {
  return steps.reduce((at, step) => at?.children[step], root);
}

function connection(state, text) {
  const place = document.getElementById("connection");
  place.dataset.state = state;
  if (place.textContent !== text) place.textContent = text;
}

function listen() {
  const address = document.body.dataset.events;
  if (!address) return;
  let known = null;
  const source = new EventSource(address);
  source.addEventListener("open", () => connection("live", "Live"));
  source.addEventListener("error", () => {
    connection("lost", source.readyState === EventSource.CLOSED ? "Not connected" : "Reconnecting");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
  // Also at the first one: something may have changed between the page and its stream.
  source.addEventListener("change", renew);
  source.addEventListener("run", (event) => {
    const run = JSON.parse(event.data);
    const words = `${run.standing}, ${run.succeeded} of ${run.total} done, ${run.failed} failed`;
    if (known !== null && known !== words) say(words);
    known = words;
    renew();
  });
}

dress(document);
keys();
pointer();
listen();
setInterval(() => times(document), 1000);
