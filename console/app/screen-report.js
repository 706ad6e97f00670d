/* The week: what was stopped, and what would have been, by rule and by day. */

import { head, hint, named, section, strong, tabs, who } from "./widgets.js";
import { bars } from "./chart.js";
import { all, h } from "./dom.js";
import { column, table } from "./table.js";
import { at, clean, dayOf, key, messages, number } from "./words.js";

export const title = "Report";
export const still = true; /* read when it is opened */

const SPANS = [
  ["1d", "A day"],
  ["7d", "A week"],
  ["30d", "30 days"],
];

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
  return h(
    "section",
    { class: "charts" },
    bars(
      days.map(([day, d]) => ({
        passed: d.would,
        stopped: d.stopped,
        label: `${name(day)}: ${number(d.stopped)} stopped, ${number(d.would)} would have been`,
      })),
      {
        title: "Messages stopped per day; in grey, what would have been",
        summary: `${messages(stopped)} stopped, ${number(would)} would have been`,
        from: name(days[0][0]),
        to: name(days.at(-1)[0]),
      },
    ),
  );
}

const stoppedOn = (d) => `${dayOf(`${d.day}T12:00:00Z`)}: ${number(total(d) + d.would)}`;

const RULES = [
  column("Rule", (r) => strong(clean(r.name))),
  column("Held", (r) => number(r.held), "n"),
  column("Refused", (r) => number(r.refused), "n"),
  column("Deferred", (r) => number(r.deferred), "n"),
  column("Would have been", (r) => number(r.would), "n"),
  column("Days", (r) => r.days.map(stoppedOn).join(", "), "wide"),
];

const INCIDENTS = [
  column("Who", (i) => h("a", { href: `#/incident/${i.id}` }, who(i)), "wide"),
  column("Rule", (i) => clean(i.rule)),
  column("Reach", (i) => number(i.reach), "n"),
  column("Stopped", (i) => number(total(i)), "n"),
  column("Copies", (i) => number(i.copies), "n"),
  column("Last", (i) => at(i.last_at)),
];

const KEYS = [
  column("Key", (s) => named(key(s.key).value), "wide"),
  column("Messages", (s) => number(s.messages), "n"),
  column("Copies", (s) => number(s.copies), "n"),
  column("Stopped", (s) => number(s.stopped), "n"),
];

const part = (caption, columns, items, name, empty = "None.") =>
  section(caption, table(columns, items ?? [], { key: name, caption, empty }));

export function render({ since, until, rules, senders, lists, clients, incidents }, page) {
  const byKey = (s) => s.key;
  return all(
    head(title, tabs("How long", "report", SPANS, page.args[0] ?? "7d")),
    hint(`From ${at(since)} to ${at(until)}, of all relays. Days are UTC days.`),
    chart(rules, since, until),
    part("By rule", RULES, rules, (r) => r.name, "Nothing was stopped."),
    part("Largest incidents", INCIDENTS, incidents, (i) => i.id),
    part("Largest senders", KEYS, senders, byKey),
    part("Largest lists", KEYS, lists, byKey),
    part("Largest clients", KEYS, clients, byKey),
  );
}
