// The clip's pictures, a grid of cells over each, in which a token's routing is laid.

let film = [];                                   // {step, figure, face, canvas}

function drawFilm(steps) {
  const sources = [...new Set(steps.map(s => s.source))];
  film = steps.map(shot);
  $("film").hidden = !steps.length;
  $("film").replaceChildren(...sources.flatMap(source => {
    const own = film.filter(f => f.step.source === source);
    return [...(sources.length > 1 ? [make("h3", {textContent: clipName(source)})] : []), reel(own)];
  }));
}
// The pictures of one clip: beside one another, or, of a long clip, in a row that scrolls.
function reel(shots) {
  const least = Math.max(140, 22 * Math.max(...shots.map(f => f.step.cols)));      // cells keep room for a digit
  const out = make("div", {className: "reel"}, ...shots.map(f => f.figure)), most = shots.length < 4 ? "340px" : "1fr";
  if (shots.length > 12) {
    out.classList.add("long");
    shots.forEach(f => f.figure.style.width = `min(${least}px, 100%)`);
  } else out.style.gridTemplateColumns = `repeat(auto-fit, minmax(min(100%, ${least}px), ${most}))`;
  return out;
}
function shot(step) {
  const {pictures} = data.clip, {start, end, rows, cols} = step, away = p => Math.abs(p[1] - start);
  const [found] = pictures.filter(p => p[0] === step.source).sort((a, b) => away(a) - away(b));
  const canvas = make("canvas"), face = make("div", {className: "face", tabIndex: 0});
  const figure = make("figure", {}, face);
  const moment = end !== null && end > start ? `${start.toFixed(1)}–${clock(end)}` : clock(start);
  face.style.aspectRatio = found ? `${found[2]} / ${found[3]}` : "1";
  if (found) face.append(make("img", {src: found[4], alt: `The clip at ${moment}`, draggable: false}));
  face.append(canvas);
  face.setAttribute("role", "application");
  const keys = rows ? `, ${rows} by ${cols} cells. Arrow keys move, Enter keeps.` : ". Enter moves the playhead here.";
  face.setAttribute("aria-label", `Picture at ${moment}${keys}`);
  figure.append(make("figcaption", {textContent: moment}));
  const out = {step, figure, face, canvas};
  BEHIND.set(face, out);
  return out;
}
function paintShot({step, canvas}) {
  const on = fit(canvas), {overlay} = state;
  if (!on || !step.rows) return;
  const tall = on.tall / step.rows, wide = on.wide / step.cols, letter = Math.min(17, .44 * Math.min(tall, wide));
  const pen = on.pen;
  pen.font = `700 ${letter}px ui-sans-serif, system-ui, sans-serif`;
  pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineJoin = "round";
  step.cells.forEach((t, i) => {
    if (t < 0 || overlay === "off") return;
    const row = Math.floor(i / step.cols), col = i % step.cols, w = share(t), [r, g, b, opacity] = laid(w);
    pen.fillStyle = `rgba(${r},${g},${b},${opacity})`;
    const x = Math.round(col * wide), y = Math.round(row * tall);
    pen.fillRect(x, y, Math.round((col + 1) * wide) - x, Math.round((row + 1) * tall) - y);
    const text = overlay === "heads" ? leads(w) : Math.round(100 * w[overlay - 1]);
    if (letter < 6.5 || text === "·") return;
    pen.lineWidth = Math.max(2, letter / 5); pen.strokeStyle = "rgba(16,20,28,.8)"; pen.fillStyle = "#fff";
    pen.strokeText(text, (col + .5) * wide, (row + .5) * tall + .5);
    pen.fillText(text, (col + .5) * wide, (row + .5) * tall + .5);
  });
  // The grid, quiet enough to let the picture through.
  const rule = (x, y, toX, toY) => { pen.moveTo(x, y); pen.lineTo(toX, toY); };
  pen.strokeStyle = "rgba(255,255,255,.28)"; pen.lineWidth = 1; pen.beginPath();
  for (let c = 1; c < step.cols; c++) rule(Math.round(c * wide) + .5, 0, Math.round(c * wide) + .5, on.tall);
  for (let r = 1; r < step.rows; r++) rule(0, Math.round(r * tall) + .5, on.wide, Math.round(r * tall) + .5);
  if (overlay !== "off") pen.stroke();
}

// The cell of token `t`, outlined.
function outline(t) {
  const on = film.find(f => f.step.tokens.includes(t));
  if (!on) return;
  const {rows, cols} = on.step, {row, col} = state.tower.tokens[t], ring = make("i");
  ring.style.cssText = `left:${100 * col / cols}%;top:${100 * row / rows}%;width:${100 / cols}%;height:${100 / rows}%`;
  ring.dataset.token = t;
  on.face.append(ring);
}

// The pictures at the playhead, one a clip.
function stepsNow() {
  const steps = film.map(f => f.step);
  return [...new Set(steps.map(s => s.source))].map(source => stepAt(steps, source, state.time));
}
function showNow() {
  const now = stepsNow();
  for (const f of film) f.figure.classList.toggle("now", now.includes(f.step));
  for (const f of film) if (now.includes(f.step)) inSight(f.figure);
}
// In a reel that scrolls, without moving the page.
function inSight(figure) {
  const row = figure.parentElement, left = figure.offsetLeft - row.offsetLeft, right = left + figure.offsetWidth;
  if (!row.matches(".long")) return;
  if (left < row.scrollLeft || right > row.scrollLeft + row.clientWidth) row.scrollLeft = left - 8;
}

when("size", () => film.forEach(paintShot));
when("time", showNow);
