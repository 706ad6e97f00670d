/* Small things that several screens show alike. */

import { all, h } from "./dom.js";
import { at, atClock, atLength, clean, key, number } from "./words.js";

export const muted = (...words) => h("span", { class: "muted" }, words);
export const strong = (...words) => h("strong", {}, words);
export const hint = (...words) => h("p", { class: "muted" }, words);
export const problem = (...words) => h("p", { class: "problem" }, words);
export const section = (title, ...content) => h("section", {}, h("h2", {}, title), content);

/* Text that somebody else wrote keeps its own direction. */
export const named = (...words) => h("span", { class: "name" }, words);

/* A small frame around a state; in the accent colour when something is stopped. */
export const mark = (text, accent = true) => h("span", { class: accent ? "mark accent" : "mark" }, text);

/* A title, and beside it what belongs to all of the screen. */
export const head = (title, ...more) => h("div", { class: "head" }, h("h1", {}, title), more);

/* choices: [[word of the address, text]]. */
export const tabs = (label, screen, choices, chosen) =>
  h(
    "nav",
    { class: "tabs", "aria-label": label },
    choices.map(([word, text]) =>
      h("a", { href: `#/${screen}/${word}`, "aria-current": word === chosen ? "page" : null }, text),
    ),
  );

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
  const name = named(value);
  const words = kind ? muted(kind) : null;
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
  return all(
    first.map((a, i) => [i > 0 ? ", " : "", named(clean(a))]),
    total > first.length ? ` and ${number(total - first.length)} more` : null,
  );
}

/* Where a button belongs to a role that the person lacks, nothing. */
export const button = (allowed, text, onclick, properties = {}) =>
  allowed ? h("button", { onclick, ...properties }, text) : null;
