/* Bars over time, made here: what passed in grey, what was stopped in the accent colour. */

import { h, svg } from "./dom.js";
import { number } from "./words.js";

const WIDTH = 600;
const HEIGHT = 96;

/* The next number of the form 1, 2 or 5 times a power of ten. */
function roundUp(n) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, n)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= n);
}

/* points: [{passed, stopped, label}], the oldest first; title says what is counted, summary
 * says the whole in words, for people who do not see it. */
export function bars(points, { title, summary, from, to }) {
  const peak = Math.max(0, ...points.map((p) => p.passed + p.stopped));
  const most = roundUp(peak);
  const step = WIDTH / Math.max(1, points.length);
  const width = Math.max(1, step - 2);
  const bar = (point, i, value, below, kind) => {
    const height = value === 0 ? 0 : Math.max(1.5, (value / most) * HEIGHT);
    return svg("rect", {
      class: kind,
      x: i * step + 1,
      width,
      height,
      y: HEIGHT - (below / most) * HEIGHT - height,
    });
  };
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, title, h("span", { class: "muted" }, ` · at most ${number(peak)}`)),
    svg(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`,
        role: "img",
        "aria-label": `${title}: ${summary}`,
        preserveAspectRatio: "none",
      },
      svg("line", { class: "rule", x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }),
      points.map((point, i) =>
        svg(
          "g",
          {},
          svg("title", {}, point.label),
          bar(point, i, point.passed, 0, "passed"),
          bar(point, i, point.stopped, point.passed, "stopped"),
        ),
      ),
    ),
    h("div", { class: "span muted" }, h("span", {}, from), h("span", {}, to)),
  );
}

/* Those of one kind and place on the line, as one. */
function groups(marks, place) {
  const found = new Map();
  for (const mark of marks) {
    const name = `${mark.kind} ${place(mark.at)}`;
    found.set(name, [...(found.get(name) ?? []), mark]);
  }
  return [...found.values()];
}

/* Moments on a line from the first to the last: when messages were held, and what people
 * decided. marks: [{at (ms), kind, label}]. */
export function moments(marks, { label, from, to }) {
  const first = Math.min(...marks.map((m) => m.at));
  const last = Math.max(...marks.map((m) => m.at), first + 1000);
  const place = (at) => `${(1.5 + Math.round(((at - first) / (last - first)) * 194) / 2).toFixed(1)}%`;
  const draw = ([mark, ...more]) => {
    const x = place(mark.at);
    const says = svg(
      "title",
      {},
      more.length > 0 ? `${mark.label} and ${number(more.length)} more` : mark.label,
    );
    return mark.kind === "decided"
      ? svg("line", { class: "decided", x1: x, x2: x, y1: 3, y2: 25 }, says)
      : svg(
          "circle",
          { class: mark.kind, cx: x, cy: 14, r: (4 + 1.3 * Math.log2(1 + more.length)).toFixed(1) },
          says,
        );
  };
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { class: "moments", role: "img", "aria-label": label },
      svg("line", { class: "rule", x1: 0, x2: "100%", y1: 14, y2: 14 }),
      groups(marks, place).map(draw),
    ),
    h("div", { class: "span muted" }, h("span", {}, from), h("span", {}, to)),
  );
}
