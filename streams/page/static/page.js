// Follows new copies; moves through the grid by keys.
const doc = document, $ = (id) => doc.getElementById(id), all = (selector) => [...doc.querySelectorAll(selector)];
const shown = doc.body.dataset, pause = $("pause"), newer = $("newer"), [icon] = all("[rel=icon]");
let title = doc.title, at, source, on = shown.live, taking, typed;
let told = shown.version, skew = 0, heard = Date.now(), opened = heard, failed = 0;

const ageSaid = (seconds) => {
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]])
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${unit}`;
  return `${Math.floor(Math.max(0, seconds))} s`;
};
const tick = () => {
  const now = Date.now(), patience = doc.hidden || source?.readyState < 2 ? 30000 : 5000;
  // A refused stream closes for good. One lost in a machine's sleep says nothing.
  if (on && now - Math.max(heard, opened) > patience) open();
  if (on && now - failed > 5000) whole();
  const { published, limit, broken } = $("banner").dataset, age = (now + skew) / 1000 - published, state = $("state");
  const lost = failed || (source && now - heard > 12000), stale = lost || !published || age > limit || broken;
  const said = lost ? "STALE, reconnecting." : stale ? "STALE" : "";
  if (published) $("age").textContent = `${ageSaid(age)} ago`;
  if (state.textContent !== said) state.textContent = said;
  $("banner").className = stale ? "stale" : "fresh";
};

// One cell is in the tab order, the arrows move.
const links = () => all(".grid tbody tr").map((row) => [...row.querySelectorAll("a[id]")]);
const rove = () => {
  all(".grid")[0]?.setAttribute("role", "grid");
  const cells = links().flat(), home = cells.find(({ id }) => id === at) || cells[0];
  for (const link of cells) link.tabIndex = link === home ? 0 : -1;
};
addEventListener("focusin", ({ target }) => { if (target.matches(".grid a[id]")) { at = target.id; rove(); } });
oninput = () => { typed = true; };
onkeydown = (event) => {
  const { key, target } = event, legend = $("legend");
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("form")) return;
  if (key === "?" && legend) { legend.open = !legend.open; legend.scrollIntoView(false); }
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key] || [];
  const rows = links(), y = rows.findIndex((row) => row.includes(target));
  const next = rows[y + down]?.[rows[y]?.indexOf(target) + right];
  if (next) { event.preventDefault(); next.focus(); }
};

// Focus stays by id, or by address and place among its like.
const like = (it) => all(`main ${it.tagName}`).filter((one) => one.href === it.href);
const keeping = (change) => {
  const it = doc.activeElement, place = like(it).indexOf(it);
  const kept = all("details, .scroll").map(({ id, open, scrollLeft }) => [id, { open, scrollLeft }]);
  change();
  for (const [id, state] of kept) if ($(id)) Object.assign($(id), state);
  if (!it.isConnected) ($(it.id) || like(it)[place])?.focus({ preventScroll: true });
  rove();
  tick();
};
onfocus = () => { doc.title = title; icon.href = "/static/icon.svg"; };
const put = (parts) => keeping(() => {
  const news = [];
  for (const [id, html] of Object.entries(parts)) {
    if (!$(id)) continue;
    const { word } = $(id).dataset;
    $(id).outerHTML = html;
    const now = $(id).dataset.word;
    if (now && now !== word) news.push(`${id.slice(2)} is ${now}`);
    $(id).classList.add("new");
  }
  if (news[0]) $("news").textContent = news.join("; ");
  if (!/BROKEN/.test(news)) return;
  doc.title = `✕ ${title}`;
  if (!doc.hasFocus()) icon.href = "/static/icon-broken.svg";
});

// A version is shown once its page is there. No form is taken from under a person's hands.
const whole = async (asked) => {
  const behind = shown.version !== told, held = () => !asked && (typed || doc.activeElement.closest("form"));
  newer.hidden = !behind || !held();
  if (!behind) failed = 0;
  if (!behind || held() || taking) return;
  taking = true;
  try {
    const text = await (await fetch(location, { signal: AbortSignal.timeout(30000) })).text();
    const page = new DOMParser().parseFromString(text, "text/html"), { dataset } = page.body;
    // Refusals, and a proxy's own pages, are of no version.
    if (!(dataset.version > 0)) throw text;
    if ((on || asked) && !held()) keeping(() => {
      for (const id of ["main", "banner"]) $(id).replaceWith(page.getElementById(id));
      Object.assign(shown, dataset);
      doc.title = title = page.title;
      typed = false;
    });
  } catch { failed = Date.now(); }
  taking = false;
};
const open = () => {
  source?.close();
  opened = Date.now();
  told = shown.version;
  source = new EventSource(`/live?since=${told}`);
  const hear = ({ data }) => {
    data = JSON.parse(data);
    heard = Date.now();
    skew = data.now * 1000 - heard;
    return data;
  };
  source.addEventListener("ping", (event) => {
    const { workers } = hear(event), old = $("workers");
    if (old) old.outerHTML = workers;
  });
  source.onmessage = (event) => {
    const { version, banner, parts } = hear(event), some = shown.live === "fragments" && parts;
    // Parts lead on from what was told last.
    if (shown.version === told && (some || told == version)) { put({ banner, ...some }); shown.version = version; }
    told = String(version);
    whole();
    if (doc.hidden) turn();
  };
};
// Browsers open six connections to a server for all tabs: one behind looks in now and then.
const turn = () => {
  heard = Date.now();
  source = source?.close();
  if (on && !doc.hidden) open();
};
if (on) {
  pause.hidden = false;
  pause.onclick = () => {
    on = !on;
    pause.textContent = on ? "Pause" : "Go on";
    pause.ariaPressed = !on;
    turn();
  };
  newer.onclick = () => whole(true);
  addEventListener("visibilitychange", turn);
  open();
}
rove();
setInterval(tick, 1000);
