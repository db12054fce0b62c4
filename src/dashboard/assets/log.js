// The log viewer: as many lines as there are, of which only those in sight are in the document.

const ROW = 20;
const SPARE = 20;
// A browser cannot draw an element that is taller than this; a log with more lines is cut at its beginning.
const LINES_MAX = 400000;
const ESCAPE = "\u001b";

// Colours and http links of a terminal, nothing else of one: every other sequence is left out.
const SEQUENCE = /\u001b\[([0-9;:]*)m|\u001b\]8;[^;\u0007\u001b]*;([^\u0007\u001b]*)(?:\u0007|\u001b\\)|\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

function plain(text) {
  return text.includes(ESCAPE) ? text.replace(SEQUENCE, "") : text;
}

function style(classes, codes) {
  const parts = codes === "" ? ["0"] : codes.split(/[;:]/);
  for (let i = 0; i < parts.length; i += 1) {
    const code = Number(parts[i]);
    if (code === 0) classes.clear();
    else if (code >= 1 && code <= 4) classes.add(`a${code}`);
    else if (code === 22) { classes.delete("a1"); classes.delete("a2"); }
    else if (code === 23) classes.delete("a3");
    else if (code === 24) classes.delete("a4");
    else if (code === 38 || code === 48) i += parts[i + 1] === "5" ? 2 : 4;
    else if ((code >= 30 && code <= 37) || code === 39 || (code >= 90 && code <= 97)) {
      for (const one of [...classes]) if (/^a[39]\d$/.test(one)) classes.delete(one);
      if (code !== 39) classes.add(`a${code}`);
    }
  }
}

function link(address) {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

// Text only ever enters the document as text.
function draw(into, text) {
  if (!text.includes(ESCAPE)) { into.textContent = text.replace(SEQUENCE, ""); return; }
  const classes = new Set();
  let href = null;
  let from = 0;
  const add = (piece) => {
    if (!piece) return;
    if (!href && classes.size === 0) { into.append(piece); return; }
    const node = document.createElement(href ? "a" : "span");
    if (href) { node.href = href; node.rel = "noopener noreferrer"; node.target = "_blank"; }
    node.className = [...classes].join(" ");
    node.textContent = piece;
    into.append(node);
  };
  for (const match of text.matchAll(SEQUENCE)) {
    add(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[1] !== undefined) style(classes, match[1]);
    else if (match[2] !== undefined) href = match[2] ? link(match[2]) : null;
  }
  add(text.slice(from));
}

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// The ways in which a line's time is said.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const WAYS = {
  "No times": null,
  "Since the start": (time, start) => {
    const seconds = Math.max(0, Math.floor((time - start) / 1000));
    return `+${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
  },
  "Local times": (time) => clock.format(time),
  "UTC": (time) => new Date(time).toISOString().slice(11, 19),
};

class Log {
  constructor(place) {
    this.place = place;
    this.merged = place.dataset.log === "merged";
    this.as = place.dataset.said ?? "said";
    this.lines = [];
    this.keys = [];
    this.times = [];
    this.start = Date.parse(place.dataset.start);
    this.dropped = 0;
    this.hits = [];
    this.hit = -1;
    this.following = true;
    this.unseen = 0;
    this.aim = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);
    this.build();
    this.open();
  }

  build() {
    const button = (text, action, pressed) => {
      const node = element("button", { type: "button", textContent: text });
      if (pressed !== undefined) node.setAttribute("aria-pressed", String(pressed));
      node.addEventListener("click", action);
      return node;
    };
    this.search = element("input", { type: "search", placeholder: "Search in this log", autocomplete: "off" });
    this.search.setAttribute("aria-label", "Search in this log");
    this.search.addEventListener("input", () => this.find());
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.step(event.shiftKey ? -1 : 1); }
    });
    this.count = element("span", { className: "count" });
    this.count.setAttribute("role", "status");
    this.follow = button("Follow", () => { this.following = !this.following; this.settle(); }, true);
    this.raw = button("As written", () => { this.as = this.as === "raw" ? "said" : "raw"; this.reopen(); }, this.as === "raw");
    const tools = element("div", { className: "tools" },
      this.search, this.count,
      button("Previous", () => this.step(-1)), button("Next", () => this.step(1)),
      button("Jump to error", () => this.error()), this.follow);
    if (this.place.dataset.said !== "raw") tools.append(this.raw);
    this.way = element("select", { hidden: true }, ...Object.keys(WAYS).map((textContent) => element("option", { textContent })));
    this.way.setAttribute("aria-label", "Times of lines");
    this.way.addEventListener("change", () => this.paint());
    tools.append(this.way);
    this.rows = element("div", { className: "rows" });
    this.pad = element("div", { className: "pad" }, this.rows);
    this.window = element("div", { className: "window", tabIndex: 0 }, this.pad);
    this.window.setAttribute("role", "log");
    this.window.setAttribute("aria-label", "Log");
    this.window.setAttribute("aria-live", "off");
    this.pill = element("button", { type: "button", className: "pill", hidden: true });
    this.pill.addEventListener("click", () => { this.following = true; this.settle(); });
    this.window.addEventListener("scroll", () => {
      const atEnd = this.window.scrollTop + this.window.clientHeight >= this.window.scrollHeight - ROW;
      if (!this.moving && this.following !== atEnd) { this.following = atEnd; this.settle(); }
      this.moving = false;
      this.paint();
    }, { passive: true });
    new ResizeObserver(() => this.paint()).observe(this.window);
    this.place.replaceChildren(tools, this.window, this.pill);
  }

  async open() {
    const as = this.as;
    let from = 0;
    if (this.place.dataset.lines) {
      for (;;) {
        const answer = await fetch(`${this.place.dataset.lines}?from=${from}&as=${as}`);
        if (!answer.ok || as !== this.as) return;
        const piece = await answer.json();
        this.add(piece.lines, piece.times);
        const stuck = piece.next === from;
        from = piece.next;
        if (piece.ended) return;
        if (stuck) break;
      }
    }
    const source = new EventSource(`${this.place.dataset.follow}?from=${from}&as=${as}`);
    this.source = source;
    source.addEventListener("lines", (event) => {
      const { lines, times } = JSON.parse(event.data);
      if (this.merged) this.add(lines.map((line) => line[1]), times, lines.map((line) => line[0]));
      else this.add(lines, times);
    });
    source.addEventListener("cut", () => { this.clear(); });
    source.addEventListener("end", () => source.close());
  }

  reopen() {
    this.source?.close();
    this.raw.setAttribute("aria-pressed", String(this.as === "raw"));
    this.clear();
    this.open();
  }

  clear() {
    this.lines = [];
    this.keys = [];
    this.times = [];
    this.dropped = 0;
    this.find();
  }

  // `times` are pairs: from which line on, and the time; 0 where it is not known.
  add(lines, times, keys = []) {
    if (lines.length === 0) return;
    const begin = this.lines.length;
    for (const [line, time] of times) this.times.push([this.dropped + begin + line, time]);
    if (times.some((one) => one[1] > 0)) this.way.hidden = false;
    for (const line of lines) this.lines.push(line);
    for (const key of keys) this.keys.push(key);
    if (this.lines.length > LINES_MAX) {
      const over = this.lines.length - LINES_MAX;
      this.lines.splice(0, over);
      this.keys.splice(0, over);
      this.dropped += over;
      this.lines[0] = `[mozart: ${this.dropped} lines before this are not shown]`;
      this.find();
    } else {
      this.find(begin);
    }
    if (!this.following) this.unseen += lines.length;
    this.settle();
  }

  settle() {
    this.pad.style.height = `${this.lines.length * ROW + 16}px`;
    if (this.aim > 0 && this.aim <= this.lines.length) {
      this.following = false;
      this.scrollTo(this.aim - 1);
      this.aimed = this.aim - 1;
      this.aim = 0;
      this.unseen = 0;
    } else if (this.following) {
      this.unseen = 0;
      this.moving = true;
      this.window.scrollTop = this.window.scrollHeight;
    }
    this.follow.setAttribute("aria-pressed", String(this.following));
    this.pill.hidden = this.unseen === 0;
    this.pill.textContent = `${this.unseen} new ${this.unseen === 1 ? "line" : "lines"}`;
    this.paint();
  }

  scrollTo(index) {
    this.moving = true;
    this.window.scrollTop = Math.max(0, index * ROW - this.window.clientHeight / 2);
    this.paint();
  }

  paint() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const first = Math.max(0, Math.floor(this.window.scrollTop / ROW) - SPARE);
      const last = Math.min(this.lines.length, first + Math.ceil(this.window.clientHeight / ROW) + 2 * SPARE);
      const rows = [];
      for (let index = first; index < last; index += 1) rows.push(this.row(index));
      this.rows.style.transform = `translateY(${first * ROW}px)`;
      this.rows.replaceChildren(...rows);
    });
  }

  row(index) {
    const number = index + 1 + this.dropped;
    const row = element("div", { className: "row" });
    if (index === this.aimed) row.classList.add("aim");
    if (this.hits[this.hit] === index) row.classList.add("hit");
    if (this.merged) row.append(element("span", { className: "k", textContent: this.keys[index] ?? "" }));
    else row.append(element("a", { className: "n", href: `#L${number}`, textContent: number }));
    const say = WAYS[this.way.value];
    if (say) {
      const time = this.timeOf(index + this.dropped);
      row.append(element("span", { className: "k", textContent: time ? say(time, this.start) : "", title: time ? new Date(time).toISOString() : "" }));
    }
    const text = element("span", { className: "t" });
    draw(text, this.lines[index]);
    row.append(text);
    return row;
  }

  // The time of the last pair that begins at this line or before it.
  timeOf(line) {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle][0] <= line) low = middle + 1; else high = middle;
    }
    return low > 0 ? this.times[low - 1][1] : 0;
  }

  find(begin = 0) {
    const wanted = this.search.value.toLowerCase();
    if (begin === 0) { this.hits = []; this.hit = -1; }
    if (wanted) {
      for (let index = begin; index < this.lines.length; index += 1) {
        if (plain(this.lines[index]).toLowerCase().includes(wanted)) this.hits.push(index);
      }
    }
    this.tell();
    if (begin === 0 && this.hits.length > 0) this.step(1);
    else this.paint();
  }

  tell() {
    const found = this.hits.length;
    if (!this.search.value) this.count.textContent = "";
    else if (found === 0) this.count.textContent = "not found";
    else this.count.textContent = this.hit < 0 ? `${found} found` : `${this.hit + 1} of ${found}`;
  }

  step(by) {
    if (this.hits.length === 0) return;
    this.hit = (this.hit + by + this.hits.length) % this.hits.length;
    this.following = false;
    this.tell();
    this.scrollTo(this.hits[this.hit]);
    this.settle();
  }

  error() {
    const bad = /\b(error|failed|failure|panic|exception|fatal|traceback)\b/i;
    const index = this.lines.findLastIndex((line) => bad.test(plain(line)));
    if (index < 0) { this.count.textContent = "no error"; return; }
    this.following = false;
    this.aimed = index;
    this.scrollTo(index);
    this.settle();
  }
}

for (const place of document.querySelectorAll("[data-log]")) new Log(place);
window.addEventListener("hashchange", () => location.hash.startsWith("#L") && location.reload());
