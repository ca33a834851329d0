// What the page does in the browser beside showing what it is sent. Events name these: `crab.busy`, `crab.show(…)`.
window.crab = (() => {
  const update = more => ({__type__: "update", ...more});
  const press = selector => document.querySelector(selector)?.click();

  // Resolves with what `found` returns as soon as that is something, or with nothing once `most` ms have passed.
  const appears = (found, most = 2000) => new Promise(resolve => {
    const now = found();
    if (now) return resolve(now);
    const watch = new MutationObserver(() => { const it = found(); if (it) end(it); });
    const late = setTimeout(() => end(null), most);
    const end = it => { watch.disconnect(); clearTimeout(late); resolve(it); };
    watch.observe(document.body, {subtree: true, childList: true, attributes: true});
  });
  // Resolves once the browser has drawn what has been told to it.
  const drawn = () => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const enabled = selector => () => document.querySelector(`${selector}:not([disabled])`);
  const toSight = async selector => (await appears(() => document.querySelector(selector)))?.scrollIntoView({block: "nearest"});

  // Ask and Stop take turns, at once: these are the updates of the two buttons.
  const busy = () => [update({interactive: false}), update({interactive: true})];
  // Gradio calls a stopped answer a failure too, at some time after Stop, which hands the turn back itself. So whatever
  // fails after Stop is that; what fails else was refused by the queue, and hands the turn back.
  let stopped = 0;
  const stopping = () => { stopped += 1; return [update({interactive: false}), update({interactive: false})]; };
  const isOver = () => { stopped = 0; };
  const free = () => {
    if (!stopped) return [update({interactive: true}), update({interactive: false})];
    stopped -= 1;
    return [update(), update()];
  };

  // `word` is "go", or the number of a run that is known: a button out of sight is pressed, if nothing is under way.
  const start = word => {
    if (!word || document.querySelector("#ask").disabled) return;
    press(word === "go" ? "#go" : "#known");
    toSight(".validation-error");
  };
  // The same in the second tab, where Stop has not been pressed meanwhile.
  const go = (word, stop, button) => { if (word === "go" && enabled(stop)()) press(button); };

  const show = selector => toSight(`${selector} [role=alert]`);
  // An answer that is over is read out: all of it once, not each word as it comes.
  const tell = async selector => {
    await drawn();
    document.querySelector("#told [role=status]").textContent = document.querySelector(selector)?.innerText ?? "";
  };
  // Typing a question of one's own lets go of the one that is chosen.
  const instead = own => update(own.trim() ? {value: null} : {});
  const dice = most => Math.floor(Math.random() * most);

  // An example that is on the form now is asked, in place of what is being answered; the answer comes to sight.
  const askNow = async () => {
    await drawn();
    if (document.querySelector("#ask").disabled) press("#stop");
    (await appears(enabled("#ask"), 5000))?.click();
    toSight("#words");
  };
  // What a link brought is asked once the form shows it.
  const openLink = async () => {
    const asked = new URLSearchParams(location.search);
    const button = asked.has("clip") ? "#ask" : asked.has("scene") ? "#compose-ask" : null;
    if (!button) return;
    await drawn();
    (await appears(enabled(button)))?.click();
  };
  const nameLink = link => {
    const view = link === location.search ? location.hash : "";
    history.replaceState(null, "", (link || location.pathname) + view);
  };
  // The form shows another clip than the answer is about: the address names neither that nor a view of it.
  const dropLink = stale => { if (stale) history.replaceState(null, "", location.pathname); };
  const copyLink = () => navigator.clipboard.writeText(location.href);

  // The file that was made is fetched once the button out of sight names it.
  const fetchFile = async () => { await drawn(); press("#taken a, a#taken, #taken"); };

  // A button that is disabled by being pressed would leave the focus nowhere: its neighbour in the row takes it, Stop
  // while an answer is on its way, and Ask again when it is over. A key that is held down presses Ask alone.
  let held = null;
  document.addEventListener("focusin", event => { held = event.target.closest("button"); });
  document.addEventListener("focusout", event => { if (!event.target.disabled) held = null; });
  document.addEventListener("keydown", event => {
    if (event.repeat && held && ["Enter", " "].includes(event.key)) event.preventDefault();
  }, true);
  new MutationObserver(() => {
    if (held?.disabled && [document.body, held].includes(document.activeElement))
      held.closest(".actions")?.querySelector("button:not([disabled])")?.focus();
  }).observe(document, {subtree: true, attributeFilter: ["disabled"]});

  // Gradio gives every radio button a name of its own, and so a browser takes each for a group. They are one: Tab comes to
  // the one that is chosen, and arrows choose from there on.
  const radios = group => [...group.querySelectorAll("input[type=radio]:not([disabled])")];
  const STEPS = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};
  document.addEventListener("keydown", event => {
    if (event.key === "Tab") document.querySelectorAll("fieldset").forEach(group => {
      const all = radios(group), stop = all.find(one => one.checked) ?? all[0];
      all.forEach(one => { one.tabIndex = one === stop ? 0 : -1; });
    });
    const group = event.target.type === "radio" && event.target.closest("fieldset"), step = STEPS[event.key];
    if (!group || !step) return;
    event.preventDefault();
    const all = radios(group), next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    next.focus();
    next.click();
  }, true);

  // Gradio's footer has a picture whose name stands beside it: to whoever listens it would be said twice.
  drawn().then(async () => {
    const twice = await appears(() => document.querySelector("footer img[alt='Settings']"), 60000);
    if (twice) twice.alt = "";
  });

  // A stretch that was chosen in the bars, see `linked.js`, as it is typed; with what else there is.
  const chosen = () => document.querySelector("#when")?.dataset.chosen ?? "";
  const withChosen = (result, _, ...values) =>
    [result, chosen(), ...values.slice(0, -1), ...values.slice(-1).map(() => document.querySelector(".dark") !== null)];
  const playChosen = () => document.dispatchEvent(new CustomEvent("crab-play"));

  const withDark = (...values) => [...values.slice(0, -1), document.querySelector(".dark") !== null];

  return {busy, stopping, isOver, free, start, go, toSight, show, tell, instead, dice, askNow, openLink, nameLink, dropLink,
    copyLink, fetchFile, withChosen, playChosen, withDark};
})();
