/* How many each list reaches, as of when, and which have jumped. */

import { button, head, hint, mark, named } from "./widgets.js";
import { purposeField, question } from "./dialog.js";
import { all, h } from "./dom.js";
import { column, find, finder, paged, table } from "./table.js";
import { clean, count, number, people, span } from "./words.js";

export const title = "Lists";

export const load = (_, read) => read("/v1/lists");

const jumped = (l) => l.state === "grown" || l.state === "shrunk";
const STATES = {
  stale: "could not be read lately",
  unknown: "can't be read: its size is not known",
  grown: "has grown",
  shrunk: "has shrunk",
};
const bad = (l) => (l.state === "ok" ? 0 : 1);

const columns = (page) => [
  column("List", (l) => named(clean(l.address)), "wide"),
  column("People", (l) => (l.state === "unknown" ? "?" : number(l.size)), "n"),
  column("Was", (l) => (jumped(l) ? number(l.was) : ""), "n"),
  column("Outside", (l) => (l.external ? number(l.external) : ""), "n"),
  column("Read", (l) => (l.state === "unknown" ? "never" : `${span(l.age_s)} ago`)),
  column("State", (l) =>
    l.state === "ok"
      ? ""
      : all(
          mark(STATES[l.state] ?? l.state),
          " ",
          button(jumped(l) && page.can("permit"), "Accept…", () => acceptLists(page, [l]), {
            "aria-label": `Accept the size of ${clean(l.address)}`,
          }),
        ),
  ),
  column("Source", (l) => h("span", { class: "muted name" }, clean(l.source)), "wide"),
];

/* Accepts what one has become, or all that wait. */
function acceptLists(page, lists) {
  const one = lists.length === 1;
  question({
    title: one ? "Accept the list's size" : "Accept all sizes",
    act: one ? "Accept it" : `Accept ${count(lists.length, "list")}`,
    about: "accept",
    body: h(
      "ul",
      { class: "lines" },
      lists.map((l) =>
        h("li", {}, h("strong", {}, clean(l.address)), `: ${number(l.was)} → ${people(l.size)}`),
      ),
    ),
    fields: [purposeField("accept", false)],
    async run(values, send) {
      const { accepted } = await send(
        "POST",
        "/v1/lists/accept",
        one ? { address: lists[0].address } : { all: true },
      ).finally(page.reload);
      return {
        text: `Accepted: ${accepted.map((l) => `${clean(l.address)}, ${people(l.size)}`).join("; ")}.`,
      };
    },
  });
}

export function render({ lists, count: total }, page) {
  const { state, redraw } = page;
  const sorted = [...lists].sort((a, b) => bad(b) - bad(a) || b.size - a.size);
  const found = find(sorted, state.typed ?? "", (l) => [l.address, l.source, l.state]);
  const { shown, pager } = paged(found, state, redraw);
  const waiting = lists.filter(jumped);
  return all(
    head(
      title,
      button(waiting.length > 1 && page.can("permit"), `Accept all ${waiting.length}…`, () =>
        acceptLists(page, waiting),
      ),
    ),
    waiting.length > 0
      ? h(
          "p",
          { class: "problem" },
          `${count(waiting.length, "list")} ${waiting.length === 1 ? "has" : "have"} jumped: ${waiting
            .slice(0, 3)
            .map((l) => `${clean(l.address)}, ${number(l.was)} → ${people(l.size)}`)
            .join("; ")}. Mail to a list that has grown waits until its size is accepted.`,
        )
      : null,
    h(
      "div",
      { class: "bar" },
      finder(state, redraw, "Find by address, source or state"),
      hint(count(found.length, "list"), total > lists.length ? ` shown of ${number(total)}` : ""),
    ),
    table(columns(page), shown, {
      key: (l) => l.address,
      caption: "Lists",
      empty: lists.length === 0 ? "No list is configured." : "None matches.",
    }),
    pager,
  );
}
