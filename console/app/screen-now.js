/* Is anything wrong, right now? */

import { part } from "./api.js";
import { addressed, button, muted, problem, section, strong, when, who } from "./widgets.js";
import { bars } from "./chart.js";
import { setBrake } from "./actions-brake.js";
import { all, h } from "./dom.js";
import { column, facts, orFailure, table } from "./table.js";
import {
  ago,
  at,
  clean,
  copies,
  count,
  key,
  messages,
  number,
  people,
  plain,
  span,
  stopped,
} from "./words.js";

export const title = "Now";
export const moves = true; /* read again from time to time */

export async function load(_, read) {
  const [status, top, brakes, permits] = await Promise.all(
    ["/v1/status", "/v1/top", "/v1/brakes", "/v1/permits"].map((path) => part(read(path))),
  );
  return { status, top, brakes, permits };
}

/* What somebody must know, the worst first. */
function warnings(status) {
  const { store, lists, reload_failed: failed, restart, mode } = status;
  return [
    mode === "monitor" ? "Mode monitor: nothing is stopped, what would have been is counted." : null,
    store.problem ? `What is held is not known: ${plain(store.problem)}` : null,
    failed
      ? `The reload at ${at(failed.at)} failed, the rules from before are in force: ${plain(failed.errors[0]?.text ?? "")}`
      : null,
    status.host_shared ? "Another relay with the same store has the same name: give each its own." : null,
    ...(status.relays ?? [])
      .filter((r) => !r.answers)
      .map((r) => `The relay ${clean(r.host)} does not answer.`),
    lists.unknown > 0
      ? `${count(lists.unknown, "list")} can't be read: ${plain(lists.unread[0] ?? "")}`
      : null,
    lists.stale > 0
      ? `${count(lists.stale, "list")} could not be read lately: ${lists.stale === 1 ? "its" : "their"} last known members count.`
      : null,
    restart.length > 0 ? `Takes effect at the next restart: ${restart.join(", ")}` : null,
  ].filter(Boolean);
}

function headline(status) {
  const { holds, incidents } = status;
  if (holds === null) return "What is held is not known.";
  if (incidents === 0 && holds === 0) return "Nothing is stopped.";
  const open = incidents > 0 ? `${count(incidents, "incident")} open` : "No incident is open";
  return `${open}, ${holds > 0 ? `${messages(holds)} ${holds === 1 ? "waits" : "wait"} for a decision` : "no message waits"}.`;
}

function relay(status) {
  const { accept, reject, defer, quarantine, tempfail } = status.verdicts;
  const would = Object.values(status.would).reduce((sum, n) => sum + n, 0);
  const relays = status.relays
    ?.map((r) => `${clean(r.host)}${r.answers ? "" : " (does not answer)"}`)
    .sort()
    .join(", ");
  return h(
    "div",
    { class: "columns" },
    facts(
      ["Mode", status.mode],
      ["Store", `${status.store.type}, ${status.store.state === "ok" ? "answers" : "does not answer"}`],
      ["Relays", relays ?? "not known"],
      ["Version", `${status.version}, started ${span(status.uptime_s)} ago`],
    ),
    facts(
      ["Accepted", number(accept)],
      ["Held", number(quarantine)],
      ["Refused", number(reject)],
      ["Deferred", number(defer + tempfail)],
      would > 0 ? ["Would have been stopped", number(would)] : null,
    ),
  );
}

const placed = (hosts) =>
  hosts.length > 3 ? `on all ${hosts.length} relays` : `on ${hosts.map(clean).sort().join(", ")}`;

function charts({ relays, by_minute: minutes }) {
  if (!minutes || minutes.length === 0) return null;
  const [first, last] = [minutes[0], minutes.at(-1)];
  const times = { from: at(first.at), to: at(last.at) };
  const chart = (title, all_, stopped_, name) => {
    const total = minutes.reduce((sum, m) => sum + m[all_], 0);
    const held = minutes.reduce((sum, m) => sum + m[stopped_], 0);
    return bars(
      minutes.map((m) => ({
        passed: m[all_] - m[stopped_],
        stopped: m[stopped_],
        label: `${at(m.at)}: ${name(m[all_])}, ${number(m[stopped_])} stopped`,
      })),
      { title, summary: `${name(total)} in the last hour, ${number(held)} of them stopped`, ...times },
    );
  };
  return h(
    "section",
    { class: "charts" },
    chart(`Messages per minute ${placed(relays)}`, "messages", "stopped", messages),
    chart(`Copies per minute ${placed(relays)}`, "copies", "stopped_copies", copies),
  );
}

const columns = [
  column("Who", (i) => h("a", { href: `#/incident/${i.id}` }, who(i)), "wide"),
  column("To", (i) => addressed(i, 1) ?? "–", "wide"),
  column("Reach", (i) => number(i.reach), "n"),
  column("Stopped", stopped),
  column("Rule", (i) => clean(i.rule)),
  column("Last", (i) => when(i.last_at, ago(i.last_at)), "time"),
];

const incidentTable = (items, caption, empty) => table(columns, items, { key: (i) => i.id, caption, empty });

/* What somebody must decide, and then what was stopped lately without that. */
function openIncidents({ incidents, to_decide: waiting }) {
  if (incidents === null) return problem("What is stopped is not known while the store does not answer.");
  const others = incidents.filter((i) => i.waiting === 0).reverse();
  return all(
    section(
      h("a", { href: "#/incidents" }, "To decide"),
      incidentTable(waiting, "Incidents to decide", "Nothing waits for a decision."),
    ),
    others.length === 0
      ? null
      : section(
          h("a", { href: "#/incidents" }, "Recently stopped, nothing to decide"),
          incidentTable(others, "Other open incidents", ""),
        ),
  );
}

const busiest = (page) => (top) =>
  table(
    [
      column(
        "Sender",
        (s) => {
          const k = key(s.key);
          return all(k.value, " ", muted(k.kind));
        },
        "wide",
      ),
      column("Messages", (s) => number(s.messages), "n"),
      column("Copies", (s) => number(s.copies), "n"),
      column("Stopped", (s) => (s.stopped ? h("strong", { class: "accent" }, number(s.stopped)) : "0"), "n"),
      page.can("brake")
        ? column(
            "",
            (s) =>
              h(
                "button",
                { "aria-label": `Brake ${clean(s.key)}`, onclick: () => setBrake(page, s.key) },
                "Brake…",
              ),
            "act",
          )
        : null,
    ].filter(Boolean),
    top.senders.slice(0, 8),
    { key: (s) => s.key, caption: "Largest senders", empty: "No mail." },
  );

const brakeLine = (b) =>
  h(
    "li",
    { key: b.key },
    strong(key(b.key).value),
    ` ${b.until ? `until ${at(b.until)}` : "until it is cleared"}, by ${plain(b.by)}`,
    b.reason ? muted(` – ${plain(b.reason)}`) : null,
  );
const permitLine = (p) =>
  h(
    "li",
    { key: p.id },
    strong(key(p.key).value),
    ` ${number(p.left)} of ${copies(p.copies)}, ${p.state === "scheduled" ? `from ${at(p.from)}` : `until ${at(p.until)}`}`,
  );

const short = (items, line, none) =>
  items.length === 0
    ? h("p", { class: "empty" }, none)
    : h(
        "ul",
        { class: "lines" },
        items.slice(0, 5).map(line),
        items.length > 5 ? h("li", { key: "more" }, `and ${items.length - 5} more`) : null,
      );

function grown({ lists }) {
  if (lists.jumped.length === 0) return null;
  return section(
    h("a", { href: "#/lists" }, "Lists that jumped"),
    h(
      "ul",
      { class: "lines" },
      lists.jumped.map((l) =>
        h(
          "li",
          { key: l.address },
          strong(clean(l.address)),
          ` ${l.state}: ${number(l.was)} → ${people(l.size)}`,
        ),
      ),
    ),
  );
}

export function render({ status, top, brakes, permits }, page) {
  return all(
    h(
      "div",
      { class: "head" },
      h("h1", { "aria-live": "polite" }, status.data ? headline(status.data) : "Now"),
      button(page.can("brake"), "Brake or pull back…", () => setBrake(page)),
      button(page.can("brake"), "Brake everything…", () => setBrake(page, "all"), { class: "danger" }),
    ),
    orFailure(status, (data) => warnings(data).map((text) => problem(text))),
    orFailure(top, openIncidents),
    orFailure(top, charts),
    h(
      "div",
      { class: "columns" },
      section(
        h("a", { href: "#/brakes" }, "Brakes"),
        orFailure(brakes, (data) => short(data.brakes, brakeLine, "No brake is set.")),
      ),
      section(
        h("a", { href: "#/brakes" }, "Permits"),
        orFailure(permits, (data) => short(data.permits, permitLine, "No permit is set.")),
      ),
      status.data ? grown(status.data) : null,
    ),
    h(
      "section",
      {},
      h(
        "h2",
        {},
        `Who sends most, last ${top.data?.minutes ?? 10} minutes`,
        muted(top.data ? ` on ${clean(top.data.host)}` : ""),
      ),
      orFailure(top, busiest(page)),
    ),
    status.data ? section(`${clean(status.data.host)} since its start`, relay(status.data)) : null,
  );
}
