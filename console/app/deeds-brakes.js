/* Brakes, permits, lists and limits: each is a question first (dialog.js), that says what it
 * would touch. */

import { get, part, path } from "./api.js";
import { check, field, input, purposeField, question, select } from "./dialog.js";
import { h } from "./dom.js";
import { at, clean, copies, count, key, messages, number, people } from "./words.js";

const query = (name, value) => `${name}=${encodeURIComponent(value)}`;

/* Those that say something. */
const some = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value));

const PENDING = "The store is away: it is on this relay alone until that is back.";
const reasonInput = () => input("reason", { maxlength: "200", autocapitalize: "sentences" });

/* Above a form's buttons: what it would touch, as it stands; look(values) says it. */
function withPreview(dialog, look) {
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

/* ---- brakes ---- */

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

const WHOM = "login:NAME, sender:ADDRESS, client:IP or network, list:ADDRESS, domain:DOMAIN";

const brakeFields = (all, given) => [
  all
    ? h("input", { type: "hidden", name: "key", value: "all" })
    : field("Whom", input("key", { required: true, value: given, maxlength: "300" }), WHOM),
  all ? field("Type all", input("sure", { required: true, pattern: "all", title: "Type all" })) : null,
  field("For", select("for", BRAKE_TIMES, all ? "1h" : "4h")),
  field("What happens to its mail", select("action", ACTIONS, "defer")),
  all ? null : check("pull_back", "Pull back what was accepted and is not delivered yet"),
  field("Reason", reasonInput(), "Shown to other administrators."),
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

export function setBrake(page, given = "") {
  const all = given === "all";
  const dialog = question({
    title: all ? "Brake everything" : "Set a brake",
    act: all ? "Stop all of it" : "Set the brake",
    danger: true,
    about: `brake ${given}`,
    body: h(
      "p",
      {},
      all
        ? "Every message that reaches more than one person is stopped, on all relays, before any rule."
        : "Its mail is stopped on all relays at once, before any rule.",
    ),
    fields: brakeFields(all, given),
    async run({ key: typed, for: span, action, reason, pull_back: pull }, send) {
      const body = { key: typed.trim(), action, ...some({ for: span, reason, pull_back: Boolean(pull) }) };
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

/* ---- permits ---- */

const addresses = (text) => text.split(/[\s,]+/).filter(Boolean);

/* How many each address reaches, asked once, and not while it is being typed: each is a look
 * that the audit names. */
function permitTouches() {
  const asked = new Map();
  const size = async (address) => {
    if (!asked.has(address)) asked.set(address, part(get(`/v1/lists?${query("address", address)}`)));
    return (await asked.get(address)).data?.lists[0]?.size;
  };
  return async ({ copies: typed, to }) => {
    const names = addresses(to).slice(0, 10);
    if (names.length === 0) return "Without addresses: to whoever is written to.";
    if (document.activeElement?.name === "to") return "";
    const sizes = await Promise.all(names.map(size));
    const line = (name, n) => {
      if (n === undefined) return `${clean(name)}: 1 person`;
      const enough = `enough for ${messages(Math.floor(Number(typed) / Math.max(1, n)))}`;
      return `${clean(name)}: ${people(n)}; ${typed ? enough : `${copies(n)} a message`}`;
    };
    return names.map((name, i) => line(name, sizes[i])).join(". ");
  };
}

/* The form's local time as the API wants it. */
const instant = (local) => new Date(local).toISOString().replace(/\.\d+Z$/, "Z");
const PERMIT_TIMES = [
  ["1h", "1 hour"],
  ["2h", "2 hours"],
  ["4h", "4 hours"],
  ["8h", "8 hours"],
  ["1d", "1 day"],
  ["7d", "a week"],
];

const permitFields = () => [
  field("Whose", input("key", { required: true, maxlength: "300" }), WHOM),
  field(
    "To",
    input("to", { maxlength: "2000" }),
    "Addresses of lists or people; empty: whoever is written to",
  ),
  field(
    "Copies",
    input("copies", { required: true, inputmode: "numeric", pattern: "[0-9]{1,10}", title: "A number" }),
  ),
  field("From", input("from", { type: "datetime-local" }), "Empty: from now on"),
  field("For", select("for", PERMIT_TIMES, "2h")),
  field("Reason", reasonInput()),
];

export function setPermit(page) {
  const dialog = question({
    title: "Set a permit",
    act: "Set the permit",
    about: "permit",
    body: h(
      "p",
      {},
      "An announced mailing passes before all rules, up to so many copies. What exceeds it meets the rules.",
    ),
    fields: permitFields(),
    async run({ key: typed, to, copies: n, from, for: span, reason }, send) {
      const rest = some({ from: from && instant(from), reason });
      const body = { key: typed.trim(), to: addresses(to), copies: Number(n), for: span, ...rest };
      const permit = await send("POST", "/v1/permits", body).finally(page.reload);
      const time = `from ${at(permit.from)} until ${at(permit.until)}`;
      return {
        text: `${copies(permit.copies)} of ${clean(permit.key)} pass ${time}.${permit.pending ? ` ${PENDING}` : ""}`,
      };
    },
  });
  withPreview(dialog, permitTouches());
}

export function endPermit(page, permit) {
  question({
    title: "End the permit",
    act: "End it",
    about: `permit ${permit.id}`,
    body: h("p", {}, "Mail of ", h("strong", {}, key(permit.key).value), " meets the rules again."),
    async run(values, send) {
      await send("DELETE", `/v1/permits/${path(permit.id)}`).finally(page.reload);
      return { text: "The permit has ended." };
    },
  });
}

/* ---- lists and limits ---- */

export function acceptLists(page, lists) {
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

export function resetLimits(page, subject) {
  question({
    title: "Reset the limits",
    act: "Reset them",
    danger: true,
    about: `limits ${subject}`,
    body: h(
      "p",
      {},
      "All limits and surges of ",
      h("strong", {}, clean(subject)),
      " begin anew: buckets full, windows empty, latches off.",
    ),
    fields: [purposeField(`limits ${subject}`, false)],
    async run(values, send) {
      const { reset } = await send("DELETE", `/v1/limits?${query("subject", subject)}`).finally(page.reload);
      return { text: `${count(reset, "limit")} reset.` };
    },
  });
}
