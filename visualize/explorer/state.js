// Everything that can change, in one object, and who hears of a change.

let data;                                        // what `visualize.standalone.data` wrote; does not change

// Positions count tokens, a site is a row, both of the open tower.
const state = {
  tower: null,                                   // the open tower, prepared
  span: 1,                                       // seconds that the clip's lanes cover
  layer: "", group: "",                          // a layer's number and a modality, as text; "" for all
  at: null, locked: null, site: null,            // the token pointed at, the one kept; the site pointed at
  kept: null,                                    // {tower, token}: the kept piece; outlives towers that lack it
  time: 0,                                       // of the playhead, seconds of the clip
  view: "overview",                              // the section last used
  overlay: "heads",                              // over the clip: "heads", "off", or a head's number as text
  three: false,                                  // layers × modules as a panel a head
  enlarged: new Set(),                           // modalities whose charts are large
  dark: false,
};

// A view says what it does when something becomes another:
//   tower     the tower, or light and dark: all is built anew
//   layer     the layer of which means are shown
//   overlay   what is laid over the clip
//   three     one panel or one a head
//   size      the room of the canvases, or what they show: they are painted
//   time      the playhead
//   token     the token, the site or the group that is shown
const listeners = {tower: [], layer: [], overlay: [], three: [], size: [], time: [], token: []};
const when = (change, ...acts) => listeners[change].push(...acts);
const changed = (...changes) => changes.forEach(change => listeners[change].forEach(act => act()));

// "token", once a frame at the most.
let due = false;
function later() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; changed("token"); });
}

// --- What follows from it ---

const shown = () => state.locked ?? state.at;
const shownTokens = () => shown() === null ? ofModality(state.tower, state.group) : [shown()];
const layerSaid = () => state.layer === "" ? "all layers" : "layer " + state.layer;
// Means over the chosen layer: of a token, of many.
const share = t => layerMean(state.tower, state.layer, t);
const meanShare = tokens => layerMeanOf(state.tower, state.layer, tokens);

// --- What is done to it ---

function open(i) {
  const tower = prepare(data.towers[i]), {kept} = state;
  const locked = kept === null ? null : counterpart(prepare(data.towers[kept.tower]), kept.token, tower);
  Object.assign(state, {tower, locked, at: null, site: null, layer: "", group: "", span: spanOf(tower, data.clip)});
  redraw();
}
const redraw = () => changed("tower", "size", "time", "token");

function keep(t) {
  state.locked = state.locked === t ? null : t;
  state.kept = state.locked === null ? null : {tower: data.towers.indexOf(state.tower), token: state.locked};
}
function letGo() { state.locked = state.at = state.site = state.kept = null; }
