// Elements: found, made, measured.

const $ = id => document.getElementById(id);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// What an element stands for: a picture, {step, figure, face, canvas}, or a lane, {kind, source, plot, …}.
const BEHIND = new WeakMap();

function make(tag, props = {}, ...inside) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...inside);
  return e;
}
function drawn(tag, attributes, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) e.setAttribute(name, attributes[name]);
  if (text !== undefined) e.textContent = text;
  return e;
}
// The title of what shows one head alone.
function headTitle(k, rest) {
  const swatch = make("span", {textContent: "■ "});
  swatch.style.color = data.hues[k];
  return make("div", {className: "key"}, swatch, make("b", {textContent: `Head ${k + 1}`}), rest);
}
// A canvas as sharp as the screen: {pen, wide, tall} in CSS pixels, or null where it has no room (a hidden tab).
function fit(canvas) {
  const box = canvas.getBoundingClientRect(), sharp = window.devicePixelRatio || 1;
  if (box.width < 1 || box.height < 1) return null;
  canvas.width = Math.round(box.width * sharp);
  canvas.height = Math.round(box.height * sharp);
  const pen = canvas.getContext("2d");
  pen.setTransform(canvas.width / box.width, 0, 0, canvas.height / box.height, 0, 0);
  return {pen, wide: box.width, tall: box.height};
}
