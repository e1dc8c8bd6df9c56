"use strict";
/* All data is written as text (textContent), never as markup. The page is readable without this script. */
(() => {
  const island = JSON.parse(document.getElementById("island").textContent);
  const root = document.documentElement;
  const coarse = matchMedia("(pointer: coarse)").matches;

  /* Theme: that of the system, until the reader selects one. */
  const system = matchMedia("(prefers-color-scheme: dark)");
  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const remembered = () => { try { return localStorage.getItem("edge-ptf-theme"); } catch { return null; } };
  const remember = (name) => { try { localStorage.setItem("edge-ptf-theme", name); } catch { /* not allowed for local files */ } };
  const nameButton = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Change to ${isDark() ? "light" : "dark"} colours`);
  };
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  theme.hidden = false;
  nameButton();
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    nameButton();
    redraw();
  });
  system.addEventListener("change", () => { nameButton(); redraw(); });

  /* Plots: drawn when they are scrolled near the window, in the colours of the theme. */
  const drawn = new Map();
  const whole = new Map();
  const ranges = (view) => [view.model.x_range, view.model.y_range];
  const untabbed = (node) => {  /* the keyboard focuses the buttons beside the plot, not its layers */
    for (const child of node.children) {
      if (child.tabIndex >= 0) child.tabIndex = -1;
      if (child.shadowRoot) untabbed(child.shadowRoot);
      untabbed(child);
    }
  };
  const fitNames = (name, place) => {  /* a matrix shows as many class names as fit */
    const view = drawn.get(name);
    if (!view || !name.startsWith("matrix")) return;
    view.model.below[0].ticker.desired_num_ticks = Math.max(3, Math.floor((place.clientWidth - 190) / 20));
  };
  addEventListener("resize", () => places.forEach((place) => fitNames(place.dataset.plot, place)));
  const draw = async (place) => {
    const name = place.dataset.plot;
    if (drawn.has(name) || place.closest(".plot").hidden) return;
    drawn.set(name, null);
    let text = JSON.stringify(island.plots[name]);
    const colours = getComputedStyle(root);
    for (const [variable, placeholder] of Object.entries(island.ink)) {
      text = text.replaceAll(placeholder, colours.getPropertyValue(variable).trim());
    }
    const item = JSON.parse(text);
    const target = document.createElement("div");
    target.id = item.target_id = `plot-${name}`;
    place.replaceChildren(target);
    const manager = await Bokeh.embed.embed_item(item);
    const [view] = [...manager.roots];
    drawn.set(name, view);
    untabbed(place);
    whole.set(name, ranges(view).map(({ start, end }) => [start, end]));
    for (const tool of view.model.toolbar.tools) {
      if (tool.type === "BoxZoomTool" && !coarse) tool.active = true;
    }
    fitNames(name, place);
    const buttons = document.querySelector(`.zoom[data-for="${name}"]`);
    if (buttons) buttons.hidden = false;
  };
  const places = [...document.querySelectorAll("[data-plot]")];
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  }, { rootMargin: "400px" });
  const watch = () => places.filter((place) => place.isConnected).forEach((place) => near.observe(place));
  const redraw = () => { near.disconnect(); drawn.clear(); watch(); };
  const drawAll = () => Promise.all(places.filter((place) => place.isConnected).map(draw));
  /* Paper shows the static drawings, and the content of closed parts. */
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
  document.addEventListener("edge-ptf:draw-all", (event) => event.detail.done(drawAll()));

  const zoom = (name, how) => {
    const view = drawn.get(name);
    if (!view) return;
    ranges(view).forEach((range, axis) => {
      if (how === "reset") return range.setv({ start: whole.get(name)[axis][0], end: whole.get(name)[axis][1] });
      if (axis === 1 && !name.startsWith("matrix")) return;
      const span = range.end - range.start;
      const step = { in: [0.2, -0.2], out: [-1 / 3, 1 / 3], left: [-0.25, -0.25], right: [0.25, 0.25] }[how];
      if (axis === 1 && (how === "left" || how === "right")) return;
      const bounds = range.bounds && range.bounds !== "auto" ? range.bounds : [-Infinity, Infinity];
      const [least, most] = [...bounds].sort((a, b) => a - b);
      const fit = (value) => Math.min(Math.max(value, least), most);
      range.setv({ start: fit(range.start + step[0] * span), end: fit(range.end + step[1] * span) });
    });
  };
  for (const buttons of document.querySelectorAll(".zoom")) {
    buttons.addEventListener("click", (event) => {
      if (event.target.dataset.zoom) zoom(buttons.dataset.for, event.target.dataset.zoom);
    });
  }

  /* Selects one of several matrices. */
  for (const choice of document.querySelectorAll("[data-choice]")) {
    const radios = [...choice.querySelectorAll("input")];
    const show = () => {
      for (const radio of radios) {
        const place = document.querySelector(`[data-plot="${radio.value}"]`);
        place.closest(".plot").hidden = !radio.checked;
        if (radio.checked) { near.unobserve(place); near.observe(place); }
      }
    };
    choice.hidden = false;
    choice.addEventListener("change", show);
    show();
  }
  watch();

  /* Tables with search, sort and a limit of rows. */
  for (const box of document.querySelectorAll("[data-table]")) {
    const [search, count] = [box.querySelector("input"), box.querySelector(".count")];
    const more = box.querySelector(".more button");
    const body = box.querySelector("tbody");
    const step = Number(box.dataset.first) || Infinity;
    let most = step;
    const show = () => {
      const wanted = search.value.trim().toLowerCase();
      let fitting = 0;
      for (const row of body.rows) {
        const fits = row.textContent.toLowerCase().includes(wanted);
        fitting += fits;
        row.hidden = !fits || fitting > most;
      }
      count.textContent = `${Math.min(fitting, most)} of ${body.rows.length} shown`;
      if (more) more.hidden = fitting <= most;
    };
    box.querySelector(".controls").hidden = false;
    search.addEventListener("input", () => { most = step; show(); });
    if (more) more.addEventListener("click", () => { most += 25; show(); });
    [...box.querySelectorAll("thead th")].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending" ||
          (!head.hasAttribute("aria-sort") && head.classList.contains("number"));
        const value = (row) => row.cells[column].textContent;
        const number = (row) => {
          const found = Number.parseFloat(value(row).replaceAll(",", ""));
          return Number.isNaN(found) ? -Infinity : found;
        };
        const order = head.classList.contains("number")
          ? (a, b) => number(a) - number(b) : (a, b) => value(a).localeCompare(value(b));
        const rows = [...body.rows].sort((a, b) => (descending ? order(b, a) : order(a, b)));
        for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        body.replaceChildren(...rows);
        show();
      });
    });
    show();
  }

  /* Examples whose answer changed. */
  const examples = document.querySelector("[data-examples]");
  if (examples && island.changes) {
    const { sides, words, rows } = island.changes;
    const [list, count] = [examples.querySelector(".cards"), examples.querySelector(".count")];
    const [search, more] = [examples.querySelector("input[type=search]"), examples.querySelector(".more button")];
    let most = 20;
    const element = (kind, name, text) => {
      const made = document.createElement(kind);
      made.className = name;
      made.textContent = text;
      return made;
    };
    const said = (who, word, score, right) => {
      const line = document.createElement("div");
      const mark = right === undefined ? "" : right ? "✓ " : "✕ ";
      const tail = score === undefined ? "" : ` (${(100 * score).toFixed(0)} %)`;
      line.append(element("dt", "", who), element("dd", right === undefined ? "" : right ? "right" : "wrong", mark + words[word] + tail));
      return line;
    };
    const passage = (text, effects) => {
      const [made, characters] = [element("p", "text", ""), [...text]];
      let last = 0;
      for (const [start, end, effect] of effects ?? []) {
        const level = Math.abs(effect) >= 0.5 ? 3 : Math.abs(effect) >= 0.2 ? 2 : 1;
        const word = element("mark", `${effect > 0 ? "for" : "against"} l${level}`, characters.slice(start, end).join(""));
        word.title = `without it, the score of the answer ${effect > 0 ? "falls" : "rises"} by ${Math.abs(effect).toFixed(2)}`;
        made.append(characters.slice(last, start).join(""), word);
        last = end;
      }
      made.append(characters.slice(last).join(""));
      return made;
    };
    const card = ([side, row, expected, before, after, sure, surer, text, effects]) => {
      const made = document.createElement("li");
      const answers = document.createElement("dl");
      answers.append(said("expected", expected), said("teacher", before, sure, side === 0), said("package", after, surer, side === 1));
      made.append(element("span", `side s${side}`, sides[side]), passage(text ?? `Row ${row + 1} of the split`, effects),
        element("span", "row", `row ${row + 1}`), answers);
      return made;
    };
    const show = () => {
      const chosen = new Set([...examples.querySelectorAll("input:checked")].map((box) => Number(box.value)));
      const wanted = search.value.trim().toLowerCase();
      const fitting = rows.filter((row) => chosen.has(row[0]) && (!wanted ||
        [row[7] ?? "", words[row[2]], words[row[3]], words[row[4]]].some((text) => text.toLowerCase().includes(wanted))));
      list.replaceChildren(...fitting.slice(0, most).map(card));
      count.textContent = `${Math.min(most, fitting.length)} of ${fitting.length} shown`;
      more.hidden = fitting.length <= most;
    };
    examples.addEventListener("change", () => { most = 20; show(); });
    search.addEventListener("input", () => { most = 20; show(); });
    more.addEventListener("click", () => { most += 40; show(); });
    show();
  }
})();
