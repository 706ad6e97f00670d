/* The week: what was stopped, and what would have been, by rule and by day. */

import { bars } from "./chart.js";
import { who } from "./bits.js";
import { h, all } from "./dom.js";
import { table } from "./table.js";
import { at, clean, dayOf, key, messages, number } from "./words.js";

export const title = "Report";
export const still = true; /* read when it is opened */

const SPANS = [["1d", "A day"], ["7d", "A week"], ["30d", "30 days"]];

export const load = (page, read) => read(`/v1/report?since=${encodeURIComponent(page.args[0] ?? "7d")}`);

const total = (d) => d.held + d.refused + d.deferred;

/* Of all rules together, each day of the time once. */
function byDay(rules, since, until) {
  const days = new Map();
  for (let at = Date.parse(since); at <= Date.parse(until); at += 86400e3)
    days.set(new Date(at).toISOString().slice(0, 10), { stopped: 0, would: 0 });
  for (const rule of rules)
    for (const day of rule.days) {
      const sum = days.get(day.day) ?? { stopped: 0, would: 0 };
      days.set(day.day, { stopped: sum.stopped + total(day), would: sum.would + day.would });
    }
  return [...days.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
}

function chart(rules, since, until) {
  const days = byDay(rules, since, until);
  const name = (day) => dayOf(`${day}T12:00:00Z`);
  const stopped = days.reduce((sum, [, d]) => sum + d.stopped, 0);
  const would = days.reduce((sum, [, d]) => sum + d.would, 0);
  return h("section", { class: "charts" }, bars(
    days.map(([day, d]) => ({ passed: d.would, stopped: d.stopped, label: `${name(day)}: ${number(d.stopped)} stopped, ${number(d.would)} would have been` })),
    { title: "Messages stopped a day; in grey, what only would have been", summary: `${messages(stopped)} stopped, ${number(would)} would have been`,
      from: name(days[0][0]), to: name(days.at(-1)[0]) }));
}

const largest = (items, name, caption) => h("section", {}, h("h2", {}, caption), table([
  { name, kind: "wide", cell: (s) => h("span", { class: "name" }, key(s.key).value) },
  { name: "Messages", kind: "n", cell: (s) => number(s.messages) },
  { name: "Copies", kind: "n", cell: (s) => number(s.copies) },
  { name: "Stopped", kind: "n", cell: (s) => number(s.stopped) },
], items ?? [], { key: (s) => s.key, caption, empty: "None." }));

export function render({ since, until, rules, senders, lists, clients, incidents }, page) {
  const chosen = page.args[0] ?? "7d";
  return all(
    h("div", { class: "head" }, h("h1", {}, title),
      h("nav", { class: "tabs", "aria-label": "How long" }, SPANS.map(([span, text]) =>
        h("a", { href: `#/report/${span}`, "aria-current": span === chosen ? "page" : null }, text)))),
    h("p", { class: "muted" }, `From ${at(since)} to ${at(until)}, of all relays. Days are those of UTC.`),
    chart(rules, since, until),
    h("section", {}, h("h2", {}, "By rule"), table([
      { name: "Rule", cell: (r) => h("strong", {}, clean(r.name)) },
      { name: "Held", kind: "n", cell: (r) => number(r.held) },
      { name: "Refused", kind: "n", cell: (r) => number(r.refused) },
      { name: "Deferred", kind: "n", cell: (r) => number(r.deferred) },
      { name: "Would have been", kind: "n", cell: (r) => number(r.would) },
      { name: "Days", kind: "wide", cell: (r) => r.days.map((d) => `${dayOf(`${d.day}T12:00:00Z`)}: ${number(total(d) + d.would)}`).join(", ") },
    ], rules, { key: (r) => r.name, caption: "By rule", empty: "Nothing was stopped." })),
    h("section", {}, h("h2", {}, "Largest incidents"), table([
      { name: "Who", kind: "wide", cell: (i) => h("a", { href: `#/incident/${i.id}` }, who(i)) },
      { name: "Rule", cell: (i) => clean(i.rule) },
      { name: "Reach", kind: "n", cell: (i) => number(i.reach) },
      { name: "Stopped", kind: "n", cell: (i) => number(total(i)) },
      { name: "Copies", kind: "n", cell: (i) => number(i.copies) },
      { name: "Last", cell: (i) => at(i.last_at) },
    ], incidents, { key: (i) => i.id, caption: "Largest incidents", empty: "None." })),
    largest(senders, "Sender", "Largest senders"),
    largest(lists, "List", "Largest lists"),
    largest(clients, "Client", "Largest clients"));
}
