"use strict";
(() => {
  // Tooltips: SVG titles work without this script; with it they appear at once and follow the pointer.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const title of document.querySelectorAll(".picture title")) {
    const shape = title.parentNode, text = title.textContent;
    title.remove();
    shape.addEventListener("pointermove", event => {
      tip.textContent = text;
      tip.hidden = false;
      const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      const below = event.clientY + 16;
      const fits = below + tip.offsetHeight < innerHeight - 8;
      tip.style.left = Math.max(8, left) + "px";
      tip.style.top = (fits ? below : event.clientY - tip.offsetHeight - 10) + "px";
    });
    shape.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  // A row of the operator table and its column in the picture light up together.
  const rows = new Map(), columns = new Map();
  document.querySelectorAll("#operators tbody tr").forEach(row => rows.set(row.dataset.step, row));
  document.querySelectorAll(".column").forEach(column => columns.set(column.dataset.step, column));
  for (const [step, row] of rows) {
    const column = columns.get(step);
    for (const [from, to] of [[row, column], [column, row]]) {
      from.addEventListener("pointerenter", () => to.classList.add("on"));
      from.addEventListener("pointerleave", () => to.classList.remove("on"));
    }
  }

  // Sorting: numbers largest first, names in alphabetical order; a second click turns the order round.
  const table = document.querySelector("#operators"), body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((header, index) => {
    header.querySelector("button").addEventListener("click", () => {
      const numeric = header.dataset.numeric !== undefined;
      const before = header.getAttribute("aria-sort");
      const first = numeric && index > 0 ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = before === first ? second : first;
      const sign = order === "ascending" ? 1 : -1;
      const value = row => row.cells[index].dataset.value;
      const compare = numeric ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b));
      table.querySelectorAll("thead th").forEach(other => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", order);
      body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
    });
  });
})();
