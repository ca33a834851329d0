// The words of prompt and answer, each in the colour of its mix; under it a bar a head, from the line of all alike.

const REACH = 9, LEAST = .03;                    // of the longest bar, pixels; what it stands for at the least
const spoken = token => ["text", "generated"].includes(token.modality);

// How far a head is from an even share, at the most, in any word.
function farthest() {
  const {tokens, heads} = state.tower, far = range(tokens.length).filter(t => spoken(tokens[t])).map(share);
  return Math.max(LEAST, ...far.flat().map(v => Math.abs(v - 1 / heads)));
}

function drawWords() {
  const {tokens, heads} = state.tower, out = [], far = farthest();
  $("tokens").hidden = !tokens.some(spoken);
  let gap = 0, kind = "";
  const close = () => {
    if (gap) out.push(make("span", {className: "gap", textContent: `${named(kind)}, ${gap} tokens`}));
    gap = 0;
  };
  for (let t = 0; t < tokens.length && !$("tokens").hidden; t++) {
    const {modality} = tokens[t];
    if (spoken(tokens[t])) { close(); out.push(...word(t, far)); continue; }
    if (kind !== modality) close();
    kind = modality; gap++;
  }
  close();
  $("words").replaceChildren(...out);
  $("bars").textContent = "Colour: which heads lead. Under each word a bar a head, in order: up from the line where it " +
    `has more than ${pct(1 / heads)}, down where less, the whole way for ${(100 * far).toFixed(1)} points.`;
  stopAt(wordOf(state.locked) ?? $("words").querySelector(".t"));
}
function word(t, far) {
  const {name, text} = state.tower.tokens[t], w = share(t), ground = mix(w);
  const textContent = text.replace(/\n/g, "↵").replace(/\t/g, "⇥");
  const e = make("span", {className: "t", tabIndex: -1, textContent, title: `${t} · ${told(w)}`});
  e.dataset.token = t;
  e.setAttribute("role", "button");
  e.setAttribute("aria-label", `${name}: ${told(w)}`);
  e.style.cssText = `background:rgb(${ground});color:${inkOn(ground)}`;
  w.forEach((v, k) => {
    const bar = make("i"), up = Math.round(REACH * (v - 1 / w.length) / far), n = w.length;
    bar.style.cssText = `left:${100 * k / n}%;width:${94 / n}%;bottom:${Math.min(up, 0) - 11}px;` +
      `height:${Math.max(1, Math.abs(up))}px;background:${data.hues[k]}`;
    e.append(bar);
  });
  return [e, make(text.includes("\n") ? "br" : "wbr")];
}
function markWord() {
  document.querySelectorAll("#words .t.on").forEach(e => e.classList.remove("on"));
  wordOf(shown())?.classList.add("on");
}
const wordOf = t => $("words").querySelector(`.t[data-token="${t}"]`);

// Of all words, Tab stops at one: where the focus was last.
function stopAt(word) {
  $("words").querySelectorAll(".t[tabindex='0']").forEach(e => e.tabIndex = -1);
  if (word) word.tabIndex = 0;
}
// The word that a key leads to from another; up and down, the nearest of the next line.
function wordFrom(on, key) {
  const words = [...$("words").querySelectorAll(".t")], here = words.indexOf(on), [dx, dy] = STEPS[key] ?? [0, 0];
  if (key === "Home") return words[0];
  if (key === "End") return words.at(-1);
  if (dx) return words[clamp(here + dx, 0, words.length - 1)];
  const below = words.filter(w => dy * (w.offsetTop - on.offsetTop) > on.offsetHeight / 2);
  const line = (dy > 0 ? below[0] : below.at(-1))?.offsetTop, far = w => Math.abs(w.offsetLeft - on.offsetLeft);
  return below.filter(w => w.offsetTop === line).reduce((a, b) => far(b) < far(a) ? b : a, below[0] ?? on);
}

when("tower", drawWords);
when("layer", drawWords);
when("token", markWord);
