// Curves of the heads over the clip's seconds, of sound tokens and of pictures: two more lanes.

// `parts` are sound tokens or pictures.
function curve(kind, source, parts, several) {
  const out = lane("curve", source, kind === "sound" ? "sound" : "picture"), {plot} = out, sound = kind === "sound";
  out.canvas = make("canvas"); out.paint = () => paintCurve(out); plot.append(out.canvas);
  const point = s => ({x: (s.start + (s.end ?? s.start)) / 2, w: meanShare(s.tokens)});
  out.points = () => sound ? soundPoints(state.tower, state.layer, parts) : parts.map(point);
  plot.setAttribute("role", "img");
  const whole = meanShare(sound ? parts : parts.flatMap(s => s.tokens));
  plot.setAttribute("aria-label", `Share of each head over the seconds, ${kind}: on average ${told(whole)}`);
  const of = several ? ` of the ${clipName(source)}` : "";
  return [heading(`Heads in the ${kind}`, `${of} ${sound ? soundsSaid(parts.length) : picturesSaid(parts.length)}`),
    scaleName([["100 %", .06], ["50 %", .5], ["0 %", .94]]), plot];
}
function soundsSaid(n) {
  const each = soundsEach(n);
  return `${n} tokens${each > 1 ? ` in ${Math.ceil(n / each)} columns` : ""}`;
}
const picturesSaid = n => n > 1 ? `${n} pictures, means over their cells` : "1 picture, mean over its cells";

function paintCurve({canvas, points}) {
  const on = fit(canvas), {heads} = state.tower;
  if (!on) return;
  const {pen, wide, tall} = on, X = s => wide * s / state.span, Y = v => tall * (.94 - .88 * v), all = points();
  const level = v => { pen.beginPath(); pen.moveTo(0, Y(v)); pen.lineTo(wide, Y(v)); pen.stroke(); };
  pen.lineWidth = 1; pen.strokeStyle = css("--line");
  [0, .5, 1].forEach(level);
  pen.strokeStyle = css("--quiet"); pen.setLineDash([1, 3]);
  level(1 / heads);
  pen.textAlign = "center"; pen.textBaseline = "middle"; pen.font = "10px ui-sans-serif, system-ui, sans-serif";
  pen.lineJoin = "round";
  const apart = all.length > 1 ? (X(all.at(-1).x) - X(all[0].x)) / (all.length - 1) : wide;
  const marked = Math.max(1, Math.ceil((all.length > 20 ? 72 : 12) / Math.max(apart, .1)));
  range(heads).forEach(k => {
    pen.strokeStyle = pen.fillStyle = data.hues[k]; pen.lineWidth = 1.7; pen.setLineDash(DASHES[k % 3]);
    pen.beginPath();
    all.forEach(({x, w, broken}, i) => i && !broken ? pen.lineTo(X(x), Y(w[k])) : pen.moveTo(X(x), Y(w[k])));
    pen.stroke();
    // Marks on every point of a few, here and there on many.
    all.forEach(({x, w}, i) => {
      if ((i + Math.floor(marked * k / heads)) % marked === 0) pen.fillText(MARKS[k % 3], X(x), Y(w[k]) + .5);
    });
  });
}
