// Numbers of a trace, and how they are written: pure functions, nothing of the document or of what is chosen in it.

const FULL = 65535;                              // what stands for a weight of one
const LEAD = .01;                                // how far a head must be ahead to be named
const MOST_COLUMNS = 240;                        // of a curve: more cannot be told apart, dashes least of all
const NAMES = {text: "text", audio: "sound", video: "video", image: "picture", generated: "answer"};

const range = n => Array.from({length: n}, (_, i) => i);
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

// --- In words ---

const pct = v => (100 * v).toFixed(1) + " %";
const told = w => w.map((v, k) => `Head ${k + 1} ${pct(v)}`).join(" · ");
const toldBriefly = w => w.map((v, k) => `${k + 1}: ${Math.round(100 * v)} %`).join(", ");
const named = modality => NAMES[modality] || modality;

// Seconds of a clip, as the model itself says them, however long it is.
const clock = (seconds, digits = 1) => seconds.toFixed(digits) + " s";

// --- Shares `w` of the heads, which add up to one ---

// What each head has more than the last of them, as shares.
function excess(w) {
  const low = Math.min(...w), total = w.reduce((sum, v) => sum + v - low, 0);
  return w.map(v => total > 1e-9 ? (v - low) / total : 1 / w.length);
}
// How far from all alike, 0…1 (visualize.trace.distance).
const distance = w => clamp((w.length * Math.max(...w) - 1) / Math.max(w.length - 1, 1), 0, 1);

// The head that leads, counted from 1; "·" where none is a point ahead.
function leads(w) {
  const ordered = [...w].sort((a, b) => b - a);
  return ordered.length < 2 || ordered[0] - ordered[1] >= LEAD ? w.indexOf(ordered[0]) + 1 : "·";
}

// --- A tower, made ready once: weights as numbers, tokens by name, and where each stands in the clip ---

function bytes(text) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}
function prepare(tower) {
  if (tower.grids) return tower;
  tower.weights = new Uint16Array(bytes(tower.weights).buffer);      // (sites, tokens, heads), 65535 is all
  tower.tokens = tower.tokens.map(([name, modality, text, source, start, end, row, col]) =>
    ({name, modality, text, source, start, end, row, col}));
  tower.layers = [...new Set(tower.sites.map(s => s[0]))].sort((a, b) => a - b);
  tower.modalities = [...new Set(tower.tokens.map(t => t.modality))];
  tower.grids = gridsOf(tower.tokens);
  tower.steps = stepsOf(tower.tokens);
  tower.heard = heardOf(tower.tokens);
  tower.layerMeans = new Map();
  return tower;
}
// Rows and columns of the grid of each modality; 1 × 1 of what has none.
function gridsOf(tokens) {
  const grids = {};
  for (const t of tokens) {
    const [rows, cols] = grids[t.modality] || [1, 1];
    grids[t.modality] = [Math.max(rows, (t.row ?? 0) + 1), Math.max(cols, (t.col ?? 0) + 1)];
  }
  return grids;
}
// Pictures in order: {source, start, end, rows, cols, cells}, cells by row and column, −1 where there is none.
function stepsOf(tokens) {
  const steps = [], open = new Map();
  tokens.forEach((t, i) => {
    if (t.row === null) return;
    const key = `${t.modality} ${t.source} ${t.start} ${t.end}`, cell = `${t.row} ${t.col}`;
    // Windows of a long clip may reach back over one another: the same cell again is another picture.
    if (!open.has(key) || open.get(key).taken.has(cell)) {
      const step = {source: t.source, start: t.start, end: t.end, tokens: [], taken: new Set()};
      open.set(key, step); steps.push(step);
    }
    open.get(key).tokens.push(i); open.get(key).taken.add(cell);
  });
  for (const step of steps) {
    step.rows = Math.max(...step.tokens.map(i => tokens[i].row)) + 1;
    step.cols = Math.max(...step.tokens.map(i => tokens[i].col)) + 1;
    step.cells = new Int32Array(step.rows * step.cols).fill(-1);
    for (const i of step.tokens) step.cells[tokens[i].row * step.cols + tokens[i].col] = i;
  }
  return steps;
}
// Sound tokens by source, in order of time.
function heardOf(tokens) {
  const heard = new Map();
  tokens.forEach((t, i) => {
    if (t.modality !== "audio" || t.start === null) return;
    heard.has(t.source) ? heard.get(t.source).push(i) : heard.set(t.source, [i]);
  });
  for (const list of heard.values()) list.sort((a, b) => tokens[a].start - tokens[b].start);
  return heard;
}
// Neighbouring tokens of one modality and clip: {key, n, name}.
function runsOf(tokens) {
  const runs = [];
  for (const t of tokens) {
    const key = t.modality + t.source;
    if (runs.at(-1)?.key === key) runs.at(-1).n++;
    else runs.push({key, n: 1, name: named(t.modality)});
  }
  return runs;
}

// --- Means: a site is a row of the tower, a token its place; `layer` and `modality` "" mean all ---

const ofModality = (tower, modality) =>
  range(tower.tokens.length).filter(t => !modality || tower.tokens[t].modality === modality);
const ofLayer = (tower, layer) => range(tower.sites.length).filter(s => layer === "" || tower.sites[s][0] === +layer);

function mean({weights, tokens: {length}, heads}, sites, tokens) {
  const sum = new Float64Array(heads);
  for (const s of sites) for (const t of tokens) {
    const p = (s * length + t) * heads;
    for (let k = 0; k < heads; k++) sum[k] += weights[p + k];
  }
  return Array.from(sum, v => v / FULL / Math.max(1, sites.length * tokens.length));
}
// A token's mean over a layer: kept, because words, cells, strips and curves all ask for it.
function layerMean(tower, layer, t) {
  const {weights, heads} = tower, size = tower.tokens.length * heads;
  if (!tower.layerMeans.has(layer)) {
    const sites = ofLayer(tower, layer), out = new Float64Array(size);
    for (const s of sites) for (let p = 0, q = s * size; p < size; p++, q++) out[p] += weights[q];
    for (let p = 0; p < size; p++) out[p] /= FULL * Math.max(1, sites.length);
    tower.layerMeans.set(layer, out);
  }
  return Array.from(tower.layerMeans.get(layer).subarray(t * heads, (t + 1) * heads));
}
function layerMeanOf(tower, layer, tokens) {
  const sum = new Array(tower.heads).fill(0);
  for (const t of tokens) layerMean(tower, layer, t).forEach((v, k) => sum[k] += v / tokens.length);
  return sum;
}
// Mean entropy of single tokens at one site, 0…1 of its maximum; logarithms are looked up, there are millions.
let xlogx;
function entropy({weights, tokens: {length}, heads}, s, tokens) {
  xlogx ??= Float32Array.from({length: FULL + 1}, (_, i) => i ? -(i / FULL) * Math.log2(i / FULL) : 0);
  let sum = 0;
  for (const t of tokens) {
    const p = (s * length + t) * heads;
    for (let k = 0; k < heads; k++) sum += xlogx[weights[p + k]];
  }
  return sum / Math.max(1, tokens.length) / Math.log2(Math.max(2, heads));
}

// --- Pieces that belong together ---

// The first token of tower `to` that stands for the same piece of the clip, or null.
function counterpart(from, i, to) {
  if (from === to) return i;
  const token = from.tokens[i], ours = from.grids[token.modality], theirs = to.grids[token.modality];
  if (token.start === null || !theirs) return null;
  const along = (side, axis, other) => overlap(token[side] / ours[axis], (token[side] + 1) / ours[axis],
    other[side] / theirs[axis], (other[side] + 1) / theirs[axis]);
  const found = to.tokens.findIndex(other => other.modality === token.modality && other.source === token.source &&
    overlap(token.start, token.end, other.start, other.end) &&
    (token.row === null || (along("row", 0, other) && along("col", 1, other))));
  return found < 0 ? null : found;
}
// Whether two stretches share more than an end; a moment lies in its equal.
const overlap = (a, b, c, d) => Math.min(b, d) - Math.max(a, c) > 1e-6 || (a === c && b === d);

// The cell that stands for a whole picture: the one nearest its mean.
function typical(tower, layer, step) {
  const whole = layerMeanOf(tower, layer, step.tokens);
  const far = t => layerMean(tower, layer, t).reduce((sum, v, k) => sum + Math.abs(v - whole[k]), 0);
  return step.tokens.reduce((a, b) => far(b) < far(a) ? b : a);
}

// --- Over the clip's seconds ---

// Seconds to show: the clip's, or more where a second clip is longer. A token that ends a breath late is cut.
function spanOf(tower, {duration, sounds}) {
  const last = Math.max(duration, ...sounds.map(s => s ? s[0] : 0), ...tower.tokens.map(t => t.start ?? 0));
  return (last > duration + .25 ? last : duration) || 1;
}
// About six round steps (visualize.timeline.ticks): seconds from one to the next.
function tickStep(span) {
  const rough = span / 6, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map(u => u * power).find(v => v >= rough - 1e-9);
}
function soundAt(tower, source, seconds) {
  const heard = i => tower.tokens[i].start <= seconds + 1e-9 && seconds < tower.tokens[i].end - 1e-9;
  return (tower.heard.get(source) || []).find(heard) ?? null;
}
// The picture on show: the last that had begun, or the first.
function stepAt(steps, source, seconds) {
  const own = steps.filter(step => step.source === source), begun = own.filter(step => step.start <= seconds + 1e-6);
  return begun.length ? begun.reduce((a, b) => b.start > a.start ? b : a) : own[0] ?? null;
}
// How many of `n` sound tokens make a point of a curve.
const soundsEach = n => Math.ceil(n / MOST_COLUMNS);
// The curve of sound tokens: {x: seconds, w, broken}. Where nothing was heard in between, the line is broken.
function soundPoints(tower, layer, tokens) {
  const out = [], each = soundsEach(tokens.length), of = i => tower.tokens[i];
  for (let i = 0; i < tokens.length; i += each) {
    const group = tokens.slice(i, i + each), first = of(group[0]), last = of(group.at(-1));
    const before = i ? of(tokens[i - 1]).end : first.start;
    const w = layerMeanOf(tower, layer, group);
    out.push({x: (first.start + last.end) / 2, w, broken: first.start - before > .06});
  }
  return out;
}
