// The table: filters, columns, sorting; rows are made as they are scrolled to.

const CHUNK = 100;
const STATES = {
  same: "unchanged", changed: "changed", added: "added", removed: "removed", moved: "moved", failed: "fails",
  broken: "fails now", fixed: "fixed", ok: "ok",
};

const FILTERS = {
  all: ["All", () => true],
  changed: ["Changed", (row) => row.state !== "same" && row.state !== "failed"],
  worse: ["Larger", (row, column) => difference(row, column) > 0],
  better: ["Smaller", (row, column) => difference(row, column) < 0],
  failed: ["Failures", (row) => row.state === "failed" || row.state === "broken"],
};

const measureIndex = (name) => Math.max(0, data.measures.findIndex((measure) => measure.name === name));

function difference(row, column) {
  const [a, b] = [row.a && row.a[column], row.b && row.b[column]];
  return a === null || a === undefined || b === null || b === undefined ? 0 : b - a;
}

/** What a row is sorted by; rows that have no such value come last. */
function rank(row, column, by) {
  const [a, b] = [row.a && row.a[column], row.b && row.b[column]];
  if (by === "a") return a;
  if (by === "b") return b;
  if (a === null || a === undefined || b === null || b === undefined) return null;
  return by === "pct" ? percent(a, b) ?? Infinity : b - a;
}

function sorted(rows, sort, by, dir) {
  const sign = dir === "asc" ? 1 : -1;
  const name = (row) => row.file + "\0" + row.fn;
  const text = (x, y) => (x < y ? -1 : x > y ? 1 : 0);
  if (sort === "name" || sort === "state") {
    const key = sort === "name" ? (row) => row.fn + "\0" + row.file : (row) => row.state + "\0" + name(row);
    return rows.sort((x, y) => sign * text(key(x), key(y)));
  }
  const column = measureIndex(sort);
  const ranked = rows.map((row) => [rank(row, column, by) ?? null, row]);
  ranked.sort(([x, p], [y, q]) => {
    if (x === null || y === null) return (x === null) - (y === null) || text(name(p), name(q));
    return (x === y ? 0 : sign * (x < y ? -1 : 1)) || text(name(p), name(q));
  });
  return ranked.map(([, row]) => row);
}

const table = {
  rows: [],
  made: 0,

  columns() {
    const wanted = state.now.columns ? state.now.columns.split(",") : innerWidth < 700 ? data.narrow : data.columns;
    return data.measures.map((measure, index) => [measure, index]).filter(([measure]) => wanted.includes(measure.name));
  },

  sort() {
    return state.now.sort || data.columns[0];
  },

  filter() {
    if (FILTERS[state.now.show]) return state.now.show;
    return isDiff && data.rows.some(FILTERS.changed[1]) ? "changed" : "all";
  },

  show(root) {
    const sort = this.sort();
    const column = measureIndex(sort);
    const find = state.now.find.toLowerCase();
    const matches = (row) => (row.fn + "\n" + row.file).toLowerCase().includes(find);
    const [, keep] = FILTERS[this.filter()];
    this.rows = sorted(data.rows.filter((row) => keep(row, column) && matches(row)), sort, state.now.by, state.now.dir);
    this.made = 0;
    const hadFocus = document.activeElement && document.activeElement.type === "search";
    root.replaceChildren(this.tiles(), this.tools(column), this.frame());
    if (hadFocus) {
      const search = root.querySelector("input[type=search]");
      search.focus();
      search.setSelectionRange(search.value.length, search.value.length);
    }
    this.extend();
  },

  /** Totals of what is on both sides. */
  tiles() {
    const tiles = this.columns().map(([measure, index]) => {
      const sums = [0, 0];
      for (const row of data.rows) {
        const [a, b] = [row.a && row.a[index], row.b && row.b[index]];
        if (isDiff && (a === null || a === undefined || b === null || b === undefined)) continue;
        sums[0] += a || 0;
        sums[1] += b || 0;
      }
      const [a, b] = sums;
      const by = { type: "button", class: "tile", title: measure.about, onclick: () => this.sortBy(measure.name) };
      const change = !isDiff
        ? element("span", { class: "muted" }, "in all")
        : a === b
          ? element("span", { class: "muted" }, "unchanged")
          : element("span", { class: direction(b - a) }, signed(b - a) + " (" + percentText(a, b) + ")");
      return element("button", by, element("span", { class: "muted" }, measure.name), element("b", {}, number(b)), change);
    });
    return element("div", { class: "tiles" }, ...tiles);
  },

  tools(column) {
    const counts = Object.entries(FILTERS)
      .filter(([name]) => isDiff || name === "all" || name === "failed")
      .map(([name, [text, keep]]) => [name, text, data.rows.filter((row) => keep(row, column)).length]);
    const search = element("input", {
      type: "search", placeholder: "Function or file", "aria-label": "Function or file", value: state.now.find,
      oninput: (event) => state.change({ find: event.target.value }),
    });
    const chosen = this.columns().map(([measure]) => measure.name);
    const boxes = data.measures.map((measure) => {
      const toggle = () => {
        const set = chosen.includes(measure.name) ? chosen.filter((name) => name !== measure.name) : [...chosen, measure.name];
        state.change({ columns: set.length ? set.join(",") : "" });
        document.querySelector("details.columns").open = true;
      };
      const box = element("input", { type: "checkbox", checked: chosen.includes(measure.name), onchange: toggle });
      return element("label", { title: measure.about }, box, " " + measure.name);
    });
    const by = [["diff", "by difference"], ["pct", "percent"], ["a", "base"], ["b", "new"]];
    return element(
      "div",
      { class: "tools" },
      search,
      choice("Which functions", counts, this.filter(), (show) => state.change({ show })),
      element("span", { class: "space" }),
      isDiff && choice("Sort by", by, state.now.by, (value) => state.change({ by: value })),
      element("details", { class: "columns" }, element("summary", {}, "Columns"), element("div", {}, ...boxes)),
    );
  },

  frame() {
    const head = (name, text, title) =>
      element(
        "th",
        { scope: "col", title, "data-sort": name, "aria-sort": this.sort() === name && (state.now.dir === "asc" ? "ascending" : "descending") },
        element("button", { type: "button", onclick: () => this.sortBy(name) }, text),
      );
    const heads = this.columns().map(([measure]) => head(measure.name, measure.name, measure.about));
    this.body = element("tbody");
    this.more = element("div", { class: "more" });
    const whole = element("table", {}, element("thead", {}, element("tr", {}, head("name", "function"), head("state", "state"), ...heads)), this.body);
    const frame = element("div", { class: "table" }, whole, this.more);
    new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && this.extend(),
      { root: frame, rootMargin: "600px" },
    ).observe(this.more);
    return frame;
  },

  sortBy(name) {
    const again = this.sort() === name;
    const first = name === "name" || name === "state" ? "asc" : "desc";
    state.change({ sort: name, dir: again ? (state.now.dir === "asc" ? "desc" : "asc") : first });
  },

  /** Makes more rows. */
  extend() {
    const columns = this.columns();
    const next = this.rows.slice(this.made, this.made + CHUNK).map((row) => this.row(row, columns));
    this.body.append(...next);
    this.made += next.length;
    const rest = this.rows.length - this.made;
    this.more.textContent = rest ? number(rest) + " more" : this.rows.length ? "" : "No functions";
    this.more.hidden = !this.more.textContent;
  },

  row(row, columns) {
    const address = state.address({ fn: String(row.id) });
    const where = row.was ? row.file + ", was " + row.was : row.file;
    const badge = () => element("span", { class: "badge " + row.state }, STATES[row.state] || row.state);
    const small = element("small", { title: where }, badge(), where);
    const name = element("th", { scope: "row" }, element("a", { href: address, title: row.fn }, row.fn), small);
    const cells = columns.map(([, index]) => this.cell(row, index));
    const open = (event) => {
      if (event.target.tagName !== "A" && !String(getSelection())) state.change({ fn: String(row.id) }, true);
    };
    return element("tr", { "data-id": row.id, onclick: open }, name, element("td", { class: "state" }, badge()), ...cells);
  },

  cell(row, index) {
    const [a, b] = [row.a && row.a[index], row.b && row.b[index]];
    const known = (value) => value !== null && value !== undefined;
    if (!known(a) && !known(b)) return element("td", { class: "same" }, "–");
    if (!isDiff) return element("td", {}, number(b));
    if (!known(a) || !known(b)) return element("td", {}, number(known(b) ? b : a), element("small", { class: "muted" }, known(b) ? "only new" : "only base"));
    if (a === b) return element("td", { class: "same" }, number(b));
    const change = element("small", { class: direction(b - a) }, signed(b - a) + " (" + percentText(a, b) + ")");
    return element("td", {}, number(b), change);
  },
};
