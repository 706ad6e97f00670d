/* Tables that become cards on a phone; found by what is typed, fifty rows at a time. */

import { all, h } from "./dom.js";
import { number } from "./words.js";

export const PAGE = 50;

/* What a table shows of an item. kind "n": a number, "wide": it takes what room is left, and
 * has a line of its own on a phone, "time", "short", "measure", "act", "box": as wide as their kind. */
export const column = (name, cell, kind = null) => ({ name, cell, kind });

/* key(item) names a row. */
export function table(columns, items, { key, caption, empty }) {
  if (items.length === 0) return h("p", { class: "empty" }, empty);
  return h(
    "table",
    { class: "steady", role: "table" } /* a phone shows it as cards, and it stays a table */,
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        columns.map((c) => h("th", { scope: "col", role: "columnheader", class: c.kind }, c.name)),
      ),
    ),
    h(
      "tbody",
      { role: "rowgroup" },
      items.map((item) =>
        h(
          "tr",
          { key: key(item), role: "row" },
          columns.map((c) =>
            h(
              "td",
              { role: "cell", class: c.kind, "data-name": typeof c.name === "string" ? c.name : null },
              c.cell(item),
            ),
          ),
        ),
      ),
    ),
  );
}

/* What is typed finds all items that have each of its words in one of their texts. */
export function find(items, typed, texts) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return items;
  return items.filter((item) => {
    const text = texts(item).join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/* A field that finds, for a screen's state {typed, page}; changed() shows the result. */
export function finder(state, changed, label) {
  return h(
    "label",
    { class: "finder" },
    h("span", { class: "unseen" }, label),
    h("input", {
      type: "search",
      value: state.typed ?? "",
      placeholder: label,
      autocomplete: "off",
      spellcheck: "false",
      maxlength: "100",
      oninput: (event) => {
        state.typed = event.target.value;
        state.page = 0;
        changed();
      },
    }),
  );
}

/* Turns the pages of so many items, of which state.page is shown; null for one page. */
export function pager(state, total, changed) {
  const pages = Math.max(1, Math.ceil(total / PAGE));
  state.page = Math.min(state.page ?? 0, pages - 1);
  if (pages === 1) return null;
  const first = state.page * PAGE;
  const turn = (by) => () => {
    state.page += by;
    changed();
  };
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    h("button", { disabled: state.page === 0, onclick: turn(-1) }, "Previous"),
    h("span", {}, `${number(first + 1)}–${number(Math.min(first + PAGE, total))} of ${number(total)}`),
    h("button", { disabled: state.page === pages - 1, onclick: turn(1) }, "Next"),
  );
}

/* The items of the page that is shown, and what turns it. */
export function paged(items, state, redraw) {
  const turner = pager(state, items.length, redraw);
  const first = state.page * PAGE;
  return { shown: items.slice(first, first + PAGE), pager: turner };
}

/* Names and values, one a line; without a value there is no line. */
export function facts(...pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "")
      .map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))),
  );
}

/* A part of a screen that could not be read says so in its place. */
export function orFailure({ data, error }, show) {
  if (error) return h("p", { class: "problem" }, error.message);
  return data === null ? null : all(show(data));
}
