/* Numbers, times and texts as people read them. */

export function number(n) {
  return n === null || n === undefined ? "?" : n.toLocaleString("en-US");
}

export function count(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

export const people = (n) => count(n, "person", "people");
export const messages = (n) => count(n, "message");
export const copies = (n) => count(n, "copy", "copies");

/* What a sender wrote, as the command shows it: everything outside printable ASCII, and the
 * backslash, as \xHH of its UTF-8. */
export function clean(text) {
  if (/^[ -[\]-~]*$/.test(text)) return text;
  return [...new TextEncoder().encode(text)]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x5c
        ? `\\x${byte.toString(16).padStart(2, "0")}`
        : String.fromCharCode(byte),
    )
    .join("");
}

/* What an administrator wrote: only what controls a terminal, turns the writing round or
 * can't be seen; but joiners, which emoji and some scripts need, stay. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
export const plain = (text) => text.replace(UNSEEN, clean);

/* A key's kind as a person would say it, and its value. */
const KINDS = {
  login: "login",
  sender: "sender",
  client: "client",
  list: "list",
  domain: "domain",
  thread: "thread",
  campaign: "campaign",
  topic: "topic",
  from: "account",
};

export function key(text) {
  const [, kind, value] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  if (KINDS[kind]) return { kind: KINDS[kind], value: clean(value) };
  if (text === "(many)") return { kind: "", value: "many senders" };
  if (text === "all") return { kind: "", value: "everybody" };
  return { kind: "", value: text === "" ? "not known" : clean(text) };
}

/* ---- time: local, with its zone ---- */

/* The English that has a name for the zone: "PST", "CET", rather than "GMT-8". */
const named = (locale) =>
  !/GMT[+-]/.test(new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).format());
const LOCALE = ["en-GB", "en-US"].find(named) ?? "en-GB";
const of = (options) => new Intl.DateTimeFormat(LOCALE, { hourCycle: "h23", ...options });
const TIME = { hour: "2-digit", minute: "2-digit" };
const clock = of({ ...TIME, timeZoneName: "short" });
const seconds = of({ ...TIME, second: "2-digit", timeZoneName: "short" });
const day = of({ weekday: "short", day: "numeric", month: "short" });
const whole = of({ dateStyle: "full", timeStyle: "long" });

const isToday = (date) => date.toDateString() === new Date().toDateString();

/* "19:02 CET", with the day unless it is today. */
export function at(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "?";
  return isToday(date) ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export const atClock = (iso) => clock.format(new Date(iso));
export const atSecond = (iso) => (isToday(new Date(iso)) ? seconds.format(new Date(iso)) : at(iso));
export const atLength = (iso) => whole.format(new Date(iso));
export const dayOf = (iso) => day.format(new Date(iso));

/* "45 s", "12 min", "3 h", "2 days". */
export function span(s) {
  if (s < 100) return `${Math.max(0, Math.round(s))} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

export function ago(iso, now = Date.now()) {
  const s = (now - new Date(iso)) / 1000;
  return s < 5 ? "just now" : `${span(s)} ago`;
}

/* ---- what happened ---- */

const STATES = {
  held: "held",
  releasing: "being released",
  released: "released",
  refusing: "being refused",
  refused: "refused",
  deleting: "being deleted",
  deleted: "deleted",
  gone: "removed from the queue by others",
};
export const state = (name) => STATES[name] ?? name;

const ACTIONS = {
  quarantine: "hold",
  reject: "refuse",
  defer: "defer",
  accept: "accept",
  confirm: "ask the sender",
};
export const action = (name) => ACTIONS[name] ?? name;

/* "15 held, 3 refused" */
export function stopped(incident) {
  const parts = [
    [incident.held, "held"],
    [incident.refused, "refused"],
    [incident.deferred, "deferred"],
    [incident.would, "would have been stopped"],
  ];
  return parts
    .filter(([n]) => n > 0)
    .map(([n, what]) => `${number(n)} ${what}`)
    .join(", ");
}
