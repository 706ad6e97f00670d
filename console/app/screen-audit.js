/* Who did what, and who looked at what. */

import { head, hint, muted, named, strong, tabs, when } from "./widgets.js";
import { all, h } from "./dom.js";
import { column, find, finder, paged, table } from "./table.js";
import { clean, count, messages, plain } from "./words.js";

export const title = "Audit";

const SPANS = [
  ["2h", "2 hours"],
  ["1d", "A day"],
  ["7d", "A week"],
  ["30d", "30 days"],
];

export const load = (page, read) => read(`/v1/audit?since=${encodeURIComponent(page.args[0] ?? "1d")}`);

const LOOKS = new Set(
  "list,show,content,incidents,lists,limits show,limits top,explain,report,audit,connect".split(","),
);

const columns = [
  column("When", (e) => when(e.at)),
  column("Who", (e) => all(strong(clean(e.user)), e.relay ? muted(` at ${clean(e.relay)}`) : null)),
  column("Did", (e) => e.action),
  column("To what", (e) => named(clean(e.target), e.ids ? ` (${messages(e.ids.length)})` : ""), "wide"),
  column("Purpose", (e) => plain(e.purpose ?? ""), "wide"),
  column(
    "Result",
    (e) => h("span", { class: /^ok/.test(e.result) ? null : "accent" }, plain(e.result)),
    "wide",
  ),
];

const texts = (e) => [e.user, e.action, e.target, e.purpose, e.result, ...(e.ids ?? []), ...(e.failed ?? [])];

export function render({ audit }, page) {
  const { state, redraw } = page;
  const newest = [...audit].reverse().filter((e) => state.looks || !LOOKS.has(e.action));
  const found = find(newest, state.typed ?? "", texts);
  const { shown, pager } = paged(found, state, redraw);
  const turn = () => {
    state.looks = !state.looks;
    redraw();
  };
  return all(
    head(title, tabs("How long", "audit", SPANS, page.args[0] ?? "1d")),
    h(
      "div",
      { class: "bar" },
      finder(state, redraw, "Find by person, action, id or purpose"),
      h("button", { "aria-pressed": String(Boolean(state.looks)), onclick: turn }, "With looks"),
      hint(count(found.length, "entry", "entries")),
    ),
    table(columns, shown, {
      key: (e) => `${e.at_ms} ${e.user} ${e.action} ${e.target} ${e.result}`,
      caption: "Audit",
      empty: audit.length === 0 ? "Nothing is recorded." : "None matches.",
    }),
    pager,
  );
}
