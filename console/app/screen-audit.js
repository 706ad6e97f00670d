/* Who did what, and who looked at what. */

import { when } from "./bits.js";
import { h, all } from "./dom.js";
import { find, finder, paged, table } from "./table.js";
import { clean, count, plain } from "./words.js";

export const title = "Audit";

const SPANS = [["2h", "2 hours"], ["1d", "A day"], ["7d", "A week"], ["30d", "30 days"]];

export const load = (page, read) => read(`/v1/audit?since=${encodeURIComponent(page.args[0] ?? "1d")}`);

const LOOKS = new Set(["list", "show", "content", "incidents", "lists", "limits show", "limits top", "explain", "report", "audit", "connect"]);

export function render({ audit }, page) {
  const { state, redraw } = page;
  const chosen = page.args[0] ?? "1d";
  const newest = [...audit].reverse().filter((e) => state.looks || !LOOKS.has(e.action));
  const found = find(newest, state.typed ?? "", (e) => [e.user, e.action, e.target, e.purpose, e.result, ...(e.ids ?? []), ...(e.failed ?? [])]);
  const { shown, pager } = paged(found, state, redraw);
  return all(
    h("div", { class: "head" }, h("h1", {}, title),
      h("nav", { class: "tabs", "aria-label": "How long" }, SPANS.map(([span, text]) =>
        h("a", { href: `#/audit/${span}`, "aria-current": span === chosen ? "page" : null }, text)))),
    h("div", { class: "bar" }, finder(state, redraw, "Find by person, action, id or purpose"),
      h("button", { "aria-pressed": String(Boolean(state.looks)), onclick: () => { state.looks = !state.looks; redraw(); } }, "With looks"),
      h("p", { class: "muted" }, count(found.length, "entry", "entries"))),
    table([
      { name: "When", cell: (e) => when(e.at) },
      { name: "Who", cell: (e) => all(h("strong", {}, clean(e.user)), e.relay ? h("span", { class: "muted" }, ` at ${clean(e.relay)}`) : null) },
      { name: "Did", cell: (e) => e.action },
      { name: "To what", kind: "wide", cell: (e) => h("span", { class: "name" }, clean(e.target), e.ids ? ` (${count(e.ids.length, "message")})` : "") },
      { name: "Purpose", kind: "wide", cell: (e) => plain(e.purpose ?? "") },
      { name: "Result", kind: "wide", cell: (e) => h("span", { class: /^ok/.test(e.result) ? null : "accent" }, plain(e.result)) },
    ], shown, { key: (e) => `${e.at_ms} ${e.user} ${e.action} ${e.target} ${e.result}`, caption: "Audit", empty: audit.length === 0 ? "Nothing is written down." : "None fits." }),
    pager);
}
