/* All incidents, grouped by the rule that made them, the largest reach first. */

import { addressed, head, hint, mark, muted, tabs, when, who } from "./widgets.js";
import { all, h } from "./dom.js";
import { column, find, finder, paged, table } from "./table.js";
import { action, ago, clean, count, messages, number, people, plain, stopped } from "./words.js";

export const title = "Incidents";

const KINDS = [
  ["open", "Open", ""],
  ["week", "Week", "?all=1&since=7d"],
  ["all", "All", "?all=1"],
  ["would", "Would have been", "?would=1"],
];

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
  i.approved_by
    ? mark(`needs one more after ${plain(i.approved_by[0])}`)
    : i.waiting > 0
      ? mark(`${number(i.waiting)} to decide`)
      : i.open
        ? mark("open", false)
        : "over";

function columns(kind) {
  const would = kind === "would";
  return [
    column("Who", (i) => h("a", { href: `#/incident/${i.id}` }, who(i)), "wide"),
    column("To", (i) => addressed(i, 1) ?? "–", "wide"),
    column("Reach", (i) => number(i.reach), "n"),
    column(would ? "Would" : "Stopped", (i) =>
      would ? `${action(i.action)} ${messages(i.would)}` : stopped(i),
    ),
    would ? column("Copies", (i) => number(i.copies), "n") : column("State", stateOf),
    column("Last", (i) => when(i.last_at, ago(i.last_at)), "time"),
  ];
}

function group({ rule, items }, kind, ofAll) {
  const waiting = sum(ofAll, "waiting");
  return h(
    "section",
    { key: rule },
    h(
      "h2",
      {},
      clean(rule),
      muted(
        ` ${count(ofAll.length, "incident")}, largest reach ${number(largest(ofAll))}${waiting > 0 ? `, ${messages(waiting)} to decide` : ""}`,
      ),
    ),
    table(columns(kind), items, { key: (i) => i.id, caption: `Incidents of ${rule}`, empty: "" }),
  );
}

const texts = (i) => [i.id, i.rule, i.key, i.identity, i.sender, ...(i.lists ?? []), ...(i.addressed ?? [])];
const NONE = {
  open: "No incident is open, and no message waits.",
  week: "There were no incidents in the last seven days.",
  all: "There are no incidents.",
  would: "Nothing would have been stopped.",
};

export function render({ kind, incidents }, page) {
  const { state, redraw } = page;
  const groups = sorted(find(incidents, state.typed ?? "", texts));
  const flat = groups.flatMap(({ items }) => items);
  const { shown, pager } = paged(flat, state, redraw);
  const visible = new Set(shown);
  return all(
    head(title, tabs("Which incidents", "incidents", KINDS, kind)),
    h(
      "div",
      { class: "bar" },
      finder(state, redraw, "Find by sender, list, rule or id"),
      hint(`${count(flat.length, "incident")}, ${people(largest(flat))} at most`),
    ),
    kind === "would" ? hint("Delivered; in mode enforce these would have been stopped.") : null,
    flat.length === 0
      ? h("p", { class: "empty" }, incidents.length === 0 ? (NONE[kind] ?? NONE.open) : "None fits.")
      : null,
    groups
      .map(({ rule, items }) => ({ rule, items: items.filter((i) => visible.has(i)), ofAll: items }))
      .filter(({ items }) => items.length > 0)
      .map((g) => group(g, kind, g.ofAll)),
    pager,
  );
}
