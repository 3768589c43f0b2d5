// One function: its listings side by side, or base beside new with the differences marked.

const KINDS = { asm: "Assembly", clif: "CLIF", bpf: "BPF" };
const CONTEXT = 4;

const sourceKey = (source) => source[0] + ":" + source[1];

/** The lines of a listing as items. */
function items(texts, kind, side) {
  let last = null;
  return (texts[kind] || []).map(([text, bpf, source], index) => {
    const from = source >= 0 ? texts.sources[source] : null;
    const key = from ? sourceKey(from) : null;
    const note = key && key !== last && from[2] ? from[1] + ": " + from[2] : "";
    if (key) last = key;
    return { text, kind, n: kind === "bpf" && bpf >= 0 ? bpf : index + 1, bpf: bpf >= 0 ? bpf : null, src: key, side, note };
  });
}

/** The source lines as items, by file. */
function sourceItems(texts, side) {
  const lines = [...texts.sources].sort((x, y) => (x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : x[1] - y[1]));
  const made = [];
  let file = null;
  for (const [index, source] of lines.entries()) {
    if (index && sourceKey(lines[index - 1]) === sourceKey(source)) continue;
    if (source[0] !== file) {
      file = source[0];
      made.push({ text: file, n: null, bpf: null, src: null, side, mark: "heading" });
    }
    made.push({ text: source[2], n: source[1], bpf: null, src: sourceKey(source), side });
  }
  return made;
}

/** Pairs of items, base and new, from runs of `=`, `-` and `+`. */
function pairs(base, changed, runs) {
  const made = [];
  let [a, b] = [0, 0];
  for (let index = 0; index < runs.length; index++) {
    const [sign, count] = runs[index];
    if (sign === "=") {
      for (let i = 0; i < count; i++) made.push([base[a++], changed[b++], "="]);
      continue;
    }
    // Lines that were taken out stand beside those that came in their place.
    const next = runs[index + 1];
    const both = sign === "-" && next && next[0] === "+";
    const [out, into] = both ? [count, next[1]] : sign === "-" ? [count, 0] : [0, count];
    if (both) index++;
    for (let i = 0; i < Math.max(out, into); i++) {
      const left = i < out ? { ...base[a++], mark: "del", sign: "-" } : null;
      const right = i < into ? { ...changed[b++], mark: "ins", sign: "+" } : null;
      made.push([left, right, "!"]);
    }
  }
  return made.map(([left, right, sign]) => (sign === "=" ? [{ ...left, sign: " " }, { ...right, sign: " " }, sign] : [left, right, sign]));
}

/** Pairs with long runs of equal ones folded; `opened` are those that were opened, by their first pair. */
function folded(all, opened, open) {
  const made = [];
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end][2] === "=") end++;
    if (end === at) {
      made.push(all[at++]);
      continue;
    }
    const [before, after] = [at === 0 ? 0 : CONTEXT, end === all.length ? 0 : CONTEXT];
    const hidden = end - at - before - after;
    if (hidden < 4 || opened.has(at)) {
      made.push(...all.slice(at, end));
    } else {
      const key = at;
      const gap = { gap: true, text: "⋯ " + number(hidden) + " equal lines", open: () => open(key) };
      made.push(...all.slice(at, at + before), [gap, gap, "g"], ...all.slice(end - after, end));
    }
    at = end;
  }
  return made;
}

/** One list from pairs, for narrow screens: first what went, then what came. */
function unified(all) {
  const made = [];
  let waiting = [];
  for (const [left, right, sign] of all) {
    if (sign === "!") {
      if (left) made.push(left);
      if (right) waiting.push(right);
      continue;
    }
    made.push(...waiting, right);
    waiting = [];
  }
  return [...made, ...waiting];
}

const view = {
  show(root, row) {
    shownLines = [];
    pointed.pinned = false;
    point(null);
    root.replaceChildren(...this.parts(row).filter(Boolean));
    for (const lines of shownLines) lines.fit();
  },

  texts(row) {
    const holder = document.getElementById("t" + row.id);
    if (!holder) return null;
    const texts = JSON.parse(holder.textContent);
    if (texts.same) texts.a = texts.b;
    return texts;
  },

  parts(row) {
    const texts = this.texts(row);
    const errors = [row.ea && isDiff && "base: " + row.ea, row.eb && (isDiff ? "new: " : "") + row.eb].filter(Boolean);
    const failures = errors.map((text) => element("div", { class: "failure" }, text));
    const start = [this.crumbs(row), this.measures(row), ...failures];
    if (!texts) return [...start, element("p", { class: "empty" }, "The listings of this function are not in this page. " + (data.left_out || ""))];
    const canDiff = isDiff && texts.a && texts.b && !texts.same;
    const chosen = state.now.view === "code" || !canDiff ? "code" : "diff";
    const kinds = Object.keys(KINDS).filter((kind) => [texts.a, texts.b].some((side) => side && side[kind] && side[kind].length));
    const tools = [canDiff && choice("View", [["diff", "Differences"], ["code", "Side by side"]], chosen, (value) => state.change({ view: value }))];
    if (chosen === "diff") {
      const first = kinds.find((kind) => texts.runs[kind] && texts.runs[kind].some(([sign]) => sign !== "=")) || kinds[0];
      const shown = kinds.includes(state.now.kinds) ? state.now.kinds : first;
      tools.push(choice("Listing", kinds.map((kind) => [kind, KINDS[kind]]), shown, (value) => state.change({ kinds: value })));
      return [...start, element("div", { class: "tools" }, ...tools.filter(Boolean)), this.differences(texts, shown)];
    }
    const sides = ["a", "b"].filter((side) => texts[side] && (side === "b" || !texts.same));
    const side = sides.includes(state.now.side) ? state.now.side : sides[sides.length - 1];
    if (sides.length > 1) tools.push(choice("Side", [["a", "Base"], ["b", "New"]], side, (value) => state.change({ side: value })));
    return [...start, element("div", { class: "tools" }, ...tools.filter(Boolean)), this.code(texts, side)];
  },

  crumbs(row) {
    const rows = table.rows.length ? table.rows : data.rows;
    const at = rows.indexOf(row);
    const step = (to, text) => to && element("a", { href: state.address({ fn: String(to.id) }) }, text);
    return element(
      "div",
      { class: "crumbs" },
      element("a", { class: "back", href: state.address({ fn: "" }) }, "← All functions"),
      element("h2", {}, row.fn),
      element("span", { class: "muted" }, row.was ? row.file + ", was " + row.was : row.file),
      element("span", { class: "badge " + row.state }, STATES[row.state] || row.state),
      element("span", { class: "space" }),
      step(at > 0 && rows[at - 1], "previous"),
      step(at >= 0 && rows[at + 1], "next"),
    );
  },

  measures(row) {
    const known = (value) => value !== null && value !== undefined;
    const made = data.measures.map((measure, index) => {
      const [a, b] = [row.a && row.a[index], row.b && row.b[index]];
      if (!known(a) && !known(b)) return null;
      const change = known(a) && known(b) && a !== b;
      return element(
        "li",
        { title: measure.about },
        element("span", { class: "muted" }, measure.name + " "),
        change ? number(a) + " → " : null,
        element("b", { class: change ? direction(b - a) : "" }, number(known(b) ? b : a)),
        change ? element("span", { class: direction(b - a) }, " " + percentText(a, b)) : null,
      );
    });
    return element("ul", { class: "measures" }, ...made);
  },

  pane(title, count, ...content) {
    const heading = element("h3", {}, title, element("span", { class: "muted" }, count));
    return element("section", { class: "pane", "aria-label": title }, heading, ...content);
  },

  /** Source, BPF, CLIF and assembly of one side. */
  code(texts, side) {
    const of = texts[side];
    const marks = this.marks(texts, side);
    const make = (title, list) => {
      const lines = new Lines(list);
      shownLines.push(lines);
      return this.pane(title, number(list.length), lines.root);
    };
    const panes = [];
    if (of.sources.length) panes.push(make("Source", sourceItems(of, side)));
    for (const kind of ["bpf", "clif", "asm"]) {
      if (!of[kind] || !of[kind].length) continue;
      const list = items(of, kind, side).map((item, index) => ({ ...item, note: "", mark: marks[kind] && marks[kind][index] }));
      panes.push(make(KINDS[kind], list));
    }
    return element("div", { class: "panes many" }, ...panes);
  },

  /** For each listing, which of its lines the other side does not have. */
  marks(texts, side) {
    const made = {};
    for (const [kind, runs] of Object.entries(texts.runs || {})) {
      const [own, mark] = side === "a" ? ["-", "del"] : ["+", "ins"];
      made[kind] = runs.flatMap(([sign, count]) => (sign === "=" ? Array(count).fill("") : sign === own ? Array(count).fill(mark) : []));
    }
    return made;
  },

  differences(texts, kind) {
    const all = pairs(items(texts.a, kind, "a"), items(texts.b, kind, "b"), texts.runs[kind] || []);
    const opened = new Set();
    const isNarrow = innerWidth < 900;
    const count = all.filter((pair) => pair[2] === "!").length;
    const title = KINDS[kind] + (isNarrow ? "" : ": base | new");
    const lists = () => {
      const shown = folded(all, opened, (key) => {
        opened.add(key);
        lists().forEach((list, index) => {
          made[index].items = list;
          made[index].resize();
        });
      });
      return isNarrow ? [unified(shown)] : [shown.map((pair) => pair[0]), shown.map((pair) => pair[1])];
    };
    const made = lists().map((list) => new Lines(list));
    shownLines.push(...made);
    if (made.length > 1) {
      made[0].twins = [made[1]];
      made[1].twins = [made[0]];
    }
    const halves = element("div", { class: "halves" }, ...made.map((lines) => lines.root));
    return element("div", { class: "panes" }, this.pane(title, number(count) + " lines differ", halves));
  },
};
