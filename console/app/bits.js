/* Small things that several screens show alike. */

import { h, all } from "./dom.js";
import { at, atClock, atLength, clean, key, number } from "./words.js";

export const when = (iso, text = at(iso)) =>
  iso ? h("time", { datetime: iso, title: atLength(iso) }, text) : "–";

/* From one time to another; the day once. */
export function between(from, until) {
  const sameDay = new Date(from).toDateString() === new Date(until).toDateString();
  return all(when(from), " – ", when(until, sameDay ? atClock(until) : at(until)));
}

/* Whose mail an incident is about: "ann login", "thread <1@a>". */
export function who(incident) {
  const { kind, value } = key(incident.key || incident.identity);
  const name = h("span", { class: "name" }, value);
  const words = kind ? h("span", { class: "muted" }, kind) : null;
  return isOfOne(incident.key) || !kind ? all(name, " ", words) : all(words, " ", name);
}

/* Of a thread, a list or a campaign the key says not who wrote. */
export const isOfOne = (text) => /^(login|sender|client|domain):/.test(text);

/* What mail was addressed to: its lists, else its recipients; the first few. */
export function addressed({ lists, list_count, addressed: names, addressed_count }, most = 3) {
  const has = lists?.length > 0;
  const shown = (has ? lists : names) ?? [];
  const total = (has ? list_count : addressed_count) ?? shown.length;
  if (shown.length === 0) return null;
  const first = shown.slice(0, most);
  return all(first.map((a, i) => [i > 0 ? ", " : "", h("span", { class: "name" }, clean(a))]),
    total > first.length ? ` and ${number(total - first.length)} more` : null);
}

/* Where a button belongs to a role that the person lacks, nothing. */
export const button = (allowed, text, onclick, properties = {}) =>
  allowed ? h("button", { onclick, ...properties }, text) : null;
