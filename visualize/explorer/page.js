// The page around us, where we stand in an iframe: the events of visualize/standalone.py, and room to stand in.

// Either the data itself or where it lies: {url, dark}.
const GIVEN = JSON.parse($("data").textContent);
const FRAME = "url" in GIVEN ? window.frameElement : null;

function say(name, detail) {
  // The page's own kind of event: it may check what it is given.
  FRAME?.dispatchEvent(new window.parent.CustomEvent(name, {bubbles: true, detail}));
}
let said = "";
const current = () => ({view: state.view, tower: state.tower.name, token: state.locked});
function saySo() {
  const detail = current(), now = JSON.stringify(detail);
  if (now === said) return;
  said = now;
  say("crab-view", detail);
}
// Shows what was asked for, without telling back what is known already.
function restore({view: section, tower, token}, scroll) {
  const i = Math.max(0, data.towers.findIndex(t => t.name === tower)), {name, tokens} = data.towers[i];
  state.kept = Number.isInteger(token) && token >= 0 && token < tokens.length ? {tower: i, token} : null;
  state.view = $(section)?.matches("section") ? section : "overview";
  said = JSON.stringify({view: state.view, tower: name, token: state.kept ? state.kept.token : null});
  open(i);
  // The playhead goes where the piece is.
  const start = state.locked === null ? null : state.tower.tokens[state.locked].start;
  if (start !== null) { state.time = clamp(start, 0, state.span); changed("time"); }
  if (scroll) toSight();
  return start;
}
function toSight() {
  const word = state.view === "tokens" && wordOf(state.locked);
  if (word) word.scrollIntoView({block: "center"}); else $(state.view).scrollIntoView();
}
function listen() {
  FRAME.addEventListener("crab-time", e => {
    state.time = clamp(+e.detail.time || 0, 0, state.span);
    changed("time");
  });
  FRAME.addEventListener("crab-open", e => {
    const start = restore(e.detail, false);
    hold();
    if (start !== null) say("crab-seek", {time: state.time});
  });
}
// What was opened stays in sight while we and the page around us still grow, until the visitor does something.
function hold() {
  const stay = () => { settle(); toSight(); }, over = new AbortController();
  const sizes = [window, window.parent].map(home => new home.ResizeObserver(stay));
  const end = () => { sizes.forEach(watch => watch.disconnect()); over.abort(); };
  const options = {capture: true, passive: true, signal: over.signal};
  for (const home of [window, window.parent])
    for (const name of ["pointerdown", "wheel", "touchstart", "keydown"]) home.addEventListener(name, end, options);
  addEventListener("pagehide", end, options);
  stay();
  sizes[0].observe(document.querySelector("main"));
  for (let e = FRAME.parentElement; e; e = e.parentElement) sizes[1].observe(e);
}

function settle() {
  FRAME.style.height = Math.ceil(document.querySelector("main").getBoundingClientRect().height) + "px";
}
// In an iframe as tall as its content nothing is sticky: what is shown is moved as the page around us scrolls.
function stick() {
  const kept = $("shown"), top = FRAME.getBoundingClientRect().top + kept.offsetTop;
  const room = document.querySelector("main").offsetHeight - kept.offsetTop - kept.offsetHeight;
  const down = clamp(8 - top, 0, Math.max(0, room));
  kept.style.transform = down ? `translateY(${Math.round(down)}px)` : "";
}
function embed() {
  const root = document.documentElement, around = window.parent.document;
  root.classList.add("framed");
  new ResizeObserver(settle).observe(document.querySelector("main"));
  around.addEventListener("scroll", stick, {capture: true, passive: true});
  addEventListener("pagehide", () => around.removeEventListener("scroll", stick, {capture: true}));
}

when("token", saySo);
