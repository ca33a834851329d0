() => {
  // One playhead a tab: its players, bars, chips and explorer follow each other. What is looked at in the explorer goes
  // into the address, and a link opens it again.
  const OWN = "#player :is(video, audio)", PLAYERS = `.plays :is(video, audio), ${OWN}`;  // the form's clip, the answer's
  const CHOOSABLE = "#when :is(.js-plotly-plot, .strips)", BARS = `${CHOOSABLE}, :is(#truth, #now) .lanes`;
  const CHIPS = ":is(#words, #truth, #now) [data-at]", LINE = "crab-playhead", FOLLOWS = "crab-follows";
  const BY = {ArrowLeft: -.1, ArrowDown: -.1, ArrowRight: .1, ArrowUp: .1, PageUp: 1, PageDown: -1, Home: -Infinity,
    End: Infinity};                               // seconds, as the explorer's own playhead has it

  const tabOf = element => element.closest("[role=tabpanel]");
  const within = (tab, found) => [...tab.querySelectorAll(found)];
  const tell = (frame, name, detail) => frame.dispatchEvent(new CustomEvent(name, {detail}));
  // Not while they play another clip than the answer is about.
  const stale = tab => tab.querySelector("[data-stale]") !== null;
  const follows = player => player.matches(OWN) || !stale(tabOf(player));
  const players = tab => within(tab, PLAYERS).filter(player => player.offsetParent && player.currentSrc && follows(player));

  // --- The moment, and who shows it ---

  const moments = new WeakMap();                  // tab → seconds
  const moment = tab => moments.get(tab) ?? 0;
  function show(tab, time) {
    moments.set(tab, time);
    within(tab, BARS).forEach(place);
    within(tab, "#over [data-from]").forEach(part => lay(part, time));
    within(tab, "iframe.crab-explorer").forEach(frame => tell(frame, "crab-time", {time}));
  }
  // What lies over the player's picture, in its seconds.
  const lay = (part, time) => { part.hidden = time < +part.dataset.from || time >= +part.dataset.to; };
  function seek(tab, time) {
    show(tab, time);
    players(tab).forEach(player => { player.currentTime = time; });
  }

  // Where the seconds of bars lie, in pixels from their edges, and how many there are; null where none are drawn.
  function scale(bars) {
    if (bars.matches(".lanes")) {
      const {offsetLeft: left, offsetTop: tall, offsetWidth: wide} = bars.querySelector(".axis");
      return {left, right: bars.clientWidth - left - wide, top: 0, tall, seconds: +bars.dataset.seconds};
    }
    const drawn = bars._fullLayout, {_offset: left, _length: wide, range} = drawn?.xaxis ?? {};
    if (!wide || !bars.data.length) return null;
    return {left, right: drawn.width - left - wide, top: drawn._size.t, tall: drawn._size.h, seconds: range[1]};
  }
  // The line over bars, which is a slider: made where it is missing, and put where the moment is. Strips stand over bars,
  // whose line is theirs too.
  function place(bars) {
    const on = scale(bars), time = moment(tabOf(bars));
    if (!on) return;
    const name = bars.matches(".strips") ? FOLLOWS : LINE;
    let line = bars.querySelector(`:scope > .${name}`);
    if (!line) {
      line = Object.assign(document.createElement("div"), {className: name});
      bars.append(line);
      if (name === LINE) slides(line);
    }
    const share = Math.min(time / on.seconds, 1);
    line.style.cssText = `left:calc(${on.left}px + (100% - ${on.left + on.right}px) * ${share});` +
      `top:${on.top}px;height:${on.tall}px`;
    if (name !== LINE) return;
    line.setAttribute("aria-valuemax", on.seconds);
    line.setAttribute("aria-valuenow", +time.toFixed(2));
    line.setAttribute("aria-valuetext", `${time.toFixed(1)} s`);
  }
  // The times beside a lane's name, where there is room for them: they stand in the bars, too.
  function trim(plot) {
    const {width} = plot._fullLayout ?? {}, edge = plot.getBoundingClientRect().right;
    within(plot, ".annotation-text").filter(words => width && words.dataset.within !== String(width)).forEach(words => {
      const times = words.querySelector("tspan:nth-of-type(3)");
      words.dataset.within = width;
      times?.style.removeProperty("display");
      if (times && words.getBoundingClientRect().right > edge) times.style.display = "none";
    });
  }
  function slides(line) {
    line.tabIndex = 0;
    line.setAttribute("role", "slider");
    line.setAttribute("aria-label", "Playhead over the bars, seconds of the clip");
    line.setAttribute("aria-valuemin", 0);
  }
  // A chip that has a time is a button where there is something to seek.
  function press(chip) {
    chip.setAttribute("role", "button");
    chip.tabIndex = 0;
    chip.title = [chip.title, `go to ${+chip.dataset.at} s`].filter(Boolean).join(": ");
  }
  // Whatever is drawn anew gets its line at the moment that its players show.
  new MutationObserver(() => {
    document.querySelectorAll(BARS).forEach(place);
    document.querySelectorAll("#when .js-plotly-plot").forEach(trim);
    document.querySelectorAll(CHOOSABLE).forEach(mark);
    document.querySelectorAll("#over [data-from]").forEach(part => lay(part, moment(tabOf(part))));
    if (!document.querySelector("#strips .strips, #when .js-plotly-plot")) choose(null);
    document.querySelectorAll(`${CHIPS}:not([role])`).forEach(press);
  }).observe(document.body, {subtree: true, childList: true});

  // --- A player moves ---

  const heard = player => { if (follows(player)) show(tabOf(player), player.currentTime); };
  let leader = null;                              // the player that was started last
  let until = null;                               // the second at which it stops of itself
  function follow(player) {
    if (player !== leader || player.paused || !player.isConnected) return;
    if (until !== null && player.currentTime >= until) {
      player.pause();
      player.currentTime = until;
      until = null;
    }
    heard(player);
    requestAnimationFrame(() => follow(player));
  }
  const listen = (name, act) => document.addEventListener(name, ({target}) => {
    if (target.matches(PLAYERS)) act(target);
  }, true);
  // Two players are the form's clip and the answer's: one at a time, and the other is where it stops.
  listen("play", player => {
    if (leader !== player) until = null;
    leader = player;
    within(tabOf(player), PLAYERS).forEach(other => { if (other !== player) other.pause(); });
    follow(player);
  });
  listen("pause", player => {
    if (player !== leader || !follows(player)) return;
    players(tabOf(player)).forEach(other => { if (other !== player) other.currentTime = player.currentTime; });
  });
  listen("loadedmetadata", player => heard(player));
  // Where it was sent it is already, or at its end where another player goes on.
  listen("seeking", player => {
    const sent = Math.min(moment(tabOf(player)), player.duration);
    if (Math.abs(player.currentTime - sent) > .01) heard(player);
  });
  // A file that this browser cannot play.
  document.addEventListener("error", event => {
    if (event.target.matches?.(":is(#file-shown, #player) :is(video, audio, img)"))
      event.target.replaceWith("This browser cannot show it. It can be asked all the same.");
  }, true);

  // --- The visitor moves it: by a click, by keys, in the explorer ---

  // Which second of bars a pointer is at; outside of them one before the first or after the last.
  function secondAt(bars, event) {
    const on = scale(bars), {left, width} = bars.getBoundingClientRect();
    return on && on.seconds * (event.clientX - left - on.left) / (width - on.left - on.right);
  }
  document.addEventListener("click", event => {
    const chip = event.target.closest?.(CHIPS), bars = event.target.closest?.(BARS), on = bars && scale(bars);
    if (chip) seek(tabOf(chip), +chip.dataset.at);
    if (!on || dragged) return;
    const second = secondAt(bars, event);
    if (bars.matches(CHOOSABLE)) choose(null);
    if (second >= 0 && second <= on.seconds) seek(tabOf(bars), second);
  });

  // --- A stretch of the seconds: dragged over, or with Shift from where the playhead is ---

  const CHOSEN = "crab-chosen", FEW = 5;          // pixels that are no drag yet
  let stretch = null, pressed = null, dragged = false;
  const tenth = second => Math.round(10 * second) / 10;
  function choose(of) {
    const when = document.querySelector("#when");
    if (!of && !stretch) return;
    stretch = of && {start: tenth(Math.min(of.start, of.end)), end: tenth(Math.max(of.start, of.end))};
    if (!when) return;
    const said = stretch ? `${stretch.start}–${stretch.end}` : "";
    if (stretch) when.dataset.chosen = said; else delete when.dataset.chosen;
    const words = when.querySelector("#which-seconds p");
    if (words) words.textContent = stretch ? `Seconds ${said}` : "Drag over the seconds to choose some.";
    within(when, CHOOSABLE).forEach(mark);
  }
  function mark(bars) {
    const on = scale(bars);
    let chosen = bars.querySelector(`:scope > .${CHOSEN}`);
    if (!stretch || !on) return chosen?.remove();
    if (!chosen) bars.append(chosen = Object.assign(document.createElement("div"), {className: CHOSEN}));
    const share = second => Math.min(second / on.seconds, 1), wide = `(100% - ${on.left + on.right}px)`;
    chosen.style.cssText = `left: calc(${on.left}px + ${wide} * ${share(stretch.start)}); top: ${on.top}px; height: ${on.tall}px; ` +
      `width: calc(${wide} * ${share(stretch.end) - share(stretch.start)});`;
  }
  document.addEventListener("pointerdown", event => {
    const bars = event.button ? null : event.target.closest?.(CHOOSABLE);
    dragged = false;
    pressed = bars && scale(bars) && {bars, x: event.clientX, start: secondAt(bars, event)};
  });
  document.addEventListener("pointermove", event => {
    if (!pressed || Math.abs(event.clientX - pressed.x) < FEW && !dragged) return;
    const {seconds} = scale(pressed.bars), inside = second => Math.min(Math.max(second, 0), seconds);
    dragged = true;
    choose({start: inside(pressed.start), end: inside(secondAt(pressed.bars, event))});
    event.preventDefault();
  });
  ["pointerup", "pointercancel"].forEach(name => document.addEventListener(name, () => {
    if (dragged && stretch && stretch.end - stretch.start < .5) choose(null);  // shorter ones cannot be asked about
    pressed = null;
  }));
  // What was chosen, heard and seen alone.
  document.addEventListener("crab-play", () => {
    const player = document.querySelector(OWN);
    if (!player || !stretch) return;
    seek(tabOf(player), stretch.start);
    leader = player;
    until = stretch.end;
    player.play();
  });
  document.addEventListener("keydown", event => {
    const {target, key} = event, line = target.closest?.(`.${LINE}`), by = BY[key];
    if (target.matches?.(CHIPS) && (key === "Enter" || key === " ")) seek(tabOf(target), +target.dataset.at);
    else if (line && by !== undefined) {
      const time = moment(tabOf(line)), {seconds} = scale(line.parentElement);
      const to = Math.round(1000 * Math.min(Math.max(time + by, 0), seconds)) / 1000;
      if (event.shiftKey && line.closest(CHOOSABLE))
        choose({start: stretch && stretch.end === tenth(time) ? stretch.start : time, end: to});
      seek(tabOf(line), to);
    } else return;
    event.preventDefault();
  });
  document.addEventListener("crab-seek", event => seek(tabOf(event.target), event.detail.time));

  // --- The address ---

  document.addEventListener("crab-view", event => {
    const said = Object.entries(event.detail).filter(([, value]) => value !== null && value !== undefined);
    history.replaceState(null, "", location.pathname + location.search + "#" + new URLSearchParams(said));
  });
  let view = new URLSearchParams(location.hash.slice(1));
  document.addEventListener("crab-ready", event => {
    if (!view.has("view")) return;
    const token = view.has("token") ? Number(view.get("token")) : null;
    tell(event.target, "crab-open", {view: view.get("view"), tower: view.get("tower"), token});
    view = new URLSearchParams();
  });
}
