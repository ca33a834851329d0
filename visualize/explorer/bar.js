// The bar on top: tower, group of tokens, layer, light or dark; and what is shown, in words and numbers.

function buildBar() {
  const tower = (t, i) => make("button", {type: "button", textContent: t.title, onclick: () => open(i)});
  $("towers").append(...data.towers.map(tower));
  $("mode").onclick = () => { state.dark = !state.dark; colours(); redraw(); };
  $("group").onchange = () => { state.group = $("group").value; changed("token"); };
  $("layer").onchange = () => { state.layer = $("layer").value; changed("layer", "size", "time", "token"); };
}
function colours() { document.documentElement.classList.toggle("dark", state.dark); }

function drawBar() {
  const {tower, group, layer} = state, chosen = data.towers.indexOf(tower);
  [...$("towers").children].forEach((b, k) => b.setAttribute("aria-pressed", k === chosen));
  $("group").replaceChildren(new Option("all", ""), ...tower.modalities.map(m => new Option(named(m), m)));
  $("layer").replaceChildren(new Option("all", ""), ...tower.layers.map(l => new Option(l, l)));
  $("group").value = group;
  $("layer").value = layer;
}
function tell() {
  const {tower, layer, site} = state, t = shown(), tokens = shownTokens();
  const w = mean(tower, ofLayer(tower, layer), tokens);
  const name = t === null ? `Mean of ${tokens.length} tokens` :
    `${state.locked === null ? "" : "Kept: "}Token ${t} · ${tower.tokens[t].name}`;
  const lines = [make("b", {textContent: name}), make("br"), `${layerSaid()}: ${told(w)}`];
  if (site !== null) {
    const words = `layer ${tower.sites[site].join(" · ")}: ${told(mean(tower, [site], tokens))}`;
    lines.push(make("br"), make("b", {textContent: words}));
  }
  const stack = make("div", {className: "stack"});
  w.forEach((v, k) => {
    const part = make("i");
    part.style.cssText = `flex:${v} 0 0;background:${data.hues[k]}`;
    stack.append(part);
  });
  $("told").replaceChildren(...lines, stack);
  $("of").textContent = `${name}. ` + (state.three ? "A panel a head, numbers in per cent; hatched: not adapted." :
    "Hue: which heads lead; digit: the first of them, “·” where none is 1 point ahead; strength: how far from all " +
    `alike, to the power ${data.power}; hatched: not adapted. Grey, 0…1: how undecided a single token is (entropy), ` +
    "and how far the tokens’ mean is from all alike (distance).");
  for (const id of ["tokens", "overview", "clip", "film", "lanes", "modality", "heatmap"])
    if (t === null) delete $(id).dataset.token; else $(id).dataset.token = t;
}

when("tower", drawBar);
when("token", tell);
