// Lanes over the clip's seconds: their axis, the spectrogram, and the strip of sound tokens under it.

const STRIP = 22;                                // pixels of the 58 of a strip that are coloured; below, who leads
let lanes = [];                                  // {kind, source, plot, …}: kind is "sound" or "picture"

function drawLanes(heard) {
  const {heard: tokensOf, steps} = state.tower, out = [make("div", {className: "name"})], several = heard.length > 1;
  lanes = [];
  out.push(axis());
  for (const source of heard) {
    const tokens = tokensOf.get(source) || [], of = several ? ` of the ${clipName(source)}` : "";
    const pictured = data.clip.sounds[source];
    const scale = `−90…−10 dB, ${state.dark ? "lighter" : "darker"} is louder`;
    out.push(pictured ? heading("Spectrogram", `${of} ${scale}`) : heading("Sound tokens", of));
    if (pictured) out.push(...spectrum(source));
    if (tokens.length) out.push(...strip(source, tokens));
  }
  for (const [source, tokens] of tokensOf) out.push(...curve("sound", source, tokens, several));
  const sources = [...new Set(steps.map(s => s.source))];
  for (const source of sources)
    out.push(...curve("pictures", source, steps.filter(s => s.source === source), sources.length > 1));
  $("lanes").replaceChildren(...out, make("div", {id: "over"}, playhead()));
}
function playhead() {
  const out = make("div", {id: "playhead", tabIndex: 0}), longest = +state.span.toFixed(2);
  const fixed = {role: "slider", "aria-label": "Playhead, seconds of the clip", "aria-valuemin": 0,
    "aria-valuemax": longest};
  for (const name in fixed) out.setAttribute(name, fixed[name]);
  return out;
}
const heading = (name, rest) => make("div", {className: "head"}, make("b", {textContent: name}), rest);
function scaleName(names) {
  return make("div", {className: "name"}, ...names.map(([text, top]) => {
    const e = make("span", {textContent: text});
    e.style.top = `${100 * top}%`;
    return e;
  }));
}
function lane(className, source, kind) {
  const plot = make("div", {className: `time ${className}`}), out = {kind, source, plot};
  BEHIND.set(plot, out);
  lanes.push(out);
  return out;
}
function axis() {
  const {plot} = lane("axis", 0, "sound"), {span} = state, step = tickStep(span);
  for (let i = 0; i * step <= span + 1e-9; i++) {
    const mark = make("span", {textContent: clock(i * step, step < 1 ? 1 : 0)});
    mark.style.left = `${100 * i * step / span}%`;
    if (i * step > .97 * span) mark.style.transform = "translateX(-100%)";
    plot.append(mark);
  }
  return plot;
}
function spectrum(source) {
  const {plot} = lane("spectrum", source, "sound"), [seconds, url] = data.clip.sounds[source];
  const picture = make("img", {src: url, alt: "Spectrogram of the sound", draggable: false});
  picture.style.width = `${100 * seconds / state.span}%`;
  plot.style.overflow = "hidden";
  plot.append(picture);
  plot.classList.add("ground");
  return [scaleName(data.clip.hertz.map(([name, up]) => [name, 1 - up])), plot];
}
function strip(source, tokens) {
  const out = lane("strip", source, "sound"), {plot} = out, {heads} = state.tower;
  const long = clock(state.span);
  out.canvas = make("canvas"); out.tokens = tokens; out.paint = () => paintStrip(out);
  plot.tabIndex = 0;
  plot.setAttribute("role", "application");
  plot.setAttribute("aria-label", `${tokens.length} sound tokens over ${long}. Arrow keys move, Enter keeps.`);
  plot.append(out.canvas);
  const rows = range(heads).map(k => [k + 1, (STRIP + 4 + (54 - STRIP) / heads * (k + .5)) / 58]);
  return [scaleName([["heads", STRIP / 116], ...rows]), plot];
}
function paintStrip({canvas, tokens}) {
  const on = fit(canvas), {tower, span} = state;
  if (!on) return;
  const X = s => Math.round(on.wide * s / span), row = (54 - STRIP) / tower.heads, top = STRIP + 4, ink = css("--text");
  const pen = on.pen;
  pen.fillStyle = css("--line");
  range(tower.heads).forEach(k => pen.fillRect(0, top + row * (k + .5) - .5, on.wide, 1));
  for (const t of tokens) {
    const {start, end} = tower.tokens[t], w = share(t), [r, g, b, opacity] = laid(w);
    const x = X(start), wide = Math.max(1, X(end) - x), first = leads(w);
    pen.fillStyle = `rgba(${r},${g},${b},${opacity})`;
    pen.fillRect(x, 0, wide, STRIP);
    if (first === "·") continue;
    pen.fillStyle = ink;
    pen.fillRect(x, top + row * (first - .5) - row * .3, wide, row * .6);
  }
}

// The stretch of token `t`, marked in the lanes of `kind`.
function stretch(t, kind) {
  const {start, end, source} = state.tower.tokens[t], {span} = state;
  const from = Math.max(0, start) / span, to = Math.min(span, end ?? start) / span;
  for (const l of lanes) {
    if (l.source !== source || l.kind !== kind || l.plot.matches(".axis")) continue;
    const mark = make("i");
    mark.style.cssText = `left:min(${100 * from}%, 100% - 5px);width:${100 * Math.max(0, to - from)}%`;
    mark.dataset.token = t;
    l.plot.append(mark);
  }
}

when("size", () => lanes.forEach(l => l.paint?.()));
