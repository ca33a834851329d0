() => {
  // One playhead a tab: its players, bars, chips and explorer follow each other. What is looked at in the explorer goes
  // into the address, and a link opens it again.
  const PLAYERS = ".plays :is(video, audio)", BARS = "#when .js-plotly-plot, :is(#truth, #now) .lanes";
  const CHIPS = ":is(#words, #truth, #now) [data-at]", LINE = "crab-playhead";
  const BY = {ArrowLeft: -.1, ArrowDown: -.1, ArrowRight: .1, ArrowUp: .1, PageUp: 1, PageDown: -1, Home: -Infinity,
    End: Infinity};                               // seconds, as the explorer's own playhead has it

  const tabOf = element => element.closest("[role=tabpanel]");
  const within = (tab, found) => [...tab.querySelectorAll(found)];
  const tell = (frame, name, detail) => frame.dispatchEvent(new CustomEvent(name, {detail}));
  // Not while they play another clip than the answer is about.
  const stale = tab => tab.querySelector("[data-stale]") !== null;
  const players = tab => within(tab, PLAYERS).filter(player => player.offsetParent && player.currentSrc && !stale(tab));

  // --- The moment, and who shows it ---

  const moments = new WeakMap();                  // tab → seconds
  const moment = tab => moments.get(tab) ?? 0;
  function show(tab, time) {
    moments.set(tab, time);
    within(tab, BARS).forEach(place);
    within(tab, "iframe.crab-explorer").forEach(frame => tell(frame, "crab-time", {time}));
  }
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
  // The line over bars, which is a slider: made where it is missing, and put where the moment is.
  function place(bars) {
    const on = scale(bars), time = moment(tabOf(bars));
    if (!on) return;
    let line = bars.querySelector(`:scope > .${LINE}`);
    if (!line) {
      line = Object.assign(document.createElement("div"), {className: LINE, tabIndex: 0});
      line.setAttribute("role", "slider");
      line.setAttribute("aria-label", "Playhead over the bars, seconds of the clip");
      line.setAttribute("aria-valuemin", 0);
      bars.append(line);
    }
    const share = Math.min(time / on.seconds, 1);
    line.style.cssText = `left:calc(${on.left}px + (100% - ${on.left + on.right}px) * ${share});` +
      `top:${on.top}px;height:${on.tall}px`;
    line.setAttribute("aria-valuemax", on.seconds);
    line.setAttribute("aria-valuenow", +time.toFixed(2));
    line.setAttribute("aria-valuetext", `${time.toFixed(1)} s`);
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
    document.querySelectorAll(`${CHIPS}:not([role])`).forEach(press);
  }).observe(document.body, {subtree: true, childList: true});

  // --- A player moves ---

  const heard = player => { if (!stale(tabOf(player))) show(tabOf(player), player.currentTime); };
  let leader = null;                              // the player that was started last
  function follow(player) {
    if (player !== leader || player.paused || !player.isConnected) return;
    heard(player);
    requestAnimationFrame(() => follow(player));
  }
  const listen = (name, act) => document.addEventListener(name, ({target}) => {
    if (target.matches(PLAYERS)) act(target);
  }, true);
  listen("play", player => { leader = player; follow(player); });
  listen("loadedmetadata", player => heard(player));
  // Where it was sent it is already, or at its end where another player goes on.
  listen("seeking", player => {
    const sent = Math.min(moment(tabOf(player)), player.duration);
    if (Math.abs(player.currentTime - sent) > .01) heard(player);
  });
  // A file that this browser cannot play.
  document.addEventListener("error", event => {
    if (event.target.matches?.("#file-shown :is(video, audio, img)"))
      event.target.replaceWith("This browser cannot show it. It can be asked all the same.");
  }, true);

  // --- The visitor moves it: by a click, by keys, in the explorer ---

  document.addEventListener("click", event => {
    const chip = event.target.closest?.(CHIPS), bars = event.target.closest?.(BARS), on = bars && scale(bars);
    if (chip) seek(tabOf(chip), +chip.dataset.at);
    if (!on) return;
    const {left, width} = bars.getBoundingClientRect();
    const share = (event.clientX - left - on.left) / (width - on.left - on.right);
    if (share >= 0 && share <= 1) seek(tabOf(bars), share * on.seconds);
  });
  document.addEventListener("keydown", event => {
    const {target, key} = event, line = target.closest?.(`.${LINE}`), by = BY[key];
    if (target.matches?.(CHIPS) && (key === "Enter" || key === " ")) seek(tabOf(target), +target.dataset.at);
    else if (line && by !== undefined) {
      const time = moment(tabOf(line)) + by, {seconds} = scale(line.parentElement);
      seek(tabOf(line), Math.round(1000 * Math.min(Math.max(time, 0), seconds)) / 1000);
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
