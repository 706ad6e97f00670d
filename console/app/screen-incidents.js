/* All incidents, grouped by the rule that made them, the largest reach first. */

import { addressed, when, who } from "./bits.js";
import { h, all } from "./dom.js";
import { find, finder, paged, table } from "./table.js";
import { action, ago, clean, count, messages, number, people, plain, stopped } from "./words.js";

export const title = "Incidents";

const KINDS = [["open", "Open", ""], ["all", "All", "?all=1"], ["would", "Would have been", "?would=1"]];

export async function load(page, read) {
  const kind = page.args[0] ?? "open";
  const [, , query] = KINDS.find(([name]) => name === kind) ?? KINDS[0];
  const { incidents } = await read(`/v1/incidents${query}`);
  return { kind, incidents };
}

const largest = (incidents) => incidents.reduce((most, i) => Math.max(most, i.reach ?? 0), 0);
const sum = (incidents, name) => incidents.reduce((total, i) => total + (i[name] ?? 0), 0);

/* What is sorted: groups by their largest, and in them the largest first. */
function sorted(incidents) {
  const groups = new Map();
  for (const i of incidents) groups.set(i.rule, [...(groups.get(i.rule) ?? []), i]);
  return [...groups.entries()]
    .map(([rule, items]) => ({ rule, items: items.sort((a, b) => (b.reach ?? 0) - (a.reach ?? 0)) }))
    .sort((a, b) => largest(b.items) - largest(a.items));
}

const stateOf = (i) =>
  i.approved_by ? h("span", { class: "mark" }, `needs one more after ${plain(i.approved_by[0])}`)
    : i.waiting > 0 ? h("span", { class: "mark accent" }, `${number(i.waiting)} to decide`)
    : i.open ? h("span", { class: "mark" }, "open") : "over";

function columns(kind) {
  const would = kind === "would";
  return [
    { name: "Who", kind: "wide", cell: (i) => h("a", { href: `#/incident/${i.id}` }, who(i)) },
    { name: "To", kind: "wide", cell: (i) => addressed(i, 1) ?? "–" },
    { name: "Reach", kind: "n", cell: (i) => number(i.reach) },
    { name: would ? "Would" : "Stopped", cell: (i) => (would ? `${action(i.action)} ${messages(i.would)}` : stopped(i)) },
    would ? { name: "Copies", kind: "n", cell: (i) => number(i.copies) } : { name: "State", cell: stateOf },
    { name: "Last", kind: "short", cell: (i) => when(i.last_at, ago(i.last_at)) },
  ];
}

function group({ rule, items }, kind, ofAll) {
  const waiting = sum(ofAll, "waiting");
  return h("section", { key: rule },
    h("h2", {}, clean(rule),
      h("span", { class: "muted" }, ` ${count(ofAll.length, "incident")}, largest reach ${number(largest(ofAll))}${waiting > 0 ? `, ${messages(waiting)} to decide` : ""}`)),
    table(columns(kind), items, { key: (i) => i.id, caption: `Incidents of ${rule}`, empty: "" }));
}

const texts = (i) => [i.id, i.rule, i.key, i.identity, i.sender, ...(i.lists ?? []), ...(i.addressed ?? [])];
const NONE = { open: "No incident is open, and no message waits.", all: "There are no incidents.", would: "Nothing would have been stopped." };

export function render({ kind, incidents }, page) {
  const { state, redraw } = page;
  const groups = sorted(find(incidents, state.typed ?? "", texts));
  const flat = groups.flatMap(({ items }) => items);
  const { shown, pager } = paged(flat, state, redraw);
  const visible = new Set(shown);
  return all(
    h("div", { class: "head" }, h("h1", {}, title),
      h("nav", { class: "tabs", "aria-label": "Which incidents" }, KINDS.map(([name, text]) =>
        h("a", { href: `#/incidents/${name}`, "aria-current": name === kind ? "page" : null }, text)))),
    h("div", { class: "bar" }, finder(state, redraw, "Find by sender, list, rule or id"),
      h("p", { class: "muted" }, `${count(flat.length, "incident")}, ${people(largest(flat))} at most`)),
    kind === "would" ? h("p", { class: "muted" }, "Delivered; in mode enforce these would have been stopped.") : null,
    flat.length === 0 ? h("p", { class: "empty" }, incidents.length === 0 ? NONE[kind] ?? NONE.open : "None fits.") : null,
    groups.map(({ rule, items }) => ({ rule, items: items.filter((i) => visible.has(i)), ofAll: items }))
      .filter(({ items }) => items.length > 0)
      .map((g) => group(g, kind, g.ofAll)),
    pager);
}
