"use strict";
// Nothing here is needed to read the page: it sorts and copies tables, and shows what is behind a point at once.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const value = (row, i) => {
    const cell = row.cells[i];
    if (!cell) return "";
    return cell.dataset.n === undefined ? cell.textContent.trim() : Number(cell.dataset.n);
  };
  if (body.rows.length > 1) {
    for (const [i, th] of [...table.tHead.rows[0].cells].entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = th.textContent || "name";
      th.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].sort((a, b) => {
          const x = value(a, i), y = value(b, i);
          if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // what has no number comes last
          const order = typeof x === "number" ? x - y : x.localeCompare(y);
          return down ? -order : order;
        });
        body.append(...rows);
      });
    }
  }
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "copy";
  copy.textContent = "Copy as CSV";
  copy.addEventListener("click", async () => {
    // A text that a spreadsheet would take for a formula begins with an apostrophe; flags stand beside their value.
    const quote = (text) => {
      if (/^[=+\-@\t\r]/.test(text)) text = "'" + text;
      return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    const lines = [[...table.tHead.rows[0].cells].map((c) => quote(c.textContent.trim())).join(",")];
    for (const row of body.rows) {
      lines.push([...row.cells].map((c) => c.dataset.n === undefined ? quote(c.textContent.trim()) : c.dataset.n).join(","));
    }
    const text = lines.join("\n") + "\n";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy as CSV"; }, 1500);
  });
  table.parentElement.after(copy);
}

const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
document.body.append(tip);
for (const hit of document.querySelectorAll(".hit")) {
  const title = hit.querySelector("title");
  if (!title) continue;
  const text = title.textContent;
  title.remove(); // the browser's own would come a second later
  hit.addEventListener("pointerenter", (e) => { tip.textContent = text; tip.hidden = false; place(e); });
  hit.addEventListener("pointermove", place);
  hit.addEventListener("pointerleave", () => { tip.hidden = true; });
}
function place(e) {
  const x = Math.min(e.clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const y = e.clientY + 16 + tip.offsetHeight > innerHeight ? e.clientY - tip.offsetHeight - 10 : e.clientY + 16;
  tip.style.left = Math.max(x, 4) + "px";
  tip.style.top = Math.max(y, 4) + "px";
}
// A link to something that is folded away opens it.
function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
}
addEventListener("hashchange", unfold);
addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details")) d.open = true; });
unfold();
