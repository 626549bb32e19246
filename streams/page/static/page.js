// Follows new copies; moves through the grid by keys.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const { body } = document, pause = $("pause"), icon = document.querySelector("link[rel=icon]");
  let title = document.title, version = body.dataset.version, skew = 0, heard = Date.now(), source = null, at = null;

  // Age of the data by the server's clock. Without a word from it for 12 s nobody knows.
  const ageSaid = (seconds) => {
    for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]])
      if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${unit}`;
    return `${Math.max(0, Math.floor(seconds))} s`;
  };
  const tick = () => {
    const banner = $("banner"), { published, limit, broken } = banner.dataset;
    const lost = source !== null && Date.now() - heard > 12000;
    const age = (Date.now() + skew) / 1000 - published;
    if (published) $("age").textContent = `${ageSaid(age)} ago`;
    const stale = !published || age > limit || broken || lost;
    const said = lost ? "STALE, reconnecting." : stale ? "STALE" : "";
    if ($("state").textContent !== said) $("state").textContent = said;
    banner.className = stale ? "stale" : "fresh";
  };

  // Grid: one cell is in the tab order, the arrows move. Without script every link is.
  const links = () => [...document.querySelectorAll(".grid tbody tr")].map((row) => [...row.querySelectorAll("a[id]")]);
  const rove = () => {
    const grid = document.querySelector(".grid");
    if (!grid) return;
    grid.setAttribute("role", "grid");
    const all = links().flat();
    const home = all.find((link) => link.id === at) || all[0];
    for (const link of all) link.tabIndex = link === home ? 0 : -1;
  };
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches(".grid a[id]")) { at = target.id; rove(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    const legend = $("legend");
    if (event.key === "?" && legend) { legend.open = !legend.open; legend.scrollIntoView({ block: "nearest" }); return; }
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !event.target.matches(".grid a[id]")) return;
    const rows = links(), y = rows.findIndex((row) => row.includes(event.target));
    const next = rows[y + step[0]]?.[rows[y].indexOf(event.target) + step[1]];
    if (next) { event.preventDefault(); next.focus(); }
  });

  // What was focused stays so, by its id; the browser keeps the scroll.
  const keeping = (change) => {
    const focused = document.activeElement?.id;
    change();
    if (focused && focused !== document.activeElement?.id) $(focused)?.focus({ preventScroll: true });
    rove();
    tick();
  };
  const announce = (news) => {
    if (!news.length) return;
    $("news").textContent = news.join("; ");
    if (news.some((text) => text.endsWith("BROKEN"))) {
      document.title = `✕ ${title}`;
      if (!document.hasFocus()) icon.href = "/static/icon-broken.svg";
    }
  };
  addEventListener("focus", () => { document.title = title; icon.href = "/static/icon.svg"; });
  const put = (parts) => keeping(() => {
    const news = [];
    for (const [id, html] of Object.entries(parts)) {
      const old = $(id);
      if (!old) continue;
      const word = old.dataset.word;
      old.outerHTML = html;
      const now = $(id).dataset.word;
      if (now && now !== word) news.push(`${id.slice(2)} is ${now}`);
      if (id !== "banner") $(id).classList.add("new");
    }
    announce(news);
  });
  const whole = async () => {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    keeping(() => {
      for (const id of ["main", "banner"]) if (page.getElementById(id)) $(id).replaceWith(page.getElementById(id));
      document.title = title = page.title;
    });
  };

  const open = () => {
    heard = Date.now();
    source = new EventSource(`/live?since=${version}`);
    const hear = (data) => { heard = Date.now(); skew = data.now * 1000 - heard; return data; };
    source.addEventListener("ping", (event) => { hear(JSON.parse(event.data)); });
    source.onmessage = (event) => {
      const data = hear(JSON.parse(event.data)), fresh = String(data.version) !== version;
      version = String(data.version);
      if (fresh && (body.dataset.live !== "fragments" || !data.parts)) whole();
      else put({ banner: data.banner, ...(body.dataset.live === "fragments" ? data.parts : {}) });
    };
  };
  if (body.dataset.live) {
    pause.hidden = false;
    pause.onclick = () => {
      if (source) { source.close(); source = null; } else open();
      pause.textContent = source ? "Pause" : "Go on";
      pause.setAttribute("aria-pressed", String(!source));
    };
    open();
  }
  rove();
  tick();
  setInterval(tick, 1000);
})();
