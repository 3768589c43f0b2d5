// Shows what the address says: the table or a function.

function header() {
  const sides = data.sides.flatMap((side, index) => [
    element("dt", {}, isDiff ? ["base", "new"][index] : "of"),
    element("dd", {}, element("span", { class: "mono" }, side.name), element("span", { class: "muted" }, "  " + side.about)),
  ]);
  const summary = data.summary && element("p", {}, data.summary);
  document.getElementById("top").replaceChildren(element("h1", {}, data.title), summary || "", element("dl", { class: "sides" }, ...sides));
}

function show() {
  state.read();
  const [list, one] = [document.getElementById("list"), document.getElementById("function")];
  const row = state.now.fn === "" ? null : data.rows.find((row) => String(row.id) === state.now.fn);
  list.hidden = Boolean(row);
  one.hidden = !row;
  if (row) {
    view.show(one, row);
  } else {
    one.replaceChildren();
    table.show(list);
  }
}

header();
show();
addEventListener("hashchange", () => {
  show();
  scrollTo(0, 0);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.getElementById("function").hidden) state.change({ fn: "" }, true);
});
let width = innerWidth;
addEventListener("resize", () => {
  // Phones change the height alone while they scroll.
  if (innerWidth !== width) show();
  width = innerWidth;
});
