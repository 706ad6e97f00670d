/* Tables that become cards on a phone; found by what is typed, fifty rows at a time. */

import { all, h } from "./dom.js";
import { number } from "./words.js";

const PAGE = 50;

/* What a table shows of an item. kind "n": a number, "wide": it takes what room is left, and
 * has a line of its own on a phone, "time", "short", "measure", "act", "box": as wide as their kind. */
export const column = (name, cell, kind = null) => ({ name, cell, kind });

/* key(item) names a row. */
export function table(columns, items, { key, caption, empty, row = () => ({}) }) {
  if (items.length === 0) return h("p", { class: "empty" }, empty);
  return h(
    "table",
    { class: "steady" },
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        columns.map((column) => h("th", { scope: "col", class: column.kind }, column.name)),
      ),
    ),
    h(
      "tbody",
      {},
      items.map((item) =>
        h(
          "tr",
          { key: key(item), ...row(item) },
          columns.map((column) =>
            h(
              "td",
              { class: column.kind, "data-name": typeof column.name === "string" ? column.name : null },
              column.cell(item),
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

/* A field that finds, for a screen's state {typed, page}. */
export function finder(state, redraw, label) {
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
      oninput: (event) => {
        state.typed = event.target.value;
        state.page = 0;
        redraw();
      },
    }),
  );
}

/* The items of the page that is shown, and what turns it. */
export function paged(items, state, redraw) {
  const pages = Math.max(1, Math.ceil(items.length / PAGE));
  state.page = Math.min(state.page ?? 0, pages - 1);
  const first = state.page * PAGE;
  const turn = (by) => () => {
    state.page += by;
    redraw();
  };
  const shown = items.slice(first, first + PAGE);
  const pager =
    pages === 1
      ? null
      : h(
          "nav",
          { class: "pager", "aria-label": "Pages" },
          h("button", { disabled: state.page === 0, onclick: turn(-1) }, "Previous"),
          h("span", {}, `${number(first + 1)}–${number(first + shown.length)} of ${number(items.length)}`),
          h("button", { disabled: state.page === pages - 1, onclick: turn(1) }, "Next"),
        );
  return { shown, pager };
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
