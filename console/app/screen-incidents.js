/* All incidents, grouped by the rule that made them, the largest reach first. mailbraked
 * finds, sorts and pages them, however many there are. */

import { addressed, head, hint, mark, muted, tabs, when, who } from "./widgets.js";
import { all, h } from "./dom.js";
import { column, finder, PAGE, pager, table } from "./table.js";
import { action, ago, clean, count, messages, number, people, plain, stopped } from "./words.js";

export const title = "Incidents";

const KINDS = [
  ["open", "Open", {}],
  ["week", "Week", { all: 1, since: "7d" }],
  ["all", "All", { all: 1 }],
  ["would", "Would have been", { would: 1 }],
];

export async function load(page, read) {
  const kind = page.args[0] ?? "open";
  const [, , query] = KINDS.find(([name]) => name === kind) ?? KINDS[0];
  const { state } = page;
  const readPage = () => {
    const find = state.typed?.trim() ? { find: state.typed.trim() } : {};
    const where = { limit: PAGE, offset: PAGE * (state.page ?? 0), ...find };
    return read(`/v1/incidents?${new URLSearchParams({ ...query, ...where })}`);
  };
  let answer = await readPage();
  if (answer.incidents.length === 0 && state.page > 0) {
    state.page = 0; /* there are fewer by now */
    answer = await readPage();
  }
  return { kind, ...answer };
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

/* A group of the answer, and those of its incidents that the page shows. */
function group({ rule, incidents: total, reach, waiting }, shown, kind) {
  const items = shown.filter((i) => i.rule === rule);
  return h(
    "section",
    { key: rule },
    h(
      "h2",
      {},
      clean(rule),
      muted(
        ` ${count(total, "incident")}, largest reach ${number(reach)}${waiting > 0 ? `, ${messages(waiting)} to decide` : ""}`,
      ),
    ),
    table(columns(kind), items, { key: (i) => i.id, caption: `Incidents of ${rule}`, empty: "" }),
  );
}

const NONE = {
  open: "No incident is open, and no message waits.",
  week: "There were no incidents in the last seven days.",
  all: "There are no incidents.",
  would: "Nothing would have been stopped.",
};

const TYPING_MS = 250;
let typing = 0;

export function render({ kind, incidents, count: total, groups }, page) {
  const { state, reload } = page;
  const found = () => {
    clearTimeout(typing);
    typing = setTimeout(reload, TYPING_MS);
  };
  const most = Math.max(0, ...groups.map(({ reach }) => reach));
  return all(
    head(title, tabs("Which incidents", "incidents", KINDS, kind)),
    h(
      "div",
      { class: "bar" },
      finder(state, found, "Find by sender, list, rule or id"),
      hint(`${count(total, "incident")}, ${people(most)} at most`),
    ),
    kind === "would" ? hint("Delivered; in mode enforce these would have been stopped.") : null,
    total === 0
      ? h("p", { class: "empty" }, state.typed?.trim() ? "None matches." : (NONE[kind] ?? NONE.open))
      : null,
    [...new Set(incidents.map((i) => i.rule))].map((rule) =>
      group(
        groups.find((g) => g.rule === rule),
        incidents,
        kind,
      ),
    ),
    pager(state, total, reload),
  );
}
