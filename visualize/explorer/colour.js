// Colours, looked up in the tables of visualize/theme.py that came with the data.

const DASHES = [[], [6, 3], [2, 3]], MARKS = "●▲■";    // of the heads: the second cue beside hue

const mode = () => state.dark ? "dark" : "light";
const hexBytes = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
const strength = w => distance(w) ** data.power;

// The colour of shares of the heads (visualize.theme.mix), as bytes: a sum over `theme.blends`, whose rows say how much
// light three parts bring together. Part 0 is the centre, all alike; the others are the heads.
function mix(w) {
  const far = strength(w), parts = [1 - far, ...excess(w).map(v => far * v)], light = [0, 0, 0];
  for (const [i, j, k, ...rgb] of data.blends[mode()]) {
    if (k >= parts.length) continue;
    const all = parts[i] * parts[j] * parts[k];
    for (let c = 0; c < 3; c++) light[c] += all * rgb[c];
  }
  return light.map(byteOf);
}
// The byte of so much light: how many of the places halfway between two bytes lie below it.
function byteOf(light) {
  let low = 0, high = data.halfway.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (data.halfway[middle] <= light) low = middle + 1; else high = middle;
  }
  return low;
}
// Black or white, whichever is easier to read on it (visualize.theme.ink_on).
const luminance = rgb => rgb.reduce((sum, byte, i) => sum + data.luminance[i] * data.light[byte], 0);
const inkOn = rgb => luminance(rgb) > data.black_above ? "#000" : "#fff";

// A scale of 256 colours as rows [r, g, b].
const SCALES = new Map();
function lookup(text) {
  if (!SCALES.has(text)) {
    const b = bytes(text);
    SCALES.set(text, range(256).map(i => [b[3 * i], b[3 * i + 1], b[3 * i + 2]]));
  }
  return SCALES.get(text);
}
const headScale = k => lookup(data.scales[mode()][k]);
const greyScale = () => lookup(data.greys[mode()]);

// What is laid over a picture or stands in the strip: [r, g, b, opacity]. Hue at full strength, so that opacity alone
// says how far from alike.
function laid(w) {
  const {overlay} = state;
  if (overlay === "off") return [0, 0, 0, 0];
  if (overlay === "heads") return [...mix(excess(w)), .85 * strength(w)];
  return [...hexBytes(data.hues[overlay - 1]), .85 * w[overlay - 1]];
}
