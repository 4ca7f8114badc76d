// The asynchrony stepper: a few pushes of a run, one after the other, in an order that can be
// changed. It runs the twin's own functions; nothing here is a drawing of what might happen.
(globalThis.a3cModules ??= []).push(Object.assign(function stepper(a3c) {
  "use strict";
  const { h, s, number, short } = a3c;
  const COLUMN = 40, LANE = 44, SHOWN = 24;
  const PHASES = ["computes", "pushes", "syncs"];

  /** All parameters of a run and of each worker's copy, far apart or not: Euclidean distance. */
  function distance(theta, V, other_theta, other_V) {
    let square = 0;
    for (let i = 0; i < theta.length; i++) square += (theta[i] - other_theta[i]) ** 2;
    for (let i = 0; i < V.length; i++) square += (V[i] - other_V[i]) ** 2;
    return Math.sqrt(square);
  }

  /** Run `order` (after `before`); keep what there is to see of each of its pushes. */
  function trace(asked, before, order) {
    const { world, config, seed, total_steps } = asked;
    const crew = new a3c.TableCrew(world, config, total_steps, seed);
    for (let at = 0; at < before.length; at += 1024) crew.take_turns(before.subarray(at, at + 1024), Infinity);
    const { run } = crew, { shared, me } = run;
    const drifts = () => me.theta.map((theta, w) => distance(theta, me.V[w], shared.theta, shared.V));
    const first = { drifts: drifts(), theta: shared.theta.slice(), V: shared.V.slice() };
    const pushes = Array.from(order, (worker, i) => {
      crew.refill();
      const [walk, formed] = a3c.prepare(run, worker);
      a3c.push(run, worker, walk, a3c.between(run, worker, walk, formed));
      const pushed = drifts();
      a3c.after(run, worker);
      const synced = me.synced_at[worker] === shared.counters[a3c.UPDATES];
      a3c.finish_turn(run, worker, walk);
      const [, updates] = a3c.drain(run.log);
      return {
        worker, synced, length: walk.length, terminated: walk.terminated,
        staleness: updates.staleness[0], grad_norm: updates.grad_norm[0],
        pushed, after: drifts(), theta: shared.theta.slice(), V: shared.V.slice(), number: before.length + i,
      };
    });
    return { first, pushes };
  }

  /** Everybody needs 1 unit of time for a rollout, the slow worker more: whoever is ready pushes. */
  function timed_schedule(num_workers, slow, slowness, count) {
    const needs = Array.from({ length: num_workers }, (_, w) => (w === slow ? slowness : 1));
    const ready = needs.slice();
    return Int32Array.from({ length: count }, () => {
      const worker = ready.indexOf(Math.min(...ready));
      ready[worker] += needs[worker];
      return worker;
    });
  }

  /** Worker ids out of a JSON list or of any text with whole numbers; null if there are none. */
  function read_schedule(text, num_workers) {
    const ids = (text.match(/\d+/g) ?? []).map(Number);
    return ids.length && ids.every((id) => id < num_workers) && !/[a-z.\-]/i.test(text) ? ids : null;
  }

  function make_stepper(host) {
    const data = a3c.data_of(host);
    const world = data.worlds[0];
    const recorded = data.recorded;
    let original = [], order = [], own = [0, 1, 2, 0, 1, 2, 2, 1, 0], before = new Int32Array(0);
    let now = null, reference = null, moment = 0, chosen = 0, playing = 0, drag = null;

    // --- Controls -------------------------------------------------------------------------------
    const menu = (label, options, change) => {
      const id = a3c.new_id();
      const input = h("select", { id }, ...options.map(([value, words]) => h("option", { value }, words)));
      input.addEventListener("change", change);
      return { input, row: h("div", { class: "a3c-control" }, h("label", { for: id }, label), input) };
    };
    const whole = (label, value, min, max, change) => {
      const id = a3c.new_id();
      const input = h("input", { id, type: "number", value, min, max, step: 1 });
      input.addEventListener("change", () => {
        const given = Number.isInteger(input.valueAsNumber) ? input.valueAsNumber : value;
        input.value = Math.min(Math.max(given, min), Number(input.max));
        change();
      });
      return { input, row: h("div", { class: "a3c-control" }, h("label", { for: id }, label), input) };
    };
    const button = (words, act, attributes) => {
      const made = h("button", { type: "button", class: "a3c-button", ...attributes }, words);
      made.addEventListener("click", act);
      return made;
    };

    const source = menu("Order of the pushes", [
      ["ready", "whoever is ready pushes"], ["random", "random"],
      ...(recorded ? [["recorded", `recorded from ${recorded.config.num_workers} processes`]] : []),
      ["own", "my own list"],
    ], () => {
      // The recorded run is looked at where its workers take turns most.
      from.input.max = 1e6;
      from.input.value = source.input.value === "recorded" ? recorded.begin : 0;
      rebuild();
    });
    const workers = menu("Workers", [2, 3, 4, 5].map((n) => [n, String(n)]), rebuild);
    workers.input.value = String(data.defaults.num_workers);
    const slow = menu("Slow worker", [], rebuild);
    const slowness = menu("It is slower by", [2, 3, 5, 8].map((k) => [k, `× ${k}`]), rebuild);
    slowness.input.value = "3";
    const optimizer = menu("Optimizer", [["rmsprop", "RMSprop"], ["sgd", "SGD"]], rebuild);
    optimizer.input.value = data.defaults.optimizer;
    const every = menu("Pushes between two syncs", [1, 2, 3, 5].map((k) => [k, String(k)]), rebuild);
    const from = whole("Begin after so many pushes", 0, 0, 5000, rebuild);
    const own_id = a3c.new_id(), own_help = a3c.new_id();
    const own_text = h("input", { id: own_id, type: "text", value: own.join(" "), "aria-describedby": own_help,
      autocomplete: "off" });
    own_text.addEventListener("change", () => take_own(own_text.value));
    const file_id = a3c.new_id();
    const file = h("input", { id: file_id, type: "file", accept: ".json,.txt,application/json" });
    file.addEventListener("change", async () => {
      if (file.files.length) take_own(await file.files[0].text());
    });
    const own_note = h("p", { class: "a3c-note", id: own_help, role: "status" });
    const own_row = h("div", { class: "a3c-own" },
      h("div", { class: "a3c-control" }, h("label", { for: own_id }, "Worker ids, in push order"), own_text),
      h("div", { class: "a3c-control" }, h("label", { for: file_id }, "or a JSON file with such a list"), file),
      own_note);
    own_note.textContent = "In Python: json.dump(result.schedule.tolist(), file)";

    function take_own(text) {
      const ids = read_schedule(text, Number(workers.input.value));
      if (ids === null) {
        own_note.textContent = `This is no list of worker ids from 0 to ${workers.input.value - 1}.`;
        own_text.setAttribute("aria-invalid", "true");
        return;
      }
      own_text.removeAttribute("aria-invalid");
      own_text.value = ids.length > 60 ? `${ids.slice(0, 60).join(" ")} …` : ids.join(" ");
      own = ids;
      own_note.textContent = `${number(ids.length)} pushes read.`;
      rebuild();
    }

    // --- The moment -----------------------------------------------------------------------------
    const moment_id = a3c.new_id();
    const slider = h("input", { id: moment_id, type: "range", min: 0, value: 0, step: 1 });
    slider.addEventListener("input", () => go(slider.valueAsNumber));
    const back = button("◀ Back", () => go(moment - 1));
    const forward = button("Forward ▶", () => go(moment + 1));
    const play = button("Play", () => (playing ? stop() : start()));
    const told = h("p", { class: "a3c-result" });
    const tell = a3c.make_status(told, 250);

    function start() {
      if (moment >= 3 * order.length) go(0, true);
      play.textContent = "Pause";
      playing = setInterval(() => (moment < 3 * order.length ? go(moment + 1, true) : stop()), 500);
    }

    function stop() {
      clearInterval(playing);
      playing = 0;
      play.textContent = "Play";
    }

    function go(to, by_itself = false) {
      if (!by_itself) stop();
      moment = Math.min(Math.max(to, 0), 3 * order.length);
      paint();
      const at = Math.floor((moment - 1) / 3);
      sheet.scrollLeft = Math.max(0, (at + 0.5) * COLUMN - sheet.clientWidth / 2);
    }

    // --- The order ------------------------------------------------------------------------------
    const strip = h("ol", { class: "a3c-strip", "aria-label": "Order of the pushes; choose one to move it" });
    const earlier = button("◀ Earlier", () => move(chosen, chosen - 1));
    const later = button("Later ▶", () => move(chosen, chosen + 1));
    const restore = button("Original order", () => {
      order = original.slice();
      recompute();
    });
    const verdict = h("p", { class: "a3c-result" });
    const judge = a3c.make_status(verdict);

    function move(at, to) {
      if (to < 0 || to >= order.length || at === to) return;
      order.splice(to, 0, ...order.splice(at, 1));
      chosen = to;
      recompute();
    }

    /** Dragging: the push follows the pointer from place to place. */
    strip.addEventListener("pointerdown", (event) => {
      const chip = event.target.closest("button");
      if (!chip || event.button !== 0) return;
      drag = { at: Number(chip.dataset.place), id: event.pointerId };
    });
    strip.addEventListener("pointermove", (event) => {
      if (drag === null || event.pointerId !== drag.id) return;
      const box = strip.getBoundingClientRect();
      const to = Math.min(Math.max(Math.floor((event.clientX - box.left) / COLUMN), 0), order.length - 1);
      if (to === drag.at) return;
      if (!strip.hasPointerCapture(event.pointerId)) strip.setPointerCapture(event.pointerId);
      move(drag.at, to);
      drag.at = to;
    });
    for (const name of ["pointerup", "pointercancel"]) strip.addEventListener(name, () => (drag = null));
    strip.addEventListener("click", (event) => {
      const chip = event.target.closest("button");
      if (chip) choose(Number(chip.dataset.place));
    });
    strip.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (event.shiftKey) move(chosen, chosen + by);
      else choose(Math.min(Math.max(chosen + by, 0), order.length - 1));
      strip.querySelector("[aria-pressed=true]").focus();
    });

    function choose(place) {
      chosen = place;
      paint();
    }

    // --- What is seen ---------------------------------------------------------------------------
    const lanes = h("div", { class: "a3c-lanes" });
    const names = h("div", { class: "a3c-lane-names", "aria-hidden": "true" });
    const sheet = h("div", { class: "a3c-sheet" }, lanes, strip);
    const drift_keys = h("ul", { class: "a3c-legend" });
    const drift_plot = h("div", { class: "a3c-plot" }), apart_plot = h("div", { class: "a3c-plot" });
    const table = h("div", { class: "a3c-scroll", tabindex: 0, role: "region", "aria-label": "Table of the pushes" });
    const numbers = h("details", { class: "a3c-more" }, h("summary", {}, "The pushes as a table"), table);
    numbers.addEventListener("toggle", () => paint());
    const group = (title, ...children) => h("fieldset", {}, h("legend", {}, title), ...children);
    host.replaceChildren(
      group("The run", h("div", { class: "a3c-group" }, source.row, workers.row, slow.row, slowness.row,
        optimizer.row, every.row, from.row), own_row),
      group("The moment", h("div", { class: "a3c-actions" }, back, forward, play),
        h("div", { class: "a3c-control a3c-wide" }, h("label", { for: moment_id }, "Moment"), slider), told),
      h("figure", { class: "a3c-figure" },
        h("figcaption", {}, "A lane per worker: a bar while it computes with its copy, a square where it ",
          "pushes, with the staleness of that push, a circle where it syncs. Below, the order of the pushes."),
        h("div", { class: "a3c-stage" }, names, sheet)),
      group("The order", h("div", { class: "a3c-actions" }, earlier, later, restore),
        h("p", { class: "a3c-note" }, "Choose a push in the row of numbers, then move it with these buttons, with ",
          "Shift and an arrow key, or by dragging it."), verdict),
      h("figure", { class: "a3c-figure" },
        h("figcaption", {}, "How far each worker’s copy is from the shared parameters"), drift_keys, drift_plot),
      h("figure", { class: "a3c-figure" },
        h("figcaption", {}, "How far the shared parameters are from where the original order had them after as many pushes"),
        apart_plot),
      numbers);

    /** A new run: its original order, and that order as the one to play with. */
    function rebuild() {
      stop();
      const kind = source.input.value, ids = recorded ? recorded.schedule.length : 0;
      workers.input.disabled = kind === "recorded";
      if (kind === "recorded") workers.input.value = String(recorded.config.num_workers);
      const n = Number(workers.input.value);
      if (slow.input.options.length !== n + 1) {
        const at = Math.min(slow.input.selectedIndex, n);
        slow.input.replaceChildren(h("option", { value: -1 }, "none"),
          ...Array.from({ length: n }, (_, w) => h("option", { value: w }, `worker ${w}`)));
        slow.input.selectedIndex = Math.max(at, 0);
      }
      own_row.hidden = kind !== "own";
      slow.row.hidden = kind === "recorded" || kind === "own";
      slowness.row.hidden = slow.row.hidden || slow.input.value === "-1";
      if (kind === "own" && own.some((id) => id >= n)) own = own.filter((id) => id < n);
      if (kind === "own" && own.length === 0) own = [0, 1];
      const longest = kind === "recorded" ? ids - 1 : kind === "own" ? own.length - 1 : 5000;
      from.input.max = longest;
      if (Number(from.input.value) > longest) from.input.value = longest;
      const skipped = Number(from.input.value), count = skipped + SHOWN;
      const lame = Number(slow.input.value), k = Number(slowness.input.value);
      let all;
      if (kind === "recorded") all = Int32Array.from(recorded.schedule.slice(0, count), Number);
      else if (kind === "own") all = Int32Array.from(own.slice(0, count));
      else if (kind === "ready") all = timed_schedule(n, lame, k, count);
      else {
        const weights = Array.from({ length: n }, (_, w) => (w === lame ? 1 / k : 1));
        const config = { ...data.defaults, num_workers: n };
        all = a3c.make_schedule({ weights }, config, data.seed).entries(0, count);
      }
      before = all.slice(0, skipped);
      original = Array.from(all.slice(skipped));
      order = original.slice();
      chosen = Math.min(chosen, order.length - 1);
      moment = 0;
      recompute(true);
    }

    function asked() {
      const config = {
        ...data.defaults, num_workers: Number(workers.input.value), optimizer: optimizer.input.value,
        sync_every: Number(every.input.value),
      };
      return { world, config, seed: data.seed, total_steps: data.total_steps };
    }

    function recompute(anew = false) {
      const run = asked();
      if (anew) reference = trace(run, before, original);
      now = trace(run, before, order);
      const apart = apart_by()[order.length - 1];
      const staleness = now.pushes.map((push) => push.staleness);
      const mean = staleness.reduce((sum, v) => sum + v, 0) / staleness.length;
      const changed = order.some((worker, i) => worker !== original[i]);
      judge(`Staleness: ${short(mean, 2)} on average, at most ${Math.max(...staleness)}. ` +
        (changed
          ? `Each worker pushes as often as before and draws the same random numbers, but in this order the ` +
            `shared parameters end ${short(apart, 2)} away from where the original order ended.`
          : "This is the original order. Move a push to see what the order is worth."));
      slider.max = 3 * order.length;
      paint();
    }

    /** The distance from the original order's shared parameters, after each push. */
    function apart_by() {
      return now.pushes.map((push, i) => {
        const other = reference.pushes[i];
        return distance(push.theta, push.V, other.theta, other.V);
      });
    }

    /** The present moment in words. */
    function describe() {
      if (moment === 0)
        return `Before push ${before.length + 1}: every worker computes with its own copy. Go forward.`;
      const push = now.pushes[Math.floor((moment - 1) / 3)], phase = (moment - 1) % 3;
      const who = `Push ${push.number + 1}, worker ${push.worker}`;
      const age = push.staleness === 0 ? "nobody has pushed since it was made"
        : `${push.staleness} ${push.staleness === 1 ? "push has" : "pushes have"} come since it was made`;
      if (phase === 0)
        return `${who} computes: it took ${push.length} ${push.length === 1 ? "step" : "steps"} with its copy` +
          `${push.terminated ? ", to the end of an episode" : ""}; ${age}. Norm of its gradient: ${short(push.grad_norm)}.`;
      if (phase === 1)
        return `${who} pushes: its gradient is applied to the shared parameters. Staleness ${push.staleness}.`;
      return push.synced ? `${who} syncs: its copy is the shared parameters again, drift 0.`
        : `${who} does not sync yet: its copy stays as it is, drift ${short(push.after[push.worker])}.`;
    }

    function paint() {
      slider.value = moment;
      slider.setAttribute("aria-valuetext", `${moment} of ${3 * order.length}`);
      back.disabled = moment === 0;
      forward.disabled = moment === 3 * order.length;
      earlier.disabled = chosen === 0;
      later.disabled = chosen === order.length - 1;
      restore.disabled = order.every((worker, i) => worker === original[i]);
      tell(describe());
      paint_lanes();
      paint_strip();
      if (drift_plot.clientWidth > 0) {
        drift_plot.replaceChildren(draw_drifts(drift_plot.clientWidth));
        apart_plot.replaceChildren(draw_apart(apart_plot.clientWidth));
      }
      if (numbers.open) table.replaceChildren(make_table());
    }

    function paint_lanes() {
      const n = Number(workers.input.value), width = order.length * COLUMN, height = n * LANE;
      names.replaceChildren(...Array.from({ length: n }, (_, w) => h("span", {}, `worker ${w}`)),
        h("span", {}, "order"));
      const at = moment === 0 ? -1 : Math.floor((moment - 1) / 3), phase = moment === 0 ? -1 : (moment - 1) % 3;
      const svg = s("svg", { role: "img", width, height, viewBox: `0 0 ${width} ${height}`,
        "aria-label": `Lanes of ${n} workers over ${order.length} pushes. The table below holds the same.` });
      for (let w = 0; w < n; w++)
        svg.append(s("line", { class: "a3c-lane", x1: 0, x2: width, y1: (w + 0.5) * LANE, y2: (w + 0.5) * LANE }));
      if (at >= 0)
        svg.append(s("rect", { class: "a3c-now", x: at * COLUMN, y: 0, width: COLUMN, height }));
      now.pushes.forEach((push, i) => {
        const y = (push.worker + 0.5) * LANE, x = (i + 0.5) * COLUMN;
        const begin = last_push(i) + 1, left = begin > 0 ? (begin - 0.5) * COLUMN + 14 : 2;
        const state = i < at || (i === at && phase >= 1) ? "past" : i === at ? "now" : "future";
        svg.append(s("rect", { class: `a3c-bar a3c-worker-${push.worker % 6} a3c-${state}`,
          x: left, y: y - 7, width: Math.max(x - 11 - left, 0), height: 14 }));
        svg.append(s("rect", { class: `a3c-push a3c-worker-${push.worker % 6} a3c-${state}`,
          x: x - 11, y: y - 11, width: 22, height: 22, rx: 3 }));
        svg.append(s("text", { class: `a3c-staleness a3c-${state}`, x, y: y + 5, "text-anchor": "middle" },
          String(push.staleness)));
        const done = i < at || (i === at && phase === 2);
        if (push.synced && done)
          svg.append(s("circle", { class: "a3c-sync", cx: x + 16, cy: y, r: 4 }));
      });
      lanes.replaceChildren(svg);
    }

    /** The place of the same worker's push before this one, or −1. */
    function last_push(i) {
      return i === 0 ? -1 : order.lastIndexOf(order[i], i - 1);
    }

    /** The chips stay the same elements, so that dragging and the keyboard keep their hold. */
    function paint_strip() {
      while (strip.children.length > order.length) strip.lastChild.remove();
      while (strip.children.length < order.length)
        strip.append(h("li", {}, h("button", { type: "button", "data-place": strip.children.length })));
      const at = moment === 0 ? -1 : Math.floor((moment - 1) / 3);
      order.forEach((worker, i) => {
        const chip = strip.children[i].firstChild;
        chip.className = `a3c-chip a3c-worker-${worker % 6}${i === at ? " a3c-here" : ""}` +
          `${worker === original[i] ? "" : " a3c-moved"}`;
        chip.textContent = String(worker);
        chip.tabIndex = i === chosen ? 0 : -1;
        chip.setAttribute("aria-pressed", String(i === chosen));
        chip.setAttribute("aria-label", `worker ${worker}, push ${before.length + i + 1}, ` +
          `staleness ${now.pushes[i].staleness}`);
      });
    }

    const x_axis = (width) => ({
      low: before.length, high: before.length + order.length,
      ticks: a3c.ticks(before.length, before.length + order.length, width < 480 ? 4 : 8), label: "pushes",
    });
    const y_axis = (values, label) => {
      const high = Math.max(...values) * 1.05 || 1;
      return { low: 0, high, ticks: a3c.ticks(0, high, 4), format: (v) => short(v), label };
    };

    function draw_drifts(width) {
      const n = Number(workers.input.value);
      const lines = Array.from({ length: n }, (_, w) => [
        [before.length, now.first.drifts[w]],
        ...now.pushes.flatMap((push, i) => [[before.length + i + 1, push.pushed[w]], [before.length + i + 1, push.after[w]]]),
      ]);
      const last = now.pushes[now.pushes.length - 1];
      drift_keys.replaceChildren(...lines.map((_, w) => h("li", {},
        s("svg", { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" },
          s("path", { class: `a3c-key a3c-worker-${w % 6}`, d: a3c.mark(w, 6, 6) })), `worker ${w}`)));
      const { svg, X, Y, inner } = a3c.plot({
        width, height: 220, x: x_axis(width), y: y_axis(lines.flat().map(([, v]) => v), "distance"),
        margin: [10, 14, 42, 56],
        label: "Plot of the distance of each worker’s copy from the shared parameters. At the end: " +
          last.after.map((v, w) => `worker ${w} ${short(v)}`).join(", ") + ".",
      });
      const here = before.length + Math.ceil(moment / 3);
      lines.forEach((points, w) => {
        const place = ([i, v]) => [X(i), Y(v)], past = points.slice(0, points_until(moment)).map(place);
        svg.append(
          s("path", { class: `a3c-line a3c-worker-${w % 6} a3c-future`, d: a3c.path(points.map(place)) }),
          s("path", { class: `a3c-line a3c-worker-${w % 6}`, d: a3c.path(past) }),
          s("path", { class: `a3c-key a3c-worker-${w % 6}`, d: a3c.mark(w, ...past[past.length - 1]) }),
        );
      });
      svg.append(s("line", { class: "a3c-moment", x1: X(here), x2: X(here), y1: inner.top, y2: inner.top + inner.height }));
      return svg;
    }

    /** How many points of a drift line lie in the past: the start, and two a push. */
    function points_until(moment) {
      const push = Math.floor((moment - 1) / 3), phase = (moment - 1) % 3;
      return moment === 0 ? 1 : 1 + 2 * push + phase;
    }

    function draw_apart(width) {
      const apart = [[before.length, 0], ...apart_by().map((v, i) => [before.length + i + 1, v])];
      const { svg, X, Y } = a3c.plot({
        width, height: 180, x: x_axis(width), y: y_axis(apart.map(([, v]) => v), "distance"),
        margin: [10, 14, 42, 56],
        label: `Plot of the distance between this order’s shared parameters and the original order’s. At the end: ${short(apart[apart.length - 1][1])}.`,
      });
      svg.append(s("path", { class: "a3c-line a3c-apart", d: a3c.path(apart.map(([i, v]) => [X(i), Y(v)])) }));
      for (const [i, v] of apart) svg.append(s("circle", { class: "a3c-apart-dot", cx: X(i), cy: Y(v), r: 2.5 }));
      return svg;
    }

    function make_table() {
      const apart = apart_by();
      const head = ["push", "worker", "staleness", "steps", "gradient norm", "drift before its sync", "from the original order"];
      return h("table", { class: "a3c-table" }, h("caption", {}, "The pushes in this order"),
        h("thead", {}, h("tr", {}, ...head.map((words) => h("th", { scope: "col" }, words)))),
        h("tbody", {}, ...now.pushes.map((push, i) => h("tr", {},
          h("th", { scope: "row" }, String(push.number + 1)),
          ...[push.worker, push.staleness, push.length, short(push.grad_norm), short(push.pushed[push.worker]), short(apart[i])]
            .map((v) => h("td", {}, String(v)))))));
    }

    a3c.on_width(drift_plot, () => now && paint());
    rebuild();
    host.dataset.state = "done";
  }

  Object.assign(a3c, { make_stepper, timed_schedule, read_schedule, trace, distance });
}, { page: true }));
