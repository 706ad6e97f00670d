/* One incident, to be understood in ten seconds: who, what, how many, how much went out
 * before, why, what is held, what a release does. */

import { part, path } from "./api.js";
import {
  addressed,
  button,
  hint,
  isOfOne,
  mark,
  muted,
  named,
  problem,
  section,
  strong,
  when,
  who,
} from "./widgets.js";
import { moments } from "./chart.js";
import { clearBrake, setBrake } from "./actions-brake.js";
import {
  allow,
  change,
  close,
  details,
  refuse,
  release,
  remove,
  review,
  stopPace,
} from "./actions-incident.js";
import { all, h } from "./dom.js";
import { column, facts, find, finder, orFailure, paged, table } from "./table.js";
import {
  action,
  ago,
  at,
  atSecond,
  clean,
  copies,
  count,
  key,
  messages,
  number,
  people,
  plain,
  state as stateOf,
  stopped,
} from "./words.js";

export const title = "Incident";

export async function load(page, read) {
  const id = path(page.args[0] ?? "");
  const incident = await read(`/v1/incidents/${id}`);
  const since = new Date(incident.opened_at).getTime();
  const [holds, audit, releasing] = await Promise.all([
    part(read(`/v1/holds?incident=${id}&all=1`)),
    part(read(`/v1/audit?since=${since}`)),
    incident.holds.length > 0 ? reviewed(page, incident, read) : { data: null },
  ]);
  return { incident, holds, audit, releasing };
}

/* Counted again when other messages wait, or after a while: lists are read for it. */
const REVIEW_MS = 30000;

async function reviewed(page, incident, read) {
  const ids = incident.holds.map((x) => x.id);
  const { review: last } = page.state;
  const same = last && last.ids === ids.join() && Date.now() - last.at < REVIEW_MS;
  if (!same) page.state.review = { ids: ids.join(), at: Date.now(), found: await review(ids, read) };
  return page.state.review.found;
}

/* ---- the answer to each question ---- */

/* "1 released, 14 refused" */
function ends(holds) {
  const counts = new Map();
  for (const { state } of holds) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([name, n]) => `${number(n)} ${stateOf(name)}`).join(", ");
}

function what(incident, holds) {
  const { held, refused, deferred, waiting, would } = incident;
  const one = (n) => (n === 1 ? ["is", "waits", "was"] : ["are", "wait", "were"]);
  const parts = [];
  if (waiting > 0)
    parts.push([messages(waiting), `${one(waiting)[0]} held and ${one(waiting)[1]} for your decision`]);
  else if (held > 0)
    parts.push([
      messages(held),
      `${one(held)[2]} held${holds ? `: ${ends(holds)}` : ", none waits any more"}`,
    ]);
  if (refused > 0) parts.push([messages(refused), `${one(refused)[2]} refused`]);
  if (deferred > 0)
    parts.push([parts.length > 0 ? "mail" : "Mail", `was deferred ${count(deferred, "time")}`]);
  if (would > 0)
    parts.push([
      messages(would),
      `would have been stopped (${action(incident.action)}), and ${one(would)[2]} delivered`,
    ]);
  const to = addressed(incident, 1);
  return h(
    "p",
    { class: "lead" },
    parts.map(([n, did], i) => [
      i > 0 ? "; " : "",
      strong(n),
      i === 0 && to ? all(" to ", to) : "",
      ` ${did}`,
    ]),
    ".",
  );
}

/* What stopped it when no rule did; with the numbers that the notice has. */
const NO_RULE = {
  brake: (limit) => `Stopped by ${limit || "a brake"}.`,
  lists_grown: (limit) => `Sent to ${limit || "a list that had grown"}. Its new size is not accepted.`,
  lists_unknown: () => "Sent to a list that could not be read, so that its size is not known.",
  on_failure: () => "The store did not answer.",
  doubt: () => "The message could not be judged.",
};

function ruleWords({ rule, limit, before, key: text }) {
  const said = clean(limit ?? "").replace(/^none: /, "");
  if (NO_RULE[rule]) return NO_RULE[rule](said);
  const whose = /^(thread|campaign|topic|list):/.test(text) ? ` for this ${key(text).kind}` : "";
  const out = before === null ? "." : `; ${number(before)} had gone out.`;
  return all("Rule ", strong(clean(rule)), said ? `: ${said}${whose}` : "", out);
}

function why(incident) {
  const { permit } = incident;
  return all(
    ruleWords(incident),
    permit
      ? ` The permit ${clean(permit.id)} had too little left: ${number(permit.left)} of ${copies(permit.copies)}.`
      : null,
  );
}

const unit = ({ limit }) => (/ messages per /.test(limit ?? "") ? messages : copies);

/* Of a thread, a list or a campaign there are several; refused mail is not kept by sender. */
function senders(incident, holds) {
  const name = (identity) => named(clean(identity));
  if (isOfOne(incident.key)) return name(incident.identity);
  const names = [...new Set([incident.identity, ...holds.map((x) => x.identity)])];
  const more = names.length > 3 ? ` and ${number(names.length - 3)} more` : "";
  return all(
    names.slice(0, 3).map((identity, i) => [i > 0 ? ", " : "", name(identity)]),
    more,
    incident.refused + incident.deferred > 0 ? " and possibly others" : "",
  );
}

/* Where to look on: what would happen to such a message now, and what is left of its limits. */
function elsewhere({ identity, sender, addressed: to, lists, key: subject }) {
  const login = /^login:/.test(identity) ? identity.slice(6) : "";
  const message = new URLSearchParams({ login, from: sender ?? "", to: (lists?.[0] ?? to?.[0]) || "" });
  return all(
    h("a", { href: `#/explain?${message}` }, "Explain such a message"),
    " · ",
    h("a", { href: `#/limits/${encodeURIComponent(subject || identity)}` }, "its limits"),
  );
}

function next(incident) {
  if (incident.expires_at)
    return all("Held mail is refused automatically from ", when(incident.expires_at), " on.");
  if (incident.deferred > 0) return "The senders' servers try again for some days.";
  if (incident.refused > 0) return "Nothing: it was refused, and its senders know from the reply.";
  return incident.would > 0 ? "Nothing: it was delivered." : "Nothing.";
}

function releasing(incident, { data, error }) {
  if (incident.waiting === 0) return null;
  if (error) return `How many people it reaches is not known: ${error.message}`;
  if (!data) return null;
  const rest = [
    data.changed ? ` They have changed since it was held: ${change(data)}.` : null,
    data.away ? ` ${clean(data.away)} does not answer: the people of its messages are not counted.` : null,
    data.administrators > 1 ? " Two administrators must release it." : null,
  ];
  return all(
    "Delivers ",
    messages(data.messages),
    " at once, to ",
    strong(people(data.reach)),
    " together.",
    rest,
  );
}

function figures(incident) {
  const one = (value, text, accent) =>
    h("div", { class: accent ? "figure accent" : "figure" }, strong(value), h("span", {}, text));
  const { reach, before, waiting } = incident;
  const would = incident.would > 0;
  const stop = incident.held + incident.refused + incident.deferred + incident.would;
  return h(
    "div",
    { class: "figures" },
    one(number(reach), reach === null ? "people: not known" : "people, largest message"),
    one(
      number(waiting > 0 ? waiting : stop),
      waiting > 0 ? "held, to decide" : would ? "messages, delivered" : "messages stopped",
      waiting > 0,
    ),
    one(number(incident.copies), would ? "copies" : "copies stopped"),
    one(
      before === null ? "–" : number(before),
      before === null
        ? "went out: not counted"
        : `${unit(incident)(before).replace(/^[\d,]+ /, "")} went out before`,
    ),
  );
}

/* ---- what can be done ---- */

function paceLine(page, incident) {
  const { pace } = incident;
  if (!pace) return null;
  return h(
    "div",
    { class: "notice" },
    h(
      "p",
      {},
      pace.stopped
        ? `The slow release has stopped: ${pace.stopped}. `
        : `Released slowly, ${pace.pace}, by ${plain(pace.by)}: `,
      `${number(pace.released)} of ${messages(pace.messages)}.`,
    ),
    button(page.can("decide") && !pace.stopped, "Stop it…", () => stopPace(page, incident)),
  );
}

function brakeButton(page, incident) {
  const braked = incident.rule === "brake";
  if (!page.can("brake") || !(isOfOne(incident.key) || /^(list:|all$)/.test(incident.key))) return null;
  return braked
    ? h(
        "button",
        { key: "clear", onclick: () => clearBrake(page, { key: incident.key }) },
        "Clear the brake…",
      )
    : h(
        "button",
        { key: "brake", onclick: () => setBrake(page, incident.key) },
        `Brake its ${key(incident.key).kind || "key"}…`,
      );
}

function buttons(page, incident, chosen) {
  const decides = page.can("decide");
  const some =
    chosen.length > 0
      ? ` ${number(chosen.length)} chosen`
      : incident.waiting > 1
        ? ` all ${number(incident.waiting)}`
        : "";
  const waits = incident.waiting > 0 && decides;
  const approved = incident.approved_by?.[0];
  /* By its key it never becomes another one under the pointer, or with the focus. */
  const one = (key, allowed, text, act) => button(allowed, text, act, { key });
  return h(
    "div",
    { class: "buttons", role: "group", "aria-label": "Decide" },
    approved
      ? h(
          "p",
          { class: "notice" },
          approved === page.user
            ? "You have released it; one more administrator must."
            : `${plain(approved)} has released it; one more must.`,
        )
      : null,
    one("release", waits, `Release${some}…`, () => release(page, incident, chosen)),
    one("refuse", waits, `Refuse${some}…`, () => refuse(page, incident, chosen)),
    one("delete", waits, `Delete${some}…`, () => remove(page, incident, chosen)),
    one("allow", decides && !NO_RULE[incident.rule], "Allow for a while…", () => allow(page, incident)),
    brakeButton(page, incident),
    incident.rule === "lists_grown" ? h("a", { class: "button", href: "#/lists" }, "See the list") : null,
    one("close", decides && incident.open, "Close…", () => close(page, incident)),
    decides || page.can("brake")
      ? null
      : hint("You can look; to decide, an account needs the role “decide”."),
  );
}

/* ---- how it went ---- */

function decisions(incident, { audit }, holds) {
  const ids = new Set(holds.map((x) => x.id));
  const about = (e) =>
    e.target === incident.id ||
    ids.has(e.target) ||
    (e.ids ?? []).some((id) => ids.has(id)) ||
    (e.action.startsWith("brake") && e.target === incident.key);
  return audit.filter((e) => about(e) && !["show", "list"].includes(e.action));
}

function timeline(incident, data) {
  const holds = data.holds.data?.holds ?? incident.holds;
  const done = data.audit.data ? decisions(incident, data.audit.data, holds) : [];
  const marks = [
    { at: Date.parse(incident.opened_at), kind: "opened", label: `Opened ${at(incident.opened_at)}` },
    ...holds.slice(-400).map((x) => ({
      at: Date.parse(x.held_at),
      kind: x.ended_at ? "ended" : "held",
      label: `${clean(x.identity)}, ${atSecond(x.held_at)}: ${stateOf(x.state)}`,
    })),
    { at: Date.parse(incident.last_at), kind: "opened", label: `Last ${at(incident.last_at)}` },
    ...done.map((e) => ({ at: e.at_ms, kind: "decided", label: `${plain(e.user)}: ${e.action}` })),
  ];
  return section(
    "How it went",
    moments(marks, {
      label: `From ${at(incident.opened_at)} to ${at(incident.last_at)}: ${stopped(incident)}, ${count(done.length, "decision")}`,
      from: at(incident.opened_at),
      to: at(new Date(Math.max(...marks.map((m) => m.at))).toISOString()),
    }),
    orFailure(data.audit, () => null),
    done.length === 0
      ? h("p", { class: "empty" }, "Nobody has decided anything yet.")
      : h(
          "ol",
          { class: "lines" },
          done
            .slice(-30)
            .map((e) =>
              h(
                "li",
                { key: `${e.at_ms}${e.action}${e.target}` },
                when(e.at, atSecond(e.at)),
                " ",
                strong(plain(e.user)),
                ` ${e.action}: ${plain(e.result)}`,
                e.purpose ? muted(` – ${plain(e.purpose)}`) : null,
              ),
            ),
        ),
  );
}

/* ---- its messages ---- */

const texts = (x) => [
  x.id,
  x.identity,
  x.sender,
  x.client,
  x.host,
  x.queue_id,
  ...(x.lists ?? []),
  ...(x.addressed ?? []),
];

/* A box to tick, for an action on some of them. */
function choice(page) {
  const { state, redraw } = page;
  const chosen = (state.chosen ??= new Set());
  const tick = (id, on) => {
    if (on) chosen.add(id);
    else chosen.delete(id);
    redraw();
  };
  const box = (x) =>
    h("input", {
      type: "checkbox",
      "aria-label": `Choose ${x.id} of ${clean(x.identity)}`,
      checked: chosen.has(x.id),
      onchange: (event) => tick(x.id, event.target.checked),
    });
  return column(h("span", { class: "unseen" }, "Choose"), (x) => (x.state === "held" ? box(x) : ""), "box");
}

function holdColumns(page, incident) {
  const open = (x) =>
    h("button", { class: "link", onclick: () => details(page, incident, x) }, named(key(x.identity).value));
  return [
    page.can("decide") ? choice(page) : null,
    column("From", open, "wide"),
    column("To", (x) => addressed(x, 1) ?? "not known", "wide"),
    column("Reach", (x) => number(x.reach), "n"),
    column("State", (x) => (x.state === "held" ? mark("held") : stateOf(x.state)), "short"),
    column("Held", (x) => when(x.held_at, atSecond(x.held_at)), "time"),
    column("Relay", (x) => clean(x.host), "short"),
  ].filter(Boolean);
}

function holdTable(page, incident, { data, error }) {
  if (error) return problem(error.message);
  const { state, redraw } = page;
  const waitingFirst = [...data.holds].sort((a, b) => Boolean(a.ended_at) - Boolean(b.ended_at));
  const { shown, pager } = paged(find(waitingFirst, state.typed ?? "", texts), state, redraw);
  return all(
    data.holds.length > 10
      ? h("div", { class: "bar" }, finder(state, redraw, "Find by sender, list, relay or id"))
      : null,
    table(holdColumns(page, incident), shown, {
      key: (x) => x.id,
      caption: "Its messages",
      empty: "None matches.",
    }),
    pager,
  );
}

function chosenOf(page, incident) {
  const chosen = page.state.chosen ?? new Set();
  return incident.holds.filter((x) => chosen.has(x.id));
}

export function render(data, page) {
  const { incident } = data;
  const held = data.holds.data?.holds.length ?? incident.holds.length;
  return all(
    h(
      "p",
      { class: "back" },
      h("a", { href: "#/incidents" }, "Incidents"),
      " / ",
      h("code", {}, incident.id),
    ),
    h("h1", {}, who(incident)),
    what(incident, data.holds.data?.holds),
    figures(incident),
    paceLine(page, incident),
    buttons(page, incident, chosenOf(page, incident)),
    facts(
      ["Why", why(incident)],
      ["Release", releasing(incident, data.releasing)],
      ["If nobody acts", next(incident)],
      ["Who", senders(incident, data.holds.data?.holds ?? [])],
      ["To", addressed(incident, 5)],
      ["Since", all(when(incident.opened_at), ", last ", when(incident.last_at, ago(incident.last_at)))],
      ["Relay", (incident.hosts ?? []).map(clean).join(", ")],
      ["See also", elsewhere(incident)],
      ["Sender", incident.sender_told ? "was told that mail is held" : "was not told"],
    ),
    timeline(incident, data),
    held > 0 ? section("Messages", holdTable(page, incident, data.holds)) : null,
  );
}
