// The page is complete without this. It adds how long ago things were, and keeps an open page up to date.
"use strict";

(() => {
  const EVERY_MS = 30_000;
  const LATE_MS = 90_000;
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
  const language = document.documentElement.lang;
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "short" });
  const spoken = document.createElement("p");
  spoken.className = "unseen";
  spoken.setAttribute("role", "status");
  document.body.append(spoken);
  let answered = Date.now();

  function ago(instant) {
    const seconds = (instant - Date.now()) / 1000;
    const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units.at(-1);
    return relative.format(Math.trunc(seconds / length), unit);
  }

  function tellAges() {
    for (const time of document.querySelectorAll("main time[datetime*=T]")) {
      time.title = ago(Date.parse(time.dateTime));
    }
  }

  function warnWhenLost() {
    const main = document.querySelector("main");
    const shown = document.getElementById("lost");
    const late = Date.now() - answered > LATE_MS;
    if (!late) shown?.remove();
    if (!late || shown) return;
    const banner = document.createElement("p");
    banner.id = "lost";
    banner.className = "banner stale";
    banner.textContent = main.dataset.lost;
    main.prepend(banner);
  }

  function replace(next) {
    const open = new Set([...document.querySelectorAll("details[open]")].map((each) => each.id));
    const before = document.querySelector("h1")?.textContent;
    const main = document.querySelector("main");
    if (main.contains(document.activeElement) || next.querySelector("main").innerHTML === main.innerHTML) return;
    main.replaceWith(document.adoptNode(next.querySelector("main")));
    for (const each of document.querySelectorAll("details")) each.open = open.has(each.id);
    document.title = next.title;
    document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").href;
    const now = document.querySelector("h1")?.textContent;
    if (now !== before) spoken.textContent = now;
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.pathname, { cache: "no-cache", signal: AbortSignal.timeout(10_000) });
      if (answer.ok) {
        answered = Date.now();
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
    } catch {
      // Not reached: the next round tries again, and the banner tells how long that has lasted.
    }
    warnWhenLost();
    tellAges();
  }

  tellAges();
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
})();
