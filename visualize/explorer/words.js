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
}
function word(t) {
  const {name, text} = state.tower.tokens[t], w = share(t), ground = mix(w);
  const textContent = text.replace(/\n/g, "↵").replace(/\t/g, "⇥");
  const e = make("span", {className: "t", tabIndex: 0, textContent, title: `${t} · ${told(w)}`});
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
  document.querySelector(`#words .t[data-token="${shown()}"]`)?.classList.add("on");
}

when("tower", drawWords);
when("layer", drawWords);
when("token", markWord);
