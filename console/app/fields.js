/* The fields of forms: a control with its label and hint, and what is typed into several. */

import { h } from "./dom.js";

let made = 0;

/* A label above a control, and a hint below it. */
export function field(label, control, hint) {
  const id = `field-${++made}`;
  control.id = id;
  const hintId = hint ? `${id}-hint` : null;
  if (hintId) control.setAttribute("aria-describedby", hintId);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    control,
    hint ? h("p", { class: "hint", id: hintId }, hint) : null,
  );
}

export const input = (name, properties = {}) =>
  h("input", {
    name,
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "none",
    ...properties,
  });

export const select = (name, options, chosen) =>
  h(
    "select",
    { name },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );

/* Whose mail a brake or a permit is about. */
export const KEYS = "login:NAME, sender:ADDRESS, client:IP or network, list:ADDRESS, domain:DOMAIN";

export const reasonField = () =>
  field(
    "Reason",
    input("reason", {
      maxlength: "200",
      pattern: "[ -~]*",
      title: "Plain ASCII letters: the command shows it, too",
      autocapitalize: "sentences",
    }),
    "Shown to other administrators.",
  );

/* Those values of a form that say something. */
export const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value));

/* Several of them, typed into one field. */
export const addresses = (text) => text.split(/[\s,]+/).filter(Boolean);

/* A box with its label behind it. */
export function check(name, label, properties = {}) {
  const id = `field-${++made}`;
  return h(
    "div",
    { class: "check" },
    h("input", { type: "checkbox", name, id, ...properties }),
    h("label", { for: id }, label),
  );
}
