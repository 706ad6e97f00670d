/* A question before something is done: what it does, what it wants to know, and then, in
 * the same place, how it went. */

import { announce } from "./announce.js";
import { ask, get, token } from "./api.js";
import { h } from "./dom.js";
import { field, input } from "./fields.js";
import { number } from "./words.js";

/* ---- big decisions: the number of people is typed, and what for ---- */

const MANY = 200;
const purposes = new Map(); /* by what they are about: asked once */

export function purposeField(about, needed) {
  return field(
    "Purpose",
    input("purpose", {
      required: needed,
      maxlength: "250",
      value: purposes.get(about) ?? "",
      autocapitalize: "sentences",
    }),
    "Recorded in the audit, with your name.",
  );
}

/* What is done needs these fields when it is about so many people: all together, or, where that
 * is not known, those of the largest message. */
export function weighty(about, reach, together = true) {
  const many = reach !== null && reach > MANY;
  return [
    many
      ? field(
          `How many people does ${together ? "it" : "its largest message"} reach? Type ${reach}`,
          input("typed", {
            inputmode: "numeric",
            required: true,
            pattern: `\\s*${grouped(reach)}\\s*`,
            title: `Type ${reach}`,
          }),
        )
      : null,
    purposeField(about, many),
  ];
}

/* 4000 may be typed as 4,000. */
const grouped = (n) => n.toLocaleString("en-US").replaceAll(",", "[,. ]?");

/* ---- what it would touch ---- */

/* Above a form's buttons: what it would touch, as it stands; look(values) says it. */
export function withPreview(dialog, look) {
  const form = dialog.querySelector("form");
  const place = h("p", { class: "preview", role: "status" });
  let turn = 0;
  let timer = 0;
  const show = async () => {
    const mine = ++turn;
    const text = await look(Object.fromEntries(new FormData(form))).catch((error) => error.message);
    if (mine === turn) place.textContent = text;
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(show, 300);
  };
  form.querySelector("[role=status]").before(place);
  form.addEventListener("input", later);
  form.addEventListener("focusout", later);
  later();
}

/* ---- the dialog ---- */

/* Shows how far a work is that takes long, until it is over. */
async function watchProgress(name, isOver, show) {
  for (;;) {
    await new Promise((done) => setTimeout(done, 1500));
    if (isOver()) return;
    const { done, total } = await get(`/v1/progress/${name}`, { refresh: true }).catch(() => ({}));
    if (total && !isOver()) show(`${number(done)} of ${number(total)} …`);
  }
}

const outcomeNodes = (text, problem, more = []) => [
  h("p", { class: problem ? "problem" : "done" }, text),
  ...more,
];

/* A question. `title` and `act` name the action (without act
 * there is only something to read); `body` says what it does; `fields` may be
 * empty; run(values, send) does it and returns {text, problem?, more?}, the outcome in words;
 * a failure can be tried again. `about` is what the purpose belongs to. */
export function question({ title, act, body, fields = [], danger = false, about = title, run }) {
  const said = h("div", { role: "status" });
  const words = h("div", {}, body);
  const button = act ? h("button", { class: danger ? "primary danger" : "primary" }, act) : null;
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, act ? "Cancel" : "Done");
  const buttons = h("div", { class: "buttons" }, button, cancel);
  const form = h("form", { onsubmit: submit }, fields, said, buttons);
  const heading = h("h2", { id: "dialog-title" }, title);
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, heading, words, form);

  async function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    const purpose = (values.purpose ?? "").trim();
    if (purpose) purposes.set(about, purpose);
    const progress = token();
    let over = false;
    const say = (text) => said.replaceChildren(h("p", { class: "muted" }, text));
    button.disabled = true;
    say("Working …");
    void watchProgress(progress, () => over, say);
    const send = (method, path, sent) => ask(method, path, sent, { purpose, progress });
    const outcome = await run(values, send).catch((error) => error);
    over = true;
    button.disabled = false;
    if (outcome instanceof Error) said.replaceChildren(...outcomeNodes(outcome.message, true));
    else end(outcome);
    announce(outcome.message ?? outcome.text);
  }

  function end({ text, problem, more }) {
    words.replaceChildren(...outcomeNodes(text, problem, more));
    cancel.textContent = "Done";
    cancel.className = "primary";
    form.replaceChildren(h("div", { class: "buttons" }, cancel));
    cancel.focus({ preventScroll: true });
    dialog.scrollTop = 0;
  }

  /* What had the focus before may be gone by now. */
  dialog.onclose = () => {
    dialog.remove();
    if (document.activeElement === document.body)
      document.getElementById("view").focus({ preventScroll: true });
  };
  document.body.append(dialog);
  dialog.showModal();
  (form.querySelector("input:not([type=checkbox], [type=hidden]), select") ?? button ?? cancel).focus();
  return dialog;
}

/* ---- outcomes of what was set ---- */

export const PENDING = "The store is away: it is on this relay alone until that is back.";

/* ---- outcomes of decisions about held messages, in words ---- */

const PAST = { release: "released", refuse: "refused", delete: "deleted" };

/* {results, done, failed, needs?, pace?} */
export function decided(verb, answer) {
  const says = [];
  if (answer.pace) says.push(`It is now being released slowly, ${answer.pace.pace}.`);
  if (answer.done > 0) says.push(`${number(answer.done)} ${PAST[verb]}.`);
  if (answer.needs)
    says.push(
      `Your release is recorded, and nothing has gone out yet: one more administrator must release it.`,
    );
  const untold = (answer.results ?? []).filter((r) => r.untold).length;
  if (untold > 0) says.push(`${number(untold)} of the senders could not be told.`);
  if (answer.failed > 0) says.push(`${number(answer.failed)} could not be ${PAST[verb]}:`);
  if (says.length === 0) says.push("There was nothing left to decide: somebody else was faster.");
  const reasons = new Set((answer.results ?? []).filter((r) => !r.ok).map((r) => r.error));
  return {
    text: says.join(" "),
    problem: answer.failed > 0,
    more:
      reasons.size === 0
        ? []
        : [
            h(
              "ul",
              { class: "reasons" },
              [...reasons].slice(0, 10).map((why) => h("li", {}, why)),
            ),
          ],
  };
}
