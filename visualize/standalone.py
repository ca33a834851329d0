"""A trace as one HTML file that needs nothing else: no network, no Plotly, the same numbers under the pointer.

The weights travel as base64 uint16 (a step is 1/65535, finer than the float16 they were) and are painted on canvases
by the script below: 1,000 tokens × 388 sites × 3 heads are 3.3 MB, where Plotly's own script alone is 4.6 MB.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from visualize import theme, trace as read


def page(
    traces: Mapping[str, Any],
    *,
    title: str = "Router weights",
    facts: Sequence[str] = (),
    view: str = "overview",
    unadapted: Mapping[str, Sequence[str]] = read.UNADAPTED,
) -> str:
    """A whole HTML document of `traces` (by tower): words, layers × modules, layers by modality, sites × tokens.

    Pointing at a word, a column or (by arrow keys) a token shows it in every view; a click or Enter keeps it, Escape
    lets go. `facts` are lines under the title, such as clip and question; `view` ("overview", "tokens", "modality",
    "heatmap") is what it opens at. Light or dark as the reader's system is, with a switch. All text is escaped.
    """
    towers = [
        _tower(name, traces[name], unadapted.get(name, ()))
        for name in [*(n for n in read.TOWERS if n in traces), *(n for n in traces if n not in read.TOWERS)]
        if traces[name].weights.size
    ]
    heads = max((tower["heads"] for tower in towers), default=0)
    data = {
        "towers": towers, "view": view, "power": theme.MIX_POWER,
        "hues": [theme.head_colour(k) for k in range(heads)],
        "scales": {
            mode: [base64.b64encode(bytes(v for c in theme.head_scale(k, mode == "dark") for v in c)).decode() for k in range(heads)]
            for mode in ("light", "dark")
        },
        "centre": {"light": theme.CENTRE[False], "dark": theme.CENTRE[True]},
        "ink": {"light": theme.ink(False), "dark": theme.ink(True)},
    }  # fmt: skip
    # "<" would let a model's words end the script element.
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    lines = "".join(f"<p>{escape(fact)}</p>" for fact in facts)
    if not towers:
        lines += "<p>No router weights: nothing was traced.</p>"
    return PAGE.replace("@TITLE@", escape(title)).replace("@FACTS@", lines).replace("@SCRIPT@", SCRIPT).replace("@DATA@", body)


def _tower(name: str, trace: Any, unadapted: Sequence[str]) -> dict[str, Any]:
    order = sorted(range(len(trace.sites)), key=lambda i: trace.sites[i].layer)
    weights = np.rint(65535 * np.clip(trace.weights[order].astype(np.float32), 0, 1)).astype("<u2")
    return {
        "name": name, "title": read.TOWERS.get(name, name), "heads": weights.shape[2],
        "sites": [[trace.sites[i].layer, trace.sites[i].module] for i in order],
        "modules": read.modules(trace, unadapted),
        "tokens": [[read.token_name(token), token.modality, token.text, token.source] for token in trace.tokens],
        "weights": base64.b64encode(weights.tobytes()).decode(),
    }  # fmt: skip


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>@TITLE@</title><style>
:root { --ground: #fff; --text: #1C2330; --quiet: #5A6372; --line: #D9DDE5; --wash: #F1F3F6; color-scheme: light; }
:root.dark { --ground: #161B26; --text: #E7EAF0; --quiet: #A3ABBA; --line: #3A4150; --wash: #202734; color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 20px 24px 40px; max-width: 1120px; background: var(--ground); color: var(--text);
  font: 14px/1.45 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 20px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 26px 0 6px; }
p { margin: 0 0 4px; color: var(--quiet); }
.bar { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; margin: 12px 0 0; }
button, select { font: inherit; color: var(--text); background: var(--wash); border: 1px solid var(--line);
  border-radius: 8px; padding: 5px 12px; cursor: pointer; }
button[aria-pressed=true] { background: var(--text); color: var(--ground); }
:focus-visible { outline: 2.5px solid var(--text); outline-offset: 2px; }
#told { position: sticky; top: 0; z-index: 2; min-height: 79px; margin: 12px 0 0; padding: 8px 12px; background: var(--wash);
  border: 1px solid var(--line); border-radius: 8px; font-variant-numeric: tabular-nums; }
#told b { font-weight: 650; }
#words { line-height: 2.8; overflow-wrap: anywhere; }
#words .t { display: inline-block; position: relative; white-space: pre; line-height: 1.3; padding: 1px 2px 14px;
  border-radius: 3px; cursor: pointer; }
#words .t i { position: absolute; bottom: 1px; background: currentColor; }
#words .t.on { outline: 2.5px solid var(--text); outline-offset: 1px; }
#words .gap { opacity: .75; font-size: .9em; border: 1px dashed; border-radius: 3px; padding: 0 .4em; margin: 0 .3em; }
table { border-collapse: separate; border-spacing: 1px; width: 100%; table-layout: fixed; }
th { font-weight: 400; font-size: 11px; color: var(--quiet); } tr > :first-child { width: 52px; text-align: right; padding-right: 6px; }
td { text-align: center; font-size: 11px; height: 20px; padding: 0; }
.many td { height: 13px; font-size: 9px; line-height: 11px; }
td.none { color: var(--quiet); background: repeating-linear-gradient(135deg, var(--line) 0 1px, transparent 1px 6px); }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 6px 18px; }
.panel { position: relative; margin: 2px 0 8px; cursor: crosshair; border-radius: 3px; }
.panel canvas { display: block; width: 100%; }
.panel i { position: absolute; pointer-events: none; background: var(--text); opacity: .8; }
.panel .x { top: 0; bottom: 0; width: 1.5px; } .panel .y { left: 0; right: 0; height: 1.5px; }
#runs { display: flex; color: var(--quiet); font-size: 11px; }
#runs span { border-top: 1px solid var(--quiet); overflow: hidden; text-align: center; white-space: nowrap; margin-right: 1px; }
.key { font-size: 12px; } .key b { font-weight: 600; color: var(--text); }
</style></head><body>
<h1>@TITLE@</h1>@FACTS@
<div class="bar"><span id="towers" class="bar" style="margin:0" role="group" aria-label="Tower"></span>
<label>tokens <select id="group"></select></label><label>layer <select id="layer"></select></label>
<button id="mode" type="button">Light or dark</button></div>
<div id="told" role="status" aria-live="polite"></div>
<section id="tokens"><h2>Words</h2><div id="words"></div></section>
<section id="overview"><h2>Layers and modules</h2><p class="key" id="of"></p><div id="cells"></div></section>
<section id="modality"><h2>By modality</h2><p class="key">Mean share by layer, 0–100 %. Solid ●: head 1, dashed ▲: head 2,
dotted ■: head 3; thin: all alike.</p><div class="row" id="charts"></div></section>
<section id="heatmap"><h2>Sites and tokens</h2><p class="key">Rows are sites, first layer on top; columns are tokens; the scale is
0–100 %. Arrow keys move, Enter keeps, Escape lets go.</p><div id="panels"></div><div id="runs"></div></section>
<script type="application/json" id="data">@DATA@</script>
<script>@SCRIPT@</script>
</body></html>
"""

SCRIPT = r"""
"use strict";
const D = JSON.parse(document.getElementById("data").textContent), $ = id => document.getElementById(id);
const NAMES = {text: "text", audio: "sound", video: "video", image: "picture", generated: "answer"};
const bytes = text => { const raw = atob(text), out = new Uint8Array(raw.length); for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i); return out; };
const make = (tag, props = {}, ...inside) => { const e = Object.assign(document.createElement(tag), props); e.append(...inside); return e; };
const pct = v => (100 * v).toFixed(1) + " %";
let T, W, S, N, H, dark = matchMedia("(prefers-color-scheme: dark)").matches, locked = null, at = null, site = null;

// --- colour: the place among the heads, in OKLab, as visualize.theme.mix has it ---
const lin = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const enc = v => Math.round(255 * Math.min(1, Math.max(0, v <= .0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - .055)));
function lab(hex) {
  const [r, g, b] = [1, 3, 5].map(i => lin(parseInt(hex.slice(i, i + 2), 16) / 255));
  const l = Math.cbrt(.4122214708 * r + .5363325363 * g + .0514459929 * b), m = Math.cbrt(.2119034982 * r + .6806995451 * g + .1073969566 * b),
    s = Math.cbrt(.0883024619 * r + .2817188376 * g + .6299787005 * b);
  return [.2104542553 * l + .793617785 * m - .0040720468 * s, 1.9779984951 * l - 2.428592205 * m + .4505937099 * s,
    .0259040371 * l + .7827717662 * m - .808675766 * s];
}
function rgb([L, a, b]) {
  const l = (L + .3963377774 * a + .2158037573 * b) ** 3, m = (L - .1055613458 * a - .0638541728 * b) ** 3, s = (L - .0894841775 * a - 1.291485548 * b) ** 3;
  return [4.0767416621 * l - 3.3077115913 * m + .2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - .3413193965 * s,
    -.0041960863 * l - .7034186147 * m + 1.707614701 * s].map(enc);
}
const CORNERS = D.hues.map(lab);
function mix(w) {
  const low = Math.min(...w), top = Math.max(...w), n = w.length, total = w.reduce((a, v) => a + v - low, 0);
  const strength = Math.max(0, (n * top - 1) / Math.max(n - 1, 1)) ** D.power, centre = lab(D.centre[dark ? "dark" : "light"]);
  const hue = [0, 1, 2].map(i => w.reduce((a, v, k) => a + (total > 1e-9 ? (v - low) / total : 1 / n) * CORNERS[k][i], 0));
  return rgb(centre.map((c, i) => c + strength * (hue[i] - c)));
}
const inkOn = c => c.map(v => lin(v / 255)).reduce((a, v, i) => a + v * [.2126, .7152, .0722][i], 0) > .179 ? "#000" : "#fff";
const leads = w => { const s = [...w].sort((a, b) => b - a); return s.length < 2 || s[0] - s[1] >= .01 ? w.indexOf(s[0]) + 1 : "·"; };
const told = w => w.map((v, k) => `Head ${k + 1} ${pct(v)}`).join(" · ");
const bits = w => -w.reduce((a, v) => a + (v > 0 ? v * Math.log2(v) : 0), 0);

// --- numbers ---
const shares = (s, t) => { const p = (s * N + t) * H; return Array.from({length: H}, (_, k) => W[p + k] / 65535); };
function mean(sites, tokens) {
  const sum = new Float64Array(H);
  for (const s of sites) for (const t of tokens) { const p = (s * N + t) * H; for (let k = 0; k < H; k++) sum[k] += W[p + k]; }
  return Array.from(sum, v => v / 65535 / Math.max(1, sites.length * tokens.length));
}
const range = n => Array.from({length: n}, (_, i) => i);
const ofGroup = name => range(N).filter(t => !name || T.tokens[t][1] === name);
const ofLayer = value => range(S).filter(s => value === "" || T.sites[s][0] === +value);
const layers = () => [...new Set(T.sites.map(s => s[0]))].sort((a, b) => a - b);

// --- views ---
function open(i) {
  T = D.towers[i]; S = T.sites.length; N = T.tokens.length; H = T.heads; locked = at = site = null;
  if (!T.W) { const b = bytes(T.weights); T.W = new Uint16Array(b.buffer); }
  W = T.W;
  [...$("towers").children].forEach((b, k) => b.setAttribute("aria-pressed", k === i));
  $("group").replaceChildren(new Option("all", ""), ...[...new Set(T.tokens.map(t => t[1]))].map(m => new Option(NAMES[m] || m, m)));
  $("layer").replaceChildren(new Option("all", ""), ...layers().map(l => new Option(l, l)));
  draw();
}
function draw() { words(); charts(); panels(); show(); }
function words() {
  const shown = range(N).filter(t => ["text", "generated"].includes(T.tokens[t][1])), box = $("words"), sites = ofLayer($("layer").value), out = [];
  $("tokens").hidden = !shown.length;
  if (!shown.length) return;
  let gap = 0, kind = "";
  for (let t = 0; t < N; t++) {
    const [name, modality, text] = T.tokens[t];
    if (modality !== "text" && modality !== "generated") {
      if (gap && kind !== modality) { out.push(make("span", {className: "gap", textContent: `${NAMES[kind]}, ${gap} tokens`})); gap = 0; }
      gap++; kind = modality; continue;
    }
    if (gap) { out.push(make("span", {className: "gap", textContent: `${NAMES[kind]}, ${gap} tokens`})); gap = 0; }
    const w = mean(sites, [t]), c = mix(w), e = make("span", {className: "t", tabIndex: 0, textContent: text.replace(/\n/g, "↵").replace(/\t/g, "⇥"), title: `${t} · ${told(w)}`});
    e.dataset.token = t; e.setAttribute("role", "button"); e.setAttribute("aria-label", `${name}: ${told(w)}`);
    e.style.cssText = `background:rgb(${c});color:${inkOn(c)}`;
    w.forEach((v, k) => { const bar = make("i"); bar.style.cssText = `left:${100 * k / H}%;width:${94 / H}%;height:${Math.max(1, Math.round(12 * v))}px`; e.append(bar); });
    out.push(e, text.includes("\n") ? make("br") : make("wbr"));
  }
  box.replaceChildren(...out);
}
function cells(tokens) {
  const table = make("table"), head = make("tr", {}, make("th", {textContent: "layer"})), where = {};
  T.sites.forEach((s, i) => where[s] = i);
  T.modules.forEach(m => head.append(make("th", {textContent: m.replace(/_proj$/, ""), scope: "col"})));
  table.append(head);
  if (layers().length > 12) table.className = "many";
  for (const layer of layers()) {
    const row = make("tr", {}, make("th", {textContent: layer, scope: "row"}));
    for (const m of T.modules) {
      const i = where[[layer, m]];
      if (i === undefined) { row.append(make("td", {className: "none", title: `layer ${layer} · ${m}: not adapted`, textContent: layers().length > 12 ? "" : "not adapted"})); continue; }
      const w = mean([i], tokens), c = mix(w), cell = make("td", {textContent: leads(w), title: `layer ${layer} · ${m}\n${told(w)}\nentropy ${bits(w).toFixed(2)} of ${Math.log2(H).toFixed(2)} bits`});
      cell.style.cssText = `background:rgb(${c});color:${inkOn(c)}`;
      row.append(cell);
    }
    table.append(row);
  }
  $("cells").replaceChildren(table);
}
function charts() {
  const NS = "http://www.w3.org/2000/svg", el = (tag, a, text) => { const e = document.createElementNS(NS, tag); for (const k in a) e.setAttribute(k, a[k]); if (text !== undefined) e.textContent = text; return e; };
  const all = layers(), X = i => 34 + (all.length > 1 ? 250 * i / (all.length - 1) : 125), Y = v => 106 - 96 * v;
  $("charts").replaceChildren(...[...new Set(T.tokens.map(t => t[1]))].map(m => {
    const tokens = ofGroup(m), svg = el("svg", {viewBox: "0 0 296 128", role: "img", "aria-label": `${NAMES[m] || m}: mean share of each head by layer`});
    for (const v of [0, .5, 1]) svg.append(el("line", {x1: 34, x2: 284, y1: Y(v), y2: Y(v), stroke: "var(--line)"}), el("text", {x: 30, y: Y(v) + 3, "text-anchor": "end", "font-size": 9, fill: "var(--quiet)"}, `${100 * v} %`));
    svg.append(el("line", {x1: 34, x2: 284, y1: Y(1 / H), y2: Y(1 / H), stroke: "var(--quiet)", "stroke-dasharray": "1 3"}));
    const values = all.map(l => mean(ofLayer(l), tokens));
    range(H).forEach(k => {
      svg.append(el("polyline", {points: values.map((w, i) => `${X(i)},${Y(w[k])}`).join(" "), fill: "none", stroke: D.hues[k], "stroke-width": 1.8, "stroke-dasharray": ["", "6 3", "2 3"][k % 3]}));
      values.forEach((w, i) => { const mark = el("text", {x: X(i), y: Y(w[k]) + 3, "text-anchor": "middle", "font-size": 9, fill: D.hues[k]}, "●▲■"[k % 3]); mark.append(el("title", {}, `layer ${all[i]}: ${told(w)}`)); svg.append(mark); });
    });
    all.forEach((l, i) => { if (i % Math.ceil(all.length / 8) === 0) svg.append(el("text", {x: X(i), y: 120, "text-anchor": "middle", "font-size": 9, fill: "var(--quiet)"}, l)); });
    return make("figure", {style: "margin:0"}, make("figcaption", {textContent: `${NAMES[m] || m}, ${tokens.length} tokens`}), svg);
  }));
}
function panels() {
  const height = Math.min(420, Math.max(90, 3 * S)), whole = mean(range(S), range(N));
  $("panels").replaceChildren(...range(H).flatMap(k => {
    const canvas = make("canvas", {width: N, height: S}), pen = canvas.getContext("2d"), image = pen.createImageData(N, S), scale = bytes(D.scales[dark ? "dark" : "light"][k]);
    const pixels = new Uint32Array(image.data.buffer), lut = range(256).map(i => 0xff000000 | scale[3 * i + 2] << 16 | scale[3 * i + 1] << 8 | scale[3 * i]);
    for (let p = 0, q = k; p < pixels.length; p++, q += H) pixels[p] = lut[W[q] >> 8];
    pen.putImageData(image, 0, 0);
    canvas.style.cssText = `height:${height}px;image-rendering:${N > 900 ? "auto" : "pixelated"}`;
    const panel = make("div", {className: "panel", tabIndex: 0}, canvas, make("i", {className: "x"}), make("i", {className: "y"}));
    panel.setAttribute("role", "application"); panel.setAttribute("aria-label", `Head ${k + 1}, ${S} sites by ${N} tokens. Arrow keys move.`);
    const title = make("div", {className: "key"}), swatch = make("span", {textContent: "■ "}); swatch.style.color = D.hues[k];
    title.append(swatch, make("b", {textContent: `Head ${k + 1}`}), ` ${pct(whole[k])} of all`);
    return [title, panel];
  }));
  const runs = [];
  T.tokens.forEach(t => { const key = t[1] + t[3]; runs.length && runs.at(-1).key === key ? runs.at(-1).n++ : runs.push({key, n: 1, name: NAMES[t[1]] || t[1]}); });
  $("runs").replaceChildren(...runs.map(r => { const e = make("span", {textContent: r.n > N / 14 ? r.name : "", title: `${r.name}, ${r.n} tokens`}); e.style.flex = `${r.n} 0 0`; return e; }));
}
function show() {
  const t = locked ?? at;
  document.querySelectorAll("#words .t.on").forEach(e => e.classList.remove("on"));
  document.querySelector(`#words .t[data-token="${t}"]`)?.classList.add("on");
  document.querySelectorAll(".panel .x").forEach(e => { e.hidden = t === null; e.style.left = `calc(${100 * (t + .5) / N}% - .75px)`; });
  document.querySelectorAll(".panel .y").forEach(e => { e.hidden = site === null; e.style.top = `calc(${100 * (site + .5) / S}% - .75px)`; });
  const tokens = t === null ? ofGroup($("group").value) : [t], w = mean(ofLayer($("layer").value), tokens);
  const name = t === null ? `Mean of ${tokens.length} tokens` : `${locked === null ? "" : "Kept: "}Token ${t} · ${T.tokens[t][0]}`;
  const lines = [make("b", {textContent: name}), make("br"), `${$("layer").value === "" ? "all layers" : "layer " + $("layer").value}: ${told(w)}`];
  if (t !== null && site !== null) lines.push(make("br"), make("b", {textContent: `layer ${T.sites[site][0]} · ${T.sites[site][1]}: ${told(shares(site, t))}`}));
  $("told").replaceChildren(...lines);
  $("of").textContent = `${name}. Hue: which heads lead; digit: the first of them, “·” where none is 1 point ahead; strength: how far from all alike, to the power ${D.power}; hatched: not adapted.`;
  cells(tokens);
}

// --- pointing, keeping, moving ---
let due = false;
const later = () => { if (!due) { due = true; requestAnimationFrame(() => { due = false; show(); }); } };
const inside = e => { const p = e.target.closest(".panel"); if (!p) return null; const r = p.getBoundingClientRect(); return [Math.min(N - 1, Math.max(0, Math.floor((e.clientX - r.left) / r.width * N))), Math.min(S - 1, Math.max(0, Math.floor((e.clientY - r.top) / r.height * S)))]; };
const pointed = e => { const word = e.target.closest?.(".t"); return word ? [+word.dataset.token, null] : inside(e); };
document.addEventListener("pointermove", e => { const p = pointed(e); if (!p && at === null && site === null) return; at = p ? p[0] : null; if (locked === null || p) site = p ? p[1] : site; if (!p && locked === null) site = null; later(); });
document.addEventListener("click", e => { const p = pointed(e); if (p) { locked = locked === p[0] ? null : p[0]; site = p[1]; later(); } });
document.addEventListener("focusin", e => { if (e.target.matches(".t")) { at = +e.target.dataset.token; later(); } });
document.addEventListener("keydown", e => {
  const word = e.target.closest?.(".t"), panel = e.target.closest?.(".panel");
  if (e.key === "Escape") { locked = at = site = null; later(); }
  else if ((e.key === "Enter" || e.key === " ") && (word || panel)) { const t = word ? +word.dataset.token : at; locked = locked === t ? null : t; e.preventDefault(); later(); }
  else if (panel && e.key.startsWith("Arrow")) {
    const dx = {ArrowLeft: -1, ArrowRight: 1}[e.key] || 0, dy = {ArrowUp: -1, ArrowDown: 1}[e.key] || 0;
    locked = null; at = Math.min(N - 1, Math.max(0, (at ?? -1) + dx)); site = Math.min(S - 1, Math.max(0, (site ?? 0) + dy)); e.preventDefault(); later();
  }
});
const colours = () => document.documentElement.classList.toggle("dark", dark);
$("mode").onclick = () => { dark = !dark; colours(); draw(); };
$("group").onchange = later; $("layer").onchange = () => { words(); later(); };
$("towers").append(...D.towers.map((t, i) => make("button", {type: "button", textContent: t.title, onclick: () => open(i)})));
colours();
if (D.towers.length) open(0); else document.querySelectorAll("section, .bar, #told").forEach(e => e.hidden = true);
if (D.view && D.view !== "overview") $(D.view)?.scrollIntoView();
document.body.dataset.ready = "1";
"""
