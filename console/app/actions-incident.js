/* What an administrator does, each a question first (dialog.js): held mail and incidents. */

import { ask, get, part, path } from "./api.js";
import { decided, purposeField, question, weighty } from "./dialog.js";
import { all, h } from "./dom.js";
import { field, select } from "./fields.js";
import { at, clean, count, key, messages, number, people } from "./words.js";

const LONGER = [
  ["1h", "1 hour"],
  ["4h", "4 hours"],
  ["1d", "1 day"],
  ["7d", "a week"],
];

/* ---- held messages ---- */

/* What is decided about: all that waits of an incident, or the chosen messages of it. */
function scope(incident, chosen) {
  const n = chosen.length > 0 ? chosen.length : incident.waiting;
  return {
    n,
    path: chosen.length > 0 ? "/v1/holds" : `/v1/incidents/${path(incident.id)}`,
    body: chosen.length > 0 ? { ids: chosen.map((hold) => hold.id) } : {},
    what: chosen.length > 0 ? `${messages(n)} of it` : n === 1 ? "the message" : `all ${messages(n)}`,
  };
}

/* Whom a release of this would reach now, all its people together. */
const readByHand = (where, body) => ask("POST", where, body);
const REVIEW_MAX = 1000;
export const review = (ids, read = readByHand) =>
  ids.length > REVIEW_MAX
    ? { data: null, error: new Error(`it holds more than ${number(REVIEW_MAX)} messages.`) }
    : part(read("/v1/holds/review", { ids }));

/* "12 more, 3 fewer" */
export const change = ({ more, fewer }) =>
  more === null ? "who they were is not known" : `${number(more)} more, ${number(fewer)} fewer`;

const PACES = [
  ["", "at once"],
  ["10/m", "10 a minute"],
  ["60/m", "60 a minute"],
  ["300/m", "300 a minute"],
  ["60/h", "60 an hour"],
];

function releaseWords(to, { data, error }) {
  const lines = [];
  if (error) lines.push(`How many people it reaches is not known: ${error.message}`);
  else if (data?.changed)
    lines.push(`The people it reaches have changed since it was held: ${change(data)}.`);
  if (data?.away)
    lines.push(
      `${clean(data.away)} does not answer: what it holds stays held, and its people are not counted.`,
    );
  lines.push(
    `Delivers ${to.what}${data ? `, to ${people(data.reach)} together` : ""}. This can't be undone.`,
  );
  if (data?.administrators > 1)
    lines.push("So many people need two administrators: the first release is recorded, the second delivers.");
  return lines.map((text) => h("p", {}, text));
}

export async function release(page, incident, chosen) {
  const to = scope(incident, chosen);
  const ids = chosen.length > 0 ? chosen : incident.holds;
  const found = await review(ids.map((hold) => hold.id));
  const reach = found.data?.reach ?? incident.reach;
  question({
    title: "Release",
    about: incident.id,
    act: found.data ? `Release to ${people(reach)}` : `Release ${messages(to.n)}`,
    body: releaseWords(to, found),
    fields: [
      chosen.length === 0 && to.n > 1
        ? field(
            "How fast",
            select("pace", PACES, ""),
            "A slow release survives restarts, and can be stopped.",
          )
        : null,
      ...weighty(incident.id, reach, found.data !== null),
    ],
    async run({ pace }, send) {
      const body = { ...to.body, ...(pace ? { pace } : {}), ...(found.data ? { reach } : {}) };
      const answer = await send("POST", `${to.path}/release`, body).finally(page.reload);
      return decided("release", answer);
    },
  });
}

function endWithout(verb, title, says) {
  return (page, incident, chosen) => {
    const to = scope(incident, chosen);
    question({
      title,
      about: incident.id,
      danger: true,
      act: `${title} ${messages(to.n)}`,
      body: h("p", {}, says(to, incident)),
      fields: weighty(incident.id, to.n > 1 ? incident.reach : null).slice(1),
      async run(values, send) {
        const answer = await send("POST", `${to.path}/${verb}`, to.body).finally(page.reload);
        return decided(verb, answer);
      },
    });
  };
}

export const refuse = endWithout(
  "refuse",
  "Refuse",
  (to, incident) =>
    `Deletes ${to.what}. ${
      incident.tell
        ? "Each sender gets one notice, which names only the addresses that they wrote to."
        : "Nobody is told: Mailbrake does not write to a sender like this one."
    }`,
);

export const remove = endWithout(
  "delete",
  "Delete",
  (to) => `Deletes ${to.what}, and tells nobody. The sender will think that it was delivered.`,
);

/* ---- its rule and its key ---- */

export function allow(page, incident) {
  question({
    title: "Allow",
    about: incident.id,
    act: "Allow it",
    body: h(
      "p",
      {},
      "Mail of ",
      h("strong", {}, key(incident.key).value),
      ` passes the rule ${clean(incident.rule)} for that long. What is held stays held.`,
    ),
    fields: [field("For", select("for", LONGER, "4h")), purposeField(incident.id, false)],
    async run(values, send) {
      const { until } = await send("POST", `/v1/incidents/${path(incident.id)}/allow`, {
        for: values.for,
      }).finally(page.reload);
      return { text: `It passes the rule until ${at(until)}.` };
    },
  });
}

export function close(page, incident) {
  question({
    title: "Close the incident",
    about: incident.id,
    act: "Close it",
    body: h(
      "p",
      {},
      `What comes next is a new incident, and the latch that ${clean(incident.rule)} has set for this key is cleared: mail within the limit passes again.`,
      incident.waiting > 0
        ? ` ${messages(incident.waiting)} ${incident.waiting === 1 ? "stays" : "stay"} held.`
        : "",
    ),
    fields: [purposeField(incident.id, false)],
    async run(values, send) {
      await send("POST", `/v1/incidents/${path(incident.id)}/close`, {}).finally(page.reload);
      return { text: "The incident is closed." };
    },
  });
}

export function stopPace(page, incident) {
  question({
    title: "Stop the slow release",
    about: incident.id,
    act: "Stop it",
    danger: true,
    body: h("p", {}, "What is being released at this moment still goes; the rest stays held."),
    async run(values, send) {
      await send("POST", `/v1/incidents/${path(incident.id)}/stop`, {}).finally(page.reload);
      return { text: "The slow release has been stopped." };
    },
  });
}

/* ---- what is in a message ---- */

function contentShown(content) {
  const { subject, header = [], text, text_cut: cut, attachments = [], attachment_count: total } = content;
  return all(
    h("h3", {}, "Subject"),
    h("p", { class: "quoted", dir: "auto" }, subject ?? "none"),
    text === undefined
      ? null
      : [
          h("h3", {}, "Text"),
          h("pre", { class: "quoted", dir: "auto" }, text || "none", cut ? "\n…" : ""),
          attachments.length === 0
            ? null
            : [
                h("h3", {}, count(total, "attachment")),
                h(
                  "ul",
                  {},
                  attachments.map((a) =>
                    h("li", {}, a.name || "without a name", ` (${clean(a.type)}, ${number(a.size)} bytes)`),
                  ),
                ),
              ],
          h(
            "details",
            {},
            h("summary", {}, "Header"),
            h("pre", { class: "quoted" }, header.map((f) => `${f.name}: ${f.value}\n`).join("")),
          ),
        ],
  );
}

/* Of one message: what a release would do, and how root sees it whole. */
export async function details(page, incident, hold) {
  const { data, error } = await part(get(`/v1/holds/${path(hold.id)}`));
  question({
    title: `Message ${hold.id}`,
    act: page.can("decide") && !error ? "Show what is in it" : null,
    about: incident.id,
    body: error
      ? h("p", { class: "problem" }, error.message)
      : all(
          h(
            "p",
            {},
            h("strong", {}, clean(data.identity)),
            ` to ${(data.addressed ?? []).slice(0, 5).map(clean).join(", ")}`,
          ),
          h("p", {}, "Releasing it now: ", data.release?.text ?? "not known", "."),
          data.command
            ? h(
                "p",
                { class: "muted" },
                "All of it, as root on ",
                clean(data.host),
                ": ",
                h("code", {}, data.command),
              )
            : null,
        ),
    fields: page.can("decide") && !error ? [purposeField(incident.id, true)] : [],
    async run(values, send) {
      const shown = await send("GET", `/v1/holds/${path(hold.id)}/content`);
      return { text: "It says:", more: [contentShown(shown)] };
    },
  });
}
