/* What would happen to a message, rule by rule. */

import { ask } from "./api.js";
import { hint, mark, muted, named, problem, strong } from "./widgets.js";
import { all, h } from "./dom.js";
import { addresses, field, input } from "./fields.js";
import { column, facts, table } from "./table.js";
import { clean, copies, number, people } from "./words.js";

export const title = "Explain";
export const still = true; /* read when it is opened */

export const load = async () => ({});

function room(keys) {
  return (keys ?? [])
    .slice(0, 4)
    .map((k) =>
      h(
        "div",
        {},
        named(clean(k.subject)),
        ` costs ${number(k.cost)}`,
        k.left === null || k.left === undefined ? "" : `, left ${number(k.left)} of ${number(k.burst)}`,
        k.latched_until ? ", its latch is set" : "",
      ),
    );
}

function verdict(answer) {
  const by = answer.rule ? ` by ${clean(answer.rule)}` : ": no rule fires";
  const mode = answer.would ? ` Mode monitor: it would be ${answer.would}.` : "";
  return h(
    "div",
    { class: "notice", role: "status" },
    h(
      "p",
      { class: "lead" },
      `${{ accept: "It is accepted", quarantine: "It is held", reject: "It is refused", defer: "It is deferred" }[answer.verdict] ?? answer.verdict}${by}.${mode}`,
    ),
    answer.reply ? h("p", {}, h("code", {}, clean(answer.reply))) : null,
    answer.failure ? problem(answer.failure) : null,
    answer.confirm ? h("p", {}, "Its sender is asked to confirm it.") : null,
  );
}

function answerFacts(answer) {
  const { permit, exceeded, grown, brake } = answer;
  return facts(
    ["Whose mail", clean(answer.identity)],
    ["Reach", `${people(answer.reach)}, ${copies(answer.copies)}, ${number(answer.external)} outside`],
    ["Lists", answer.lists.map(clean).join(", ")],
    ["Thread", answer.thread ? clean(answer.thread) : null],
    ["Brake", brake ? clean(brake.key ?? brake) : null],
    ["Permit", permit ? `${clean(permit.id)}, then ${number(permit.left)} left` : null],
    [
      "Permit too small",
      exceeded ? `${clean(exceeded.id)}: ${number(exceeded.left)} of ${copies(exceeded.copies)} left` : null,
    ],
    ["Grown list", grown ? `${clean(grown.address)}: ${number(grown.was)} → ${people(grown.size)}` : null],
    ["Limits", answer.limits && answer.store === null ? "the store does not answer: shown as full" : null],
  );
}

const RULES = [
  column("Rule", (r) => strong(clean(r.name))),
  column("State", (r) => (r.state === "skipped" ? muted("skipped") : mark(r.state, r.state === "fires"))),
  column("Why", (r) => all(clean(r.why), room(r.keys)), "wide"),
];

const RECIPIENTS = [
  column("Address", (r) => clean(r.address), "wide"),
  column("People", (r) => number(r.size), "n"),
  column("Copies", (r) => number(r.copies), "n"),
  column("Source", (r) => (r.list ? clean(r.source ?? "") : r.unknown ? "not known" : "no list"), "wide"),
];

const explained = (answer) =>
  all(
    verdict(answer),
    answerFacts(answer),
    table(RULES, answer.rules, { key: (r) => r.name, caption: "Rule by rule", empty: "There are no rules." }),
    answer.recipients.length > 0
      ? h(
          "details",
          {},
          h("summary", {}, "Recipients"),
          table(RECIPIENTS, answer.recipients, { key: (r) => r.address, caption: "Recipients", empty: "" }),
        )
      : null,
  );

/* The form stays the same while answers come and go. */
function form(page) {
  const { state, redraw } = page;
  async function submit(event) {
    event.preventDefault();
    const { from, login, client, to, header } = Object.fromEntries(new FormData(event.target));
    const body = {
      to: addresses(to),
      ...(from ? { from } : {}),
      ...(login ? { login } : {}),
      ...(client ? { client } : {}),
      ...(header
        ? {
            headers: [
              { name: header.split(":")[0].trim(), value: header.split(":").slice(1).join(":").trim() },
            ],
          }
        : {}),
    };
    const answer = await ask("POST", "/v1/explain", body).catch((error) => error);
    state.answer = answer instanceof Error ? null : answer;
    state.problem = answer instanceof Error ? answer.message : null;
    redraw();
  }
  const q = (name) => page.query.get(name) ?? "";
  return h(
    "form",
    { class: "explain", onsubmit: submit },
    field("From", input("from", { value: q("from"), maxlength: "320" })),
    field("Login", input("login", { value: q("login"), maxlength: "320" })),
    field(
      "Client",
      input("client", { value: q("client"), maxlength: "60", placeholder: "an IP address, or local" }),
    ),
    field("To", input("to", { value: q("to"), required: true, maxlength: "4000" }), "One or more addresses"),
    field("Header", input("header", { maxlength: "900", placeholder: "References: <id>" })),
    h("div", { class: "buttons" }, h("button", { class: "primary" }, "Explain")),
  );
}

export function render(_, page) {
  const { state } = page;
  return all(
    h("h1", {}, title),
    hint("The message is judged as it would be now; nothing is charged or sent."),
    form(page),
    state.problem ? h("p", { class: "problem", role: "alert" }, state.problem) : null,
    state.answer ? explained(state.answer) : null,
  );
}
