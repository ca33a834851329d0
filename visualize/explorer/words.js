// The words of prompt and answer, each in the colour of its mix, with a bar a head.

const spoken = token => ["text", "generated"].includes(token.modality);

function drawWords() {
  const {tokens} = state.tower, out = [];
  $("tokens").hidden = !tokens.some(spoken);
  let gap = 0, kind = "";
  const close = () => {
    if (gap) out.push(make("span", {className: "gap", textContent: `${named(kind)}, ${gap} tokens`}));
    gap = 0;
  };
  for (let t = 0; t < tokens.length && !$("tokens").hidden; t++) {
    const {modality} = tokens[t];
    if (spoken(tokens[t])) { close(); out.push(...word(t)); continue; }
    if (kind !== modality) close();
    kind = modality; gap++;
  }
  close();
  $("words").replaceChildren(...out);
  stopAt(wordOf(state.locked) ?? $("words").querySelector(".t"));
}
function word(t) {
  const {name, text} = state.tower.tokens[t], w = share(t), ground = mix(w);
  const textContent = text.replace(/\n/g, "↵").replace(/\t/g, "⇥");
  const e = make("span", {className: "t", tabIndex: -1, textContent, title: `${t} · ${told(w)}`});
  e.dataset.token = t;
  e.setAttribute("role", "button");
  e.setAttribute("aria-label", `${name}: ${told(w)}`);
  e.style.cssText = `background:rgb(${ground});color:${inkOn(ground)}`;
  w.forEach((v, k) => {
    const bar = make("i"), height = Math.max(1, Math.round(12 * v));
    bar.style.cssText = `left:${100 * k / w.length}%;width:${94 / w.length}%;height:${height}px`;
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
