// In the clip: pictures and lanes under one playhead, what is laid over them, and where a token stands in them.

const clipName = source => source ? "second clip" : "first clip";

function buildClip() {
  const heads = Math.max(...data.towers.map(t => t.heads));
  $("overlay").append(...["heads", ...range(heads).map(k => `${k + 1}`), "off"].map(overlayButton));
}
function overlayButton(what) {
  const textContent = what === "heads" || what === "off" ? what : `head ${what}`;
  const choose = () => { state.overlay = what; changed("overlay", "size", "time", "token"); };
  const button = make("button", {type: "button", textContent, onclick: choose});
  button.dataset.overlay = what;
  return button;
}
function drawClip() {
  const {tower, overlay} = state, {sounds, pictures} = data.clip;
  const heard = [...new Set([...tower.heard.keys(), ...sounds.flatMap((s, i) => s ? [i] : [])])].sort();
  // A tower that saw no pictures still shows where in the clip one is.
  const bare = ([source, start]) => ({source, start, end: null, rows: 0, cols: 0, tokens: [], cells: []});
  const steps = tower.steps.length ? tower.steps : pictures.map(bare);
  $("clip").hidden = !heard.length && !steps.length;
  drawFilm(steps);
  drawLanes(heard);
  $("laid").textContent = laidSaid();
  [...$("overlay").children].forEach(b => b.setAttribute("aria-pressed", b.dataset.overlay === overlay));
}
function laidSaid() {
  const {tower, overlay} = state;
  if (overlay === "off") return "Nothing is laid over the clip.";
  const over = tower.steps.length || tower.heard.size ? `Mean over ${layerSaid()}. ` : "";
  if (overlay !== "heads")
    return `${over}Opacity: the weight of head ${overlay}, clear at 0 %; in the cells in per cent.`;
  return `${over}Hue: which heads lead; digit: the first of them; opacity: how far from all alike, to the power ` +
    `${data.power}. Under the strip of sound, a mark in the row of the head that leads.`;
}

// Where the token stands in the clip: its cell outlined, its stretch marked. A word stands nowhere in it.
function showClip() {
  document.querySelectorAll(".face i, .time > i").forEach(e => e.remove());
  const t = shown(), token = t === null ? null : state.tower.tokens[t];
  if (token === null || token.start === null) return;
  if (token.row !== null) outline(t);
  stretch(t, token.row === null ? "sound" : "picture");
}

function movePlayhead() {
  const {tower, time, span} = state, head = $("playhead"), token = soundAt(tower, 0, time), now = stepsNow();
  $("lanes").style.setProperty("--now", `${100 * clamp(time / span, 0, 1)}%`);
  head.setAttribute("aria-valuenow", +time.toFixed(2));
  const picture = now[0] ? `picture ${film.findIndex(f => f.step === now[0]) + 1} of ${film.length}` : "";
  const words = [clock(time), picture, token === null ? "" : tower.tokens[token].name];
  head.setAttribute("aria-valuetext", words.filter(Boolean).join(", "));
}
// The visitor moves the playhead: the player follows.
function seek(seconds) {
  state.time = clamp(seconds, 0, state.span);
  changed("time");
  say("crab-seek", {time: state.time});
}

when("tower", drawClip);
when("layer", drawClip);
when("overlay", drawClip);
when("token", showClip);
when("time", movePlayhead);
