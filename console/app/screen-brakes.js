/* What was set by hand: brakes stop, permits let pass. */

import { part } from "./api.js";
import { between, button, when } from "./bits.js";
import { clearBrake, endPermit, setBrake, setPermit } from "./deeds-brakes.js";
import { h, all } from "./dom.js";
import { orFailure, table } from "./table.js";
import { action, clean, key, number, plain } from "./words.js";

export const title = "Brakes and permits";

export async function load(page, read) {
  const [brakes, permits] = await Promise.all(
    ["/v1/brakes", `/v1/permits${page.state.ended ? "?all=1" : ""}`].map((path) => part(read(path))));
  return { brakes, permits };
}

const named = (text) => {
  const { kind, value } = key(text);
  return all(h("strong", { class: "name" }, value), kind ? h("span", { class: "muted" }, ` ${kind}`) : null);
};

const brakeTable = (page) => ({ brakes }) => table([
  { name: "Whose mail", kind: "wide", cell: (b) => named(b.key) },
  { name: "What happens", cell: (b) => action(b.action) },
  { name: "Until", cell: (b) => (b.until ? when(b.until) : "cleared") },
  { name: "By", kind: "wide", cell: (b) => all(plain(b.by), b.reason ? h("span", { class: "muted" }, ` – ${plain(b.reason)}`) : null, b.pending ? " (this relay alone, until the store is back)" : "") },
  { name: "", kind: "act", cell: (b) => button(page.can("brake"), "Clear…", () => clearBrake(page, b), { "aria-label": `Clear the brake on ${clean(b.key)}` }) },
], brakes, { key: (b) => b.key, caption: "Brakes", empty: "No brake is set." });

const STATES = { active: "in force", scheduled: "to come", used: "used up", lapsed: "over", ended: "ended" };
const inForce = (p) => p.state === "active" || p.state === "scheduled";

const permitTable = (page) => ({ permits }) => table([
  { name: "Whose mail", kind: "wide", cell: (p) => named(p.key) },
  { name: "To", kind: "wide", cell: (p) => (p.to.length === 0 ? "whoever" : p.to.map(clean).join(", ")) },
  { name: "Left", kind: "n", cell: (p) => `${number(p.left)} of ${number(p.copies)}` },
  { name: "State", cell: (p) => h("span", { class: p.state === "active" ? "mark accent" : null }, STATES[p.state], p.ended_by ? ` by ${plain(p.ended_by)}` : "") },
  { name: "When", cell: (p) => between(p.from, p.until) },
  { name: "By", cell: (p) => all(plain(p.by), p.reason ? h("span", { class: "muted" }, ` – ${plain(p.reason)}`) : null) },
  { name: "", kind: "act", cell: (p) => button(page.can("permit") && inForce(p), "End…", () => endPermit(page, p), { "aria-label": `End the permit of ${clean(p.key)}` }) },
], permits, { key: (p) => p.id, caption: "Permits", empty: "No permit is set." });

export function render({ brakes, permits }, page) {
  const { state, reload } = page;
  return all(
    h("h1", {}, title),
    h("section", {}, h("div", { class: "head" }, h("h2", {}, "Brakes"),
      button(page.can("brake"), "Set a brake…", () => setBrake(page)),
      button(page.can("brake"), "Brake everything…", () => setBrake(page, "all"), { class: "danger" })),
      h("p", { class: "muted" }, "Stops the mail of a login, a sender, a client, a list or a domain before all rules, on all relays."),
      orFailure(brakes, brakeTable(page))),
    h("section", {}, h("div", { class: "head" }, h("h2", {}, "Permits"),
      button(page.can("permit"), "Set a permit…", () => setPermit(page)),
      h("button", { onclick: () => { state.ended = !state.ended; reload(); } }, state.ended ? "Hide what ended" : "Show what ended")),
      h("p", { class: "muted" }, "Lets an announced mailing pass before all rules, up to so many copies."),
      orFailure(permits, permitTable(page))));
}
