// Curves of the heads over depth: a chart a modality, layers along, mean share up.

function drawCharts() {
  $("charts").replaceChildren(...state.tower.modalities.map(chart));
}
function chart(modality) {
  const {tower} = state, {layers} = tower, large = state.enlarged.has(modality), tokens = ofModality(tower, modality);
  const values = layers.map(l => mean(tower, ofLayer(tower, l), tokens)), place = placing(large, layers.length);
  const {X, Y, size} = place, middle = {"text-anchor": "middle", "font-size": size}, svg = frameOf(place, large);
  range(tower.heads).forEach(k => {
    svg.append(line(values, k, place, 1.8));
    values.forEach((w, i) => {
      const mark = drawn("text", {x: X(i), y: Y(w[k]) + 3, ...middle, fill: data.hues[k]}, MARKS[k % 3]);
      mark.append(drawn("title", {}, `layer ${layers[i]}: ${told(w)}`));
      svg.append(mark);
    });
  });
  const every = Math.ceil(layers.length / (large ? 16 : 8));
  layers.forEach((l, i) => {
    if (i % every === 0) svg.append(drawn("text", {x: X(i), y: place.tall - 6, ...middle, fill: "var(--quiet)"}, l));
  });
  const caption = make("figcaption", {}, make("b", {textContent: named(modality)}), ` ${tokens.length} tokens`);
  const figure = make("figure", {className: large ? "large" : "", tabIndex: 0}, caption, svg);
  figure.dataset.modality = modality;
  figure.setAttribute("role", "button");
  figure.setAttribute("aria-expanded", large);
  const spoken = values.map((w, i) => `layer ${layers[i]}, ${toldBriefly(w)}`).join("; ");
  figure.setAttribute("aria-label", `${named(modality)}, ${tokens.length} tokens. ${spoken}`);
  // The token that is shown, drawn into the chart of its modality.
  figure.one = t => {
    const own = t === null ? [] : layers.map(l => mean(tower, ofLayer(tower, l), [t]));
    const curves = own.length ? range(tower.heads).map(k => line(own, k, place, 1)) : [];
    svg.querySelector(".one").replaceChildren(...curves);
  };
  return figure;
}
// Where layer `i` and share `v` stand in a chart of `n` layers.
function placing(large, n) {
  const wide = large ? Math.max(296, $("charts").clientWidth) : 296, tall = large ? 300 : 132, size = large ? 11 : 9;
  const x0 = 38, x1 = wide - 10, y0 = 12, y1 = tall - 22;
  const X = i => n > 1 ? x0 + (x1 - x0) * i / (n - 1) : (x0 + x1) / 2, Y = v => y1 - (y1 - y0) * v;
  return {wide, tall, size, x0, x1, X, Y};
}
function frameOf({wide, tall, size, x0, x1, Y}, large) {
  const svg = drawn("svg", {viewBox: `0 0 ${wide} ${tall}`, "aria-hidden": "true"}), alike = 1 / state.tower.heads;
  for (const v of large ? [0, .25, .5, .75, 1] : [0, .5, 1]) {
    const name = {x: x0 - 5, y: Y(v) + 3, "text-anchor": "end", "font-size": size, fill: "var(--quiet)"};
    svg.append(drawn("line", {x1: x0, x2: x1, y1: Y(v), y2: Y(v), stroke: "var(--line)"}),
      drawn("text", name, `${100 * v} %`));
  }
  const dotted = {stroke: "var(--quiet)", "stroke-dasharray": "1 3"};
  svg.append(drawn("line", {x1: x0, x2: x1, y1: Y(alike), y2: Y(alike), ...dotted}), drawn("g", {class: "one"}));
  return svg;
}
function line(values, k, {X, Y}, width) {
  const points = values.map((w, i) => `${X(i).toFixed(1)},${Y(w[k]).toFixed(1)}`).join(" ");
  return drawn("polyline", {points, fill: "none", stroke: data.hues[k], "stroke-width": width,
    "stroke-dasharray": DASHES[k % 3].join(" ")});
}
function enlarge(figure) {
  const name = figure.dataset.modality, {enlarged} = state;
  enlarged.has(name) ? enlarged.delete(name) : enlarged.add(name);
  const next = chart(name);
  figure.replaceWith(next);
  next.focus({preventScroll: true});
  later();
}
function showInCharts() {
  const t = shown(), modality = t === null ? null : state.tower.tokens[t].modality;
  for (const figure of $("charts").children) figure.one(figure.dataset.modality === modality ? t : null);
}

when("tower", drawCharts);
when("token", showInCharts);
