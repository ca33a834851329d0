// Pointing, keeping, moving: by mouse, finger and keyboard.

// What lies under the pointer: {token, site, time}, each missing where it says nothing; null where there is nothing.
function pointed(e) {
  const on = e.target.closest?.(".t, .panel, .face, .time, td[data-site]"), {tower, layer, span} = state;
  if (!on) return null;
  if (on.matches(".t")) return {token: +on.dataset.token};
  if (on.matches("td")) return {site: +on.dataset.site};
  const box = on.getBoundingClientRect(), within = v => clamp(v, 0, .999999);
  const x = within((e.clientX - box.left) / box.width), y = within((e.clientY - box.top) / box.height);
  if (on.matches(".panel"))
    return {token: Math.floor(x * tower.tokens.length), site: Math.floor(y * tower.sites.length)};
  if (on.matches(".face")) {
    const {step} = BEHIND.get(on), {rows, cols, cells} = step;
    const t = cells[Math.floor(y * rows) * cols + Math.floor(x * cols)] ?? -1;
    return {token: t < 0 ? undefined : t, time: step.start};
  }
  const {kind, source} = BEHIND.get(on), seconds = x * span;
  if (kind === "sound") return {token: soundAt(tower, source, seconds) ?? undefined, time: seconds};
  const step = stepAt(tower.steps, source, seconds);
  return {token: step ? typical(tower, layer, step) : undefined, time: seconds};
}

function onMove(e) {
  const p = pointed(e);
  if (!p && state.at === null && state.site === null) return;
  state.at = p?.token ?? null;
  if (state.locked === null || p) state.site = p?.site ?? null;
  later();
}
function onClick(e) {
  const section = e.target.closest?.("section"), chart = e.target.closest?.("#charts figure"), p = pointed(e);
  if (section) state.view = section.id;
  if (chart) enlarge(chart);
  if (p?.time !== undefined) seek(p.time);
  if (p?.token !== undefined) { keep(p.token); state.site = p.site ?? null; }
  later();
}
function onFocus(e) {
  const on = e.target, section = on.closest?.("section"), {locked} = state;
  if (section && on.matches(":focus-visible")) state.view = section.id;
  if (on.matches?.(".t")) { state.at = +on.dataset.token; stopAt(on); }
  // A picture or a strip that gets the focus by keys starts at its first cell, unless one of its own is shown already.
  const own = ownTokens(on);
  const entered = own.length && on.matches(":focus-visible") && !own.includes(state.at);
  if (entered) state.at = own.includes(locked) ? locked : own[0];
  later();
}
function ownTokens(element) {
  const behind = element && BEHIND.get(element);
  return behind?.step ? [...behind.step.cells].filter(t => t >= 0) : element?.matches?.(".strip") ? behind.tokens : [];
}

const STEPS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const SECONDS = {ArrowLeft: -.1, ArrowDown: -.1, ArrowRight: .1, ArrowUp: .1, PageUp: 1, PageDown: -1, Home: -Infinity,
  End: Infinity};

function onKey(e) {
  if (e.key === "Escape") { letGo(); later(); return; }
  const on = e.target, step = STEPS[e.key], enter = e.key === "Enter" || e.key === " ";
  const moved = on.id === "playhead" ? slide(e.key, enter) :
    on.matches?.("#charts figure") && enter ? (enlarge(on), true) :
    on.matches?.(".t") && (step || e.key === "Home" || e.key === "End") ? toWord(on, e.key) :
    enter ? keepFocused(on) : step ? walk(on, ...step) : false;
  if (!moved) return;
  state.view = on.closest("section")?.id ?? state.view;
  e.preventDefault();
  later();
}
// The playhead itself.
function slide(key, enter) {
  const heard = () => soundAt(state.tower, 0, state.time), by = SECONDS[key];
  if (enter) { const t = heard(); if (t !== null) keep(t); return true; }
  if (by === undefined) return false;
  seek(Math.round(1000 * clamp(state.time + by, 0, state.span)) / 1000);
  state.at = heard();
  return true;
}
function keepFocused(on) {
  if (!on.matches?.(".t, .panel, .face, .strip")) return false;
  const t = on.matches(".t") ? +on.dataset.token : state.at, behind = BEHIND.get(on);
  if (behind?.step) seek(behind.step.start); else if (behind && t !== null) seek(state.tower.tokens[t].start);
  if (t !== null) keep(t);
  return true;
}
function toWord(on, key) {
  state.locked = state.kept = null;
  wordFrom(on, key).focus();
  return true;
}
// Arrow keys inside a heatmap, a picture, a strip.
function walk(on, dx, dy) {
  const {tower} = state;
  if (on.matches?.(".panel")) {
    state.at = clamp((shown() ?? -dx) + dx, 0, tower.tokens.length - 1);
    state.site = clamp((state.site ?? 0) + dy, 0, tower.sites.length - 1);
  } else if (on.matches?.(".face") && BEHIND.get(on).step.rows) {
    const {rows, cols, cells} = BEHIND.get(on).step, from = Math.max(0, cells.indexOf(shown()));
    const row = clamp(Math.floor(from / cols) + dy, 0, rows - 1), col = clamp(from % cols + dx, 0, cols - 1);
    state.at = cells[row * cols + col];
  } else if (on.matches?.(".strip") && dx) {
    const {tokens} = BEHIND.get(on), here = tokens.indexOf(shown());
    state.at = tokens[here < 0 ? 0 : clamp(here + dx, 0, tokens.length - 1)];
  } else return false;
  state.locked = state.kept = null;
  return true;
}
function onGrab(e) {
  if (e.target.id !== "playhead") return;
  const head = e.target, follow = move => {
    const box = $("over").getBoundingClientRect();
    move.stopPropagation();
    seek(state.span * (move.clientX - box.left) / box.width);
    state.at = soundAt(state.tower, 0, state.time);
    later();
  };
  head.setPointerCapture(e.pointerId);
  head.addEventListener("pointermove", follow);
  head.addEventListener("lostpointercapture", () => head.removeEventListener("pointermove", follow), {once: true});
}
