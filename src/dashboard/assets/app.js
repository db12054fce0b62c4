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

function copies(root) {
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

// A batch of the grid is under the pointer: its place says which.
function strips(root) {
  for (const strip of root.querySelectorAll("svg.strip:not(.ready)")) {
    strip.classList.add("ready");
    const { columns, pitch, total, href } = strip.dataset;
    const at = (event) => {
      const box = strip.getBoundingClientRect();
      const scale = strip.viewBox.baseVal.width / box.width;
      const column = Math.floor(((event.clientX - box.left) * scale) / pitch);
      const row = Math.floor(((event.clientY - box.top) * scale) / pitch);
      const batch = row * columns + column + 1;
      return column >= 0 && column < columns && batch >= 1 && batch <= total ? batch : null;
    };
    const hint = document.createElementNS("http://www.w3.org/2000/svg", "title");
    strip.prepend(hint);
    strip.addEventListener("pointermove", (event) => {
      const batch = at(event);
      hint.textContent = batch ? `Batch ${batch}` : "";
    });
    strip.addEventListener("click", (event) => {
      const batch = at(event);
      if (batch) location.assign(href + batch);
    });
  }
}

function keys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  });
}

function dress(root) {
  times(root);
  copies(root);
  strips(root);
}

dress(document);
keys();
setInterval(() => times(document), 1000);
