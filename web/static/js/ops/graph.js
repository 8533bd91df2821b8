// One actor's last quarter of an hour: its waiting mail, below it whether it was up, and a mark for each restart.

import { deepest, depthPath, restartsIn, stretches } from "./past.js";
import { say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 44;
const MAIL = 30;
const STRIP = 36;
const THICK = 6;
const LEAST_PX = 1.5;

/** Only attributes and classes: the page's policy allows no inline styles. */
function part(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export class Graph {
  constructor(name) {
    this.name = name;
    this.element = part("svg", {
      class: "past",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
    });
  }

  draw(samples, { now, span }) {
    const x = (at) => Math.max(0, WIDTH * (1 - (now - at) / span));
    const most = deepest(samples);
    const restarts = restartsIn(samples);
    const label = say("graph.label", { name: this.name, most, restarts: restarts.length });
    this.element.setAttribute("aria-label", label);
    const title = part("title", {});
    title.textContent = label;
    const path = depthPath(samples, { now, span, width: WIDTH, height: MAIL, most: Math.max(most, 1) });
    this.element.replaceChildren(
      title,
      part("rect", { class: "ground", x: 0, y: STRIP, width: WIDTH, height: THICK }),
      part("path", { class: "mail", d: path }),
      ...stretches(samples).map(({ from, to, up }) =>
        part("rect", {
          class: up ? "up" : "away",
          x: x(from),
          y: STRIP,
          width: Math.max(LEAST_PX, x(to) - x(from)),
          height: THICK,
        }),
      ),
      ...restarts.map((at) =>
        // A line whose width does not grow with the graph's.
        part("path", { class: "again", d: `M${Math.min(x(at), WIDTH - 1)} 0V${HEIGHT}`, "vector-effect": "non-scaling-stroke" }),
      ),
    );
  }
}
