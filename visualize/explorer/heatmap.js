// Sites × tokens: a heatmap a head.

function drawPanels() {
  const {tower} = state, {tokens, sites, heads} = tower;
  const height = clamp(3 * sites.length, 90, 420), whole = mean(tower, range(sites.length), range(tokens.length));
  const panels = range(heads).flatMap(k => [headTitle(k, ` ${pct(whole[k])} of all`), panel(k, height)]);
  $("panels").replaceChildren(...panels);
  $("runs").replaceChildren(...runsOf(tokens).map(({n, name}) => {
    const e = make("span", {textContent: n > tokens.length / 14 ? name : "", title: `${name}, ${n} tokens`});
    e.style.flex = `${n} 0 0`;
    return e;
  }));
}
function panel(k, height) {
  const {weights, heads, tokens, sites} = state.tower, wide = tokens.length, tall = sites.length;
  const canvas = make("canvas", {width: wide, height: tall}), pen = canvas.getContext("2d");
  const image = pen.createImageData(wide, tall), pixels = new Uint32Array(image.data.buffer);
  const colours = headScale(k).map(([r, g, b]) => 0xff000000 | b << 16 | g << 8 | r);
  for (let p = 0, q = k; p < pixels.length; p++, q += heads) pixels[p] = colours[weights[q] >> 8];
  pen.putImageData(image, 0, 0);
  canvas.style.cssText = `height:${height}px;image-rendering:${wide > 900 ? "auto" : "pixelated"}`;
  // Its lines: the playhead's token, the token shown, the site.
  const marks = ["n", "x", "y"].map(className => make("i", {className}));
  const out = make("div", {className: "panel", tabIndex: 0}, canvas, ...marks);
  out.setAttribute("role", "application");
  out.setAttribute("aria-label", `Head ${k + 1}, ${tall} sites by ${wide} tokens. Arrow keys move, Enter keeps.`);
  return out;
}
const lines = name => document.querySelectorAll(`.panel .${name}`);
function showInPanels() {
  const {tower, site} = state, t = shown(), along = (i, n) => `calc(${100 * (i + .5) / n}% - .75px)`;
  lines("x").forEach(e => { e.hidden = t === null; e.style.left = along(t, tower.tokens.length); });
  lines("y").forEach(e => { e.hidden = site === null; e.style.top = along(site, tower.sites.length); });
}
function showTime() {
  const {tower, time} = state, token = soundAt(tower, 0, time);
  const left = `${100 * ((token ?? 0) + .5) / tower.tokens.length}%`;
  lines("n").forEach(e => { e.hidden = token === null; e.style.left = left; });
}

when("tower", drawPanels);
when("token", showInPanels);
when("time", showTime);
