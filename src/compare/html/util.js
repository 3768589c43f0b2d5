// What the other parts use: elements, numbers, and the state, which is in the address behind `#`.

const data = JSON.parse(document.getElementById("data").textContent);
const isDiff = data.sides.length === 2;

/** An element with attributes, listeners (`onclick`) and children. Text goes in as text, never as HTML. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US"));
const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + number(Math.abs(value));

/** The change from one number to another, in percent; null where there is none to speak of. */
function percent(from, to) {
  if (from === to) return 0;
  return from ? (100 * (to - from)) / from : null;
}

function percentText(from, to) {
  const value = percent(from, to);
  if (value === null) return "new";
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(digits) + "%";
}

const direction = (difference) => (difference > 0 ? "worse" : difference < 0 ? "better" : "muted");

/** Buttons of which one is chosen. */
function choice(label, options, chosen, choose) {
  const buttons = options.map(([value, text, count]) =>
    element(
      "button",
      { type: "button", "aria-pressed": String(value === chosen), "data-value": value, onclick: () => choose(value) },
      text,
      count === undefined ? null : element("small", {}, number(count)),
    ),
  );
  return element("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

const state = {
  defaults: { sort: "", by: isDiff ? "diff" : "b", dir: "desc", show: "", find: "", columns: "", fn: "", view: "", kinds: "", side: "" },
  now: {},
  read() {
    this.now = { ...this.defaults, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
  },
  address(changes) {
    const all = { ...this.now, ...changes };
    const kept = Object.entries(all).filter(([key, value]) => key in this.defaults && value !== this.defaults[key]);
    return "#" + new URLSearchParams(kept);
  },
  /** Changes the state and shows it. Opening and closing a function is a step that "back" undoes. */
  change(changes, isStep) {
    const address = this.address(changes);
    if (isStep) {
      location.hash = address;
    } else {
      history.replaceState(null, "", address);
      show();
    }
  },
};
