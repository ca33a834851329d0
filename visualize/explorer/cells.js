// Layers × modules: built once a tower and look, painted for every token.

const WIDE_SPAN = 12;                            // layers from which tables are set small
const GREY = {entropy: "entropy of a token as a share of its maximum", distance: "distance of the mean from all alike"};
let cells = [], slims = [];                      // {td, site, head}; {td, layer, sites, what}

function drawCells() {
  const {three, tower} = state;
  cells = []; slims = [];
  $("three").setAttribute("aria-pressed", three);
  $("cells").className = three ? "three" : "";
  const panels = () => range(tower.heads).map(k => make("div", {}, headTitle(k, ""), table(k)));
  $("cells").replaceChildren(...(three ? panels() : [table(null)]));
}
// `head` null: all heads in one cell, and beside them the two numbers that are easily confused, in grey.
function table(head) {
  const {layers, modules, sites} = state.tower, many = layers.length > WIDE_SPAN, where = {};
  const greys = head === null ? Object.keys(GREY) : [];
  const out = make("table", many ? {className: "many"} : {}, headings(modules, greys));
  sites.forEach((s, i) => where[s] = i);
  const words = !many && head === null && modules.length < 8 && innerWidth > 900 ? "not adapted" : "";
  for (const layer of layers) {
    const line = make("tr", {}, make("th", {textContent: layer, scope: "row"}));
    for (const m of modules) {
      const site = where[[layer, m]];
      if (site === undefined) {
        line.append(make("td", {className: "none", title: `layer ${layer} · ${m}: not adapted`, textContent: words}));
        continue;
      }
      const td = make("td");
      td.dataset.site = site;
      cells.push({td, site, head});
      line.append(td);
    }
    for (const what of greys) {
      const td = make("td", {className: slim(what)});
      td.dataset.what = what;
      slims.push({td, layer, sites: ofLayer(state.tower, layer), what});
      line.append(td);
    }
    out.append(line);
  }
  return out;
}
const slim = what => what === "entropy" ? "slim first" : "slim";
function headings(modules, greys) {
  const row = make("tr", {}, make("th", {textContent: "layer"}));
  for (const m of modules) {
    const [a, b] = m.replace(/_proj$/, "").split(".");
    const name = b === undefined ? [a] : [a + ".", make("wbr"), b];
    row.append(make("th", {scope: "col"}, ...name));
  }
  for (const what of greys) {
    const title = `${GREY[what]}, mean over modules`;
    row.append(make("th", {className: slim(what), textContent: what, scope: "col", title}));
  }
  return row;
}
function paintCells() {
  const {tower} = state, tokens = shownTokens(), bySite = new Map();
  const ground = (td, c) => td.style.cssText = `background-color:rgb(${c});color:${inkOn(c)}`;
  const of = s => {
    if (!bySite.has(s)) {
      const w = mean(tower, [s], tokens);
      bySite.set(s, {w, entropy: entropy(tower, s, tokens), distance: distance(w)});
    }
    return bySite.get(s);
  };
  for (const {td, site, head} of cells) {
    const {w, entropy: e, distance: d} = of(site), [layer, module] = tower.sites[site];
    ground(td, head === null ? mix(w) : headScale(head)[Math.round(255 * w[head])]);
    td.textContent = head === null ? leads(w) : Math.round(100 * w[head]);
    const greys = [`${GREY.entropy} ${e.toFixed(2)}`, `${GREY.distance} ${d.toFixed(2)}`];
    td.title = [`layer ${layer} · ${module}`, told(w), ...greys].join("\n");
    td.classList.toggle("on", site === state.site);
  }
  for (const {td, layer, sites, what} of slims) {
    const v = sites.reduce((sum, s) => sum + of(s)[what], 0) / sites.length;
    ground(td, greyScale()[Math.round(255 * clamp(v, 0, 1))]);
    td.textContent = v.toFixed(2);
    td.title = `layer ${layer}: ${GREY[what]} ${v.toFixed(3)}`;
  }
}

$("three").onclick = () => { state.three = !state.three; changed("three", "token"); };
when("tower", drawCells);
when("three", drawCells);
when("token", paintCells);
