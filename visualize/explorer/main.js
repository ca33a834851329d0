// The start: reads the data, builds the views, listens.

function start(given) {
  data = given;
  data.clip ??= {duration: 0, pictures: [], sounds: [], hertz: []};
  $("loading").hidden = true;
  $(data.towers.length ? "all" : "none").hidden = false;
  if (data.towers.length) {
    buildBar();
    buildClip();
    restore(data, data.view !== "overview");
    const listeners = {pointermove: onMove, click: onClick, focusin: onFocus, keydown: onKey, pointerdown: onGrab};
    for (const name in listeners) document.addEventListener(name, listeners[name]);
    document.documentElement.addEventListener("pointerleave", onMove);
    watchWidth();
    if (FRAME) listen();
  }
  document.body.dataset.ready = "1";
  say("crab-ready", {});
}
function watchWidth() {
  let wide = 0;
  new ResizeObserver(([entry]) => {
    if (Math.abs(entry.contentRect.width - wide) < 1) return;
    wide = entry.contentRect.width;
    changed("size");
    if (state.enlarged.size) { drawCharts(); later(); }
  }).observe($("all"));
}

state.dark = GIVEN.dark ?? matchMedia("(prefers-color-scheme: dark)").matches;
colours();
if (FRAME) embed();
if (!("url" in GIVEN)) start(GIVEN);
else fetch(GIVEN.url).then(answer => answer.ok ? answer.json() : Promise.reject()).then(start, () => {
  $("loading").textContent = "The router weights could not be loaded. Ask again to see them.";
  document.body.dataset.ready = "0";
});
