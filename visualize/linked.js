() => {
  // One playhead: player, bars and explorer follow each other; what is looked at in the explorer goes into the address.
  const frames = () => document.querySelectorAll("iframe.crab-explorer");
  const players = () => [...document.querySelectorAll("#video video, #film video")].filter(v => v.offsetParent);
  const tell = (frame, name, detail) => frame.dispatchEvent(new CustomEvent(name, {detail}));
  const plots = () => [...document.querySelectorAll("#when .js-plotly-plot")].filter(p => p._fullLayout?.xaxis);
  function cursor(time) {
    for (const plot of plots()) {
      const axis = plot._fullLayout.xaxis, size = plot._fullLayout._size;
      let line = plot.querySelector(".crab-playhead");
      if (!line) { line = document.createElement("div"); line.className = "crab-playhead"; plot.append(line); }
      line.style.cssText = `left:${axis._offset + axis.l2p(time)}px;top:${size.t}px;height:${size.h}px`;
    }
  }
  const seek = time => { players().forEach(v => { v.currentTime = time; }); cursor(time); };
  let last = null;
  (function follow() {
    const video = players().find(v => !v.paused) || players()[0];
    if (video && video.currentTime !== last) {
      last = video.currentTime;
      cursor(last);
      frames().forEach(frame => tell(frame, "crab-time", {time: last}));
    }
    requestAnimationFrame(follow);
  })();
  document.addEventListener("crab-seek", event => seek(event.detail.time));
  document.addEventListener("crab-view", event => {
    const said = Object.entries(event.detail).filter(([, value]) => value !== null && value !== undefined);
    history.replaceState(null, "", location.pathname + location.search + "#" + new URLSearchParams(said));
  });
  document.addEventListener("click", event => {
    const plot = event.target.closest?.("#when .js-plotly-plot"), axis = plot?._fullLayout?.xaxis;
    if (!axis) return;
    const time = axis.p2l(event.clientX - plot.getBoundingClientRect().left - axis._offset);
    if (time >= axis.range[0] && time <= axis.range[1]) {
      seek(time);
      frames().forEach(frame => tell(frame, "crab-time", {time}));
    }
  });
  let view = new URLSearchParams(location.hash.slice(1));
  document.addEventListener("crab-ready", event => {
    if (!view.has("view")) return;
    const token = view.has("token") ? Number(view.get("token")) : null;
    tell(event.target, "crab-open", {view: view.get("view"), tower: view.get("tower"), token});
    view = new URLSearchParams();
  });
}
