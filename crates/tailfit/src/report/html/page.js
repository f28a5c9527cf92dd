for (const set of document.querySelectorAll("fieldset")) {
  const show = (box) => set.parentElement.querySelectorAll(`.series.c${box.value}`)
    .forEach((series) => series.classList.toggle("off", !box.checked));
  for (const box of set.querySelectorAll("input")) {
    show(box);
    box.addEventListener("change", () => show(box));
  }
}
for (const table of document.querySelectorAll(".sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].textContent;
    const number = parseFloat(text.replace("\u2212", "-"));
    return text === "best" ? 0 : column === 0 || Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = column > 0 && head.ariaSort !== "descending" || column === 0 && head.ariaSort === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.ariaSort = down ? "descending" : "ascending";
    const compare = (a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      const missing = column > 0 && (typeof x === "string") - (typeof y === "string");
      if (missing) return missing;
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  }));
}
