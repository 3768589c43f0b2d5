// A scrolling list of lines of code. Only those in sight are elements, so functions may have any number of them.
//
// An item is { text, kind, n, bpf, src, side, mark, sign, note } or { gap, open }, or null where a side has no line.

const LINE = 20;
/** The line that is pointed at: its side, its BPF instruction, its source line. */
const pointed = { side: "", bpf: null, src: null, pinned: false };
let shownLines = [];

/** What is emphasised: by kind, what comes before the word, the word, what comes after it. */
const WORD = {
  asm: /^()((?:lock |rep\w* )?[\w.]+)(.*)$/s,
  clif: /^((?:v\d+(?:, v\d+)* = )?)([a-z][\w.]*)((?![\w ]* [-=]).*)$/s,
  bpf: /^((?:[rw]\d+ = )?)(call|callx|if|goto|gotol|gotox|exit|lock|may_goto)\b(.*)$/s,
};

function styled(text, kind) {
  if (!kind) return [text];
  const [, indent, code] = /^(\s*)(.*)$/s.exec(text);
  const comment = /((^|\s);|\s\s<).*$/s.exec(code);
  const body = comment ? code.slice(0, comment.index) : code;
  const parts = [indent];
  const word = WORD[kind] && WORD[kind].exec(body);
  if (/^\S.*:$/s.test(body)) parts.push(element("span", { class: "label" }, body));
  else if (word) parts.push(word[1], element("span", { class: "m" }, word[2]), word[3]);
  else parts.push(body);
  if (comment) parts.push(element("span", { class: "c" }, code.slice(comment.index)));
  return parts;
}

class Lines {
  constructor(items) {
    this.items = items;
    this.height = 300;
    this.canvas = element("div", { class: "canvas" });
    this.root = element("div", { class: "lines", tabindex: "0" }, this.canvas);
    this.twins = [];
    this.rows = new Map();
    this.root.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.root.addEventListener("mouseover", (event) => !pointed.pinned && point(this.itemOf(event)));
    this.root.addEventListener("mouseleave", () => !pointed.pinned && point(null));
    this.root.addEventListener("click", (event) => this.clicked(event));
    this.resize();
  }

  /** Takes the height that it needs, but not more than is left of the window. */
  fit() {
    const top = this.root.getBoundingClientRect().top + scrollY;
    this.height = Math.min(Math.max(300, innerHeight - top - 40), this.items.length * LINE + 24);
    this.root.style.height = this.height + "px";
    this.draw();
  }

  resize() {
    const longest = this.items.reduce((most, item) => Math.max(most, item && item.text ? item.text.length + (item.note ? item.note.length + 4 : 0) : 0), 20);
    this.canvas.style.height = this.items.length * LINE + "px";
    this.canvas.style.width = longest + 12 + "ch";
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.draw();
  }

  itemOf(event) {
    const row = event.target.closest && event.target.closest(".l");
    return row ? this.items[Number(row.dataset.index)] : null;
  }

  clicked(event) {
    const item = this.itemOf(event);
    if (item && item.open) return item.open();
    if (String(getSelection())) return;
    const again = pointed.pinned && item && item.bpf === pointed.bpf && item.side === pointed.side;
    pointed.pinned = Boolean(item && !again && (item.bpf !== null || item.src));
    point(again ? null : item);
    if (pointed.pinned) for (const lines of shownLines) if (lines !== this) lines.reveal();
  }

  scrolled() {
    this.draw();
    for (const twin of this.twins) {
      if (twin.root.scrollTop !== this.root.scrollTop) twin.root.scrollTop = this.root.scrollTop;
      if (twin.root.scrollLeft !== this.root.scrollLeft) twin.root.scrollLeft = this.root.scrollLeft;
    }
  }

  draw() {
    const first = Math.max(0, Math.floor(this.root.scrollTop / LINE) - 10);
    const last = Math.min(this.items.length, Math.ceil((this.root.scrollTop + this.height) / LINE) + 10);
    for (const [index, row] of this.rows) {
      if (index < first || index >= last) {
        row.remove();
        this.rows.delete(index);
      }
    }
    for (let index = first; index < last; index++) {
      if (this.rows.has(index)) continue;
      const row = this.line(this.items[index], index);
      this.rows.set(index, row);
      this.canvas.append(row);
    }
    this.paint();
  }

  line(item, index) {
    const kind = !item ? "blank" : item.gap ? "gap" : item.mark || "";
    const row = element("div", { class: "l " + kind, "data-index": index });
    row.style.top = index * LINE + "px";
    if (item && item.gap) row.append(item.text);
    else if (item) {
      if (item.n !== undefined) row.append(element("span", { class: "n" }, item.n === null ? "" : String(item.n)));
      if (item.sign !== undefined) row.append(element("span", { class: "sign" }, item.sign));
      row.append(...styled(item.text, item.kind));
      if (item.note) row.append(element("span", { class: "src" }, "    " + item.note));
    }
    return row;
  }

  matches(item) {
    if (!item || item.gap) return "";
    if (item.bpf !== null && item.bpf !== undefined && item.bpf === pointed.bpf && item.side === pointed.side) return "hot";
    if (item.src && item.src === pointed.src) return item.bpf === null || item.bpf === undefined ? "hot" : "warm";
    return "";
  }

  paint() {
    for (const [index, row] of this.rows) {
      const match = this.matches(this.items[index]);
      row.classList.toggle("hot", match === "hot");
      row.classList.toggle("warm", match === "warm");
    }
  }

  /** Scrolls to the first line that belongs to the one that is pointed at. */
  reveal() {
    const find = (wanted) => this.items.findIndex((item) => this.matches(item) === wanted);
    const index = find("hot") >= 0 ? find("hot") : find("warm");
    if (index < 0) return;
    const top = index * LINE;
    const seen = top >= this.root.scrollTop && top + LINE <= this.root.scrollTop + this.height;
    if (!seen) this.root.scrollTop = top - this.height / 3;
  }
}

function point(item) {
  pointed.side = item ? item.side : "";
  pointed.bpf = item && item.bpf !== undefined ? item.bpf : null;
  pointed.src = item && item.src ? item.src : null;
  for (const lines of shownLines) lines.paint();
}
