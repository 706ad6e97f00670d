/* Brakes: what each would touch is said before it is set. */

import { get, query } from "./api.js";
import { PENDING, question, withPreview } from "./dialog.js";
import { h } from "./dom.js";
import { check, field, given, input, KEYS, reasonField, select } from "./fields.js";
import { at, clean, copies, key, messages, number } from "./words.js";

const isKey = (text) => /^(login|sender|client|list|domain):|^all$/.test(text);
const asKey = (text) =>
  isKey(text) || text === "" ? text : text.includes("@") ? `sender:${text}` : `login:${text}`;

/* What came lately of whom a brake would stop. */
async function brakeTouches(typed) {
  const wanted = asKey(typed.trim().toLowerCase());
  if (wanted === "") return "";
  if (wanted === "all") return "Stops every message to more than one person, of everybody.";
  const top = await get("/v1/top");
  const domain = wanted.startsWith("domain:") ? `@${wanted.slice(7)}` : null;
  const fits = (k) =>
    k === wanted ||
    (wanted.startsWith("login:") && !wanted.includes("@") && k.startsWith(`${wanted}@`)) ||
    (domain && k.endsWith(domain));
  const hits = [...top.senders, ...(domain ? [] : [...top.clients, ...top.lists])].filter((s) => fits(s.key));
  const sum = (name) => hits.reduce((total, hit) => total + hit[name], 0);
  return hits.length === 0
    ? `In the last ${top.minutes} minutes ${clean(top.host)} saw no mail of it.`
    : `In the last ${top.minutes} minutes on ${clean(top.host)}: ${messages(sum("messages"))}, ${copies(sum("copies"))}, ${number(sum("stopped"))} stopped.`;
}

const ACTIONS = [
  ["defer", "defer: senders try again later"],
  ["quarantine", "hold for a decision"],
  ["reject", "refuse"],
];
const BRAKE_TIMES = [
  ["1h", "1 hour"],
  ["4h", "4 hours"],
  ["1d", "1 day"],
  ["", "until it is cleared"],
];

function pulledBack({ held, unrecorded, failed, error }) {
  const lost = failed > 0 ? ` ${number(failed)} could not be: ${error ?? ""}` : "";
  return ` Pulled back: ${messages(held + (unrecorded ?? 0))}.${lost || (error ? ` ${error}` : "")}`;
}

const brakeFields = (all, whose) => [
  all
    ? h("input", { type: "hidden", name: "key", value: "all" })
    : field("Whose mail", input("key", { required: true, value: whose, maxlength: "300" }), KEYS),
  all
    ? field("Type “all” to confirm", input("sure", { required: true, pattern: "all", title: "Type all" }))
    : null,
  field("For", select("for", BRAKE_TIMES, all ? "1h" : "4h")),
  field("What happens to its mail", select("action", ACTIONS, "defer")),
  all ? null : check("pull_back", "Pull back what was accepted and is not delivered yet"),
  reasonField(),
];

/* {brake, pulled_back?} in words. */
function braked({ brake, pulled_back: pulled }) {
  const until = brake.until ? ` until ${at(brake.until)}` : "";
  const pending = brake.pending ? ` ${PENDING}` : "";
  return {
    text: `${clean(brake.key)} is braked${until}.${pending}${pulled ? pulledBack(pulled) : ""}`,
    problem: pulled?.failed > 0 || Boolean(pulled?.error),
  };
}

export function setBrake(page, whose = "") {
  const all = whose === "all";
  const dialog = question({
    title: all ? "Brake everything" : "Set a brake",
    act: all ? "Brake everything" : "Set the brake",
    danger: true,
    about: `brake ${whose}`,
    body: h(
      "p",
      {},
      all
        ? "Every message that reaches more than one person is stopped, on all relays, before any rule."
        : "Its mail is stopped on all relays at once, before any rule.",
    ),
    fields: brakeFields(all, whose),
    async run({ key: typed, for: span, action, reason, pull_back: pull }, send) {
      const body = { key: typed.trim(), action, ...given({ for: span, reason, pull_back: Boolean(pull) }) };
      return braked(await send("PUT", "/v1/brakes", body).finally(page.reload));
    },
  });
  withPreview(dialog, ({ key: typed }) => brakeTouches(typed));
}

export function clearBrake(page, brake) {
  question({
    title: "Clear the brake",
    act: "Clear it",
    about: `brake ${brake.key}`,
    body: h(
      "p",
      {},
      "Mail of ",
      h("strong", {}, key(brake.key).value),
      " meets the rules again. What it held stays held.",
    ),
    async run(values, send) {
      await send("DELETE", `/v1/brakes?${query("key", brake.key)}`).finally(page.reload);
      return { text: "The brake is cleared." };
    },
  });
}
