// The live lab: the knobs of A3CConfig, training at every move of one, and the two figures.
(globalThis.a3cModules ??= []).push(Object.assign(function live(a3c) {
  "use strict";
  const { h, s, number, short } = a3c;
  const WINDOW = 50; // episodes in the moving average
  const CURVE_POINTS = 120;
  const DASHES = ["7 4", "2 4", "8 3 2 3"];

  // --- Controls ---------------------------------------------------------------------------------

  const between = (low, high) => Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const STEP_SIZES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
  const off = (value) => (value === null ? "off" : String(value));

  /** What can be set: groups of controls. Sliders have values, menus have [value, words]. */
  const GROUPS = [
    ["What is run", true, [
      { name: "world", label: "World", menu: [] },
      { name: "schedule", label: "Schedule, the order of the pushes", menu: [
        ["round_robin", "round robin"], ["random", "random"],
        ["slow", "random, the last worker slow"], ["recorded", "recorded from processes"],
      ] },
      { name: "num_workers", label: "Workers N", values: between(1, 8) },
      { name: "slowness", label: "The slow worker is slower by", values: [2, 3, 5, 10, 20, 50],
        format: (value) => `× ${value}` },
      { name: "rollout_length", label: "Rollout length n", values: [...between(1, 20), 25, 30, 40, 50] },
      { name: "entropy_coef", label: "Entropy bonus β",
        values: [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] },
      { name: "seed", label: "Seed", whole: [0, 4294967295] },
    ]],
    ["Advantages", false, [
      { name: "gamma", label: "Discount γ", values: [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1] },
      { name: "window", label: "Fixed window of Equation (1)", values: [null, ...between(1, 50)],
        format: (value) => (value === null ? "off" : `${value} ${value === 1 ? "step" : "steps"}`) },
      { name: "critic", label: "Critic for the advantages",
        menu: [["local", "the worker’s own copy"], ["global", "the shared one, at the push"]] },
    ]],
    ["How gradients are applied", false, [
      { name: "optimizer", label: "Optimizer", menu: [["rmsprop", "RMSprop"], ["sgd", "SGD"]] },
      { name: "shared_statistics", label: "RMSprop’s statistics",
        menu: [[true, "shared by all workers"], [false, "one set per worker"]] },
      { name: "actor_lr", label: "Step size of the actor", values: STEP_SIZES },
      { name: "critic_lr", label: "Step size of the critic", values: STEP_SIZES },
      { name: "max_grad_norm", label: "Clipping, longest gradient",
        values: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, null], format: off },
      { name: "lr_anneal", label: "Annealing of the step sizes", menu: [
        [null, "none"], ["global", "by the shared step counter"], ["per_worker", "by the worker’s own"],
      ] },
    ]],
    ["Copies and length", false, [
      { name: "sync_every", label: "Pushes between two syncs", values: [1, 2, 3, 5, 10, 20, 50, 100] },
      { name: "total_steps", label: "Environment steps",
        values: [5000, 10000, 20000, 40000, 60000, 100000, 200000], format: (value) => number(value) },
    ]],
  ];

  /** One control; returns {row, get, set, input}. `changed` is called when a person changes it. */
  function make_control(spec, value, changed) {
    const id = a3c.new_id();
    const label = h("label", { for: id }, spec.label);
    if (spec.menu) {
      const input = h("select", { id },
        ...spec.menu.map(([, words], i) => h("option", { value: i }, words)));
      const set = (v) => (input.selectedIndex = Math.max(0, spec.menu.findIndex(([one]) => one === v)));
      input.addEventListener("change", changed);
      set(value);
      const row = h("div", { class: "a3c-control" }, label, input);
      return { row, input, set, get: () => spec.menu[input.selectedIndex][0] };
    }
    if (spec.whole) {
      const [least, most] = spec.whole;
      const input = h("input", { id, type: "number", min: least, max: most, step: 1, value });
      let last = value;
      const get = () => {
        const now = input.valueAsNumber;
        return Number.isInteger(now) && now >= least && now <= most ? now : last;
      };
      input.addEventListener("input", () => {
        last = get();
        changed();
      });
      input.addEventListener("change", () => (input.value = get()));
      const row = h("div", { class: "a3c-control" }, label, input);
      return { row, input, get, set: (v) => (input.value = last = v) };
    }
    const values = [...spec.values];
    // A default between two of the values finds its place; `null`, which is "off", is no number.
    if (!values.includes(value))
      values.splice(values.findLastIndex((v) => v !== null && v < value) + 1, 0, value);
    const format = spec.format ?? String;
    const input = h("input", { id, type: "range", min: 0, max: values.length - 1, step: 1 });
    // The slider itself says its value; the output is for the eyes.
    const output = h("output", { for: id, "aria-live": "off" });
    const get = () => values[input.valueAsNumber];
    const show = () => {
      output.textContent = format(get());
      input.setAttribute("aria-valuetext", format(get()));
    };
    const set = (v) => {
      input.value = values.indexOf(v);
      show();
    };
    /** Let the slider end at a value. */
    const limit = (most) => {
      const end = values.findLastIndex((v) => v === null || v <= most);
      input.max = end;
      show();
    };
    input.addEventListener("input", () => {
      show();
      changed();
    });
    set(value);
    return { row: h("div", { class: "a3c-control" }, label, output, input), input, get, set, limit };
  }

  // --- Figures ----------------------------------------------------------------------------------

  /** Returns that are all negative and span decades are spread over a logarithmic scale. */
  function scale_of(returns) {
    let low = Infinity, high = -Infinity;
    for (const value of returns) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (high < 0 && low < 20 * high) {
      const marks = between(0, 6).flatMap((k) => [1, 2, 5].map((m) => -m * 10 ** k));
      return {
        low: low * 1.15, high: high * 0.85, map: (v) => -Math.log(Math.max(-v, 1e-9)),
        ticks: marks.filter((v) => v >= low * 1.1 && v <= high * 0.8),
      };
    }
    const room = (high - low || 1) * 0.06;
    [low, high] = [low - room, high + room];
    return { low, high, ticks: a3c.ticks(low, high, 5), format: (v) => short(v) };
  }

  /** After each episode the mean of the last `window`, or of all while there are fewer. */
  function recent_means(values, window) {
    let sum = 0;
    return Float64Array.from(values, (value, i) => {
      sum += value - (i >= window ? values[i - window] : 0);
      return sum / Math.min(i + 1, window);
    });
  }

  const ROUND = between(-1, 8).flatMap((k) => [1, 2, 5].map((m) => m * 10 ** k));

  /** Where the logarithmic axis of time begins: a round number with room for names. */
  function first_moment(step, last) {
    const first = step.length ? step[0] : Math.max(last, 4);
    return ROUND.findLast((v) => v <= Math.max(first / 4, 0.1));
  }

  /** The y of names beside their lines, the highest line's first, so that none covers another. */
  function beside(lines, apart) {
    const at = lines.map((y) => y - 4);
    for (let i = 1; i < at.length; i++) at[i] = Math.max(at[i], at[i - 1] + apart);
    return at;
  }

  /**
   * Figure 1, over logarithmic time: every episode faint, a thin line for each worker's own mean, the
   * mean of all strong; perhaps many seeds with an interval.
   */
  function draw_returns(width, world, asked, result, band) {
    const { worker, total_return, step } = result.episodes, workers = asked.config.num_workers;
    const references = Object.entries(world.references).sort(([, one], [, other]) => other - one);
    const means = recent_means(total_return, WINDOW);
    const last = Math.max(asked.total_steps, result.steps), low = first_moment(step, last);
    const all = [...total_return, ...references.map(([, value]) => value)];
    const marks = ROUND.filter((v) => v >= low && v <= last);
    const { svg, X, Y } = a3c.plot({
      width, height: width < 480 ? 280 : 350,
      x: { low, high: last, map: Math.log,
        ticks: width < 480 ? marks.filter((v) => Number.isInteger(Math.log10(v))) : marks,
        label: width < 480 ? "environment steps" : "environment steps of all workers together" },
      y: { ...scale_of(all), label: "return of the episode" },
      label: `Plot of the returns of ${number(total_return.length)} episodes over ${number(result.steps)} steps, on a logarithmic axis. ` +
        (means.length < WINDOW ? "Fewer than 50 episodes have ended. "
          : `The mean of 50 episodes goes from ${short(means[WINDOW - 1])} to ${short(means[means.length - 1])}. `) +
        references.map(([name, value]) => `A line marks the ${name}, ${short(value)}. `).join("") +
        (band ? `A band shows the mean of ${band.count} seeds with its interval.` : ""),
    });
    const own = Array.from({ length: workers }, () => ({ at: [], returns: [] }));
    worker.forEach((w, i) => {
      own[w].at.push(X(step[i]));
      own[w].returns.push(total_return[i]);
    });
    own.forEach(({ at, returns }, w) =>
      svg.append(s("path", { class: `a3c-episode a3c-worker-${w % 6}`,
        d: returns.map((value, i) => a3c.mark(w, at[i], Y(value))).join("") })));
    if (band) {
      const points = band.points.filter(([x, mean]) => x >= low && !Number.isNaN(mean));
      const edge = points.map(([x, , lower]) => [X(x), Y(lower)]).reverse();
      const d = a3c.path([...points.map(([x, , , high]) => [X(x), Y(high)]), ...edge]);
      svg.append(
        s("path", { class: "a3c-band", d }),
        s("path", { class: "a3c-band-mean", d: a3c.path(points.map(([x, mean]) => [X(x), Y(mean)])) }),
      );
    }
    const share = Math.max(1, Math.round(WINDOW / workers));
    if (workers > 1)
      own.forEach(({ at, returns }, w) => {
        const line = recent_means(returns, share);
        svg.append(s("path", { class: `a3c-own-mean a3c-worker-${w % 6}`, d: a3c.path(at.map((x, i) => [x, Y(line[i])])) }));
      });
    svg.append(s("path", { class: "a3c-mean", d: a3c.path(Array.from(means, (v, i) => [X(step[i]), Y(v)])) }));
    const named = beside(references.map(([, value]) => Y(value)), 14);
    references.forEach(([name, value], i) =>
      svg.append(
        s("line", { class: `a3c-reference a3c-reference-${i}`, "stroke-dasharray": DASHES[i],
          x1: X(low), x2: X(last), y1: Y(value), y2: Y(value) }),
        s("text", { class: `a3c-name a3c-name-${i}`, x: X(low) + 4, y: named[i] }, `${name} ${short(value)}`)));
    return svg;
  }

  /** The keys of Figure 1, as a list. */
  function legend(asked, result, band) {
    const counts = new Array(asked.config.num_workers).fill(0);
    for (const w of result.episodes.worker) counts[w]++;
    const item = (drawing, words) =>
      h("li", {}, s("svg", { width: 26, height: 12, viewBox: "0 0 26 12", "aria-hidden": "true" },
        drawing), words);
    const line = (attributes) => s("line", { x1: 0, x2: 26, y1: 6, y2: 6, ...attributes });
    return h("ul", { class: "a3c-legend" },
      item(line({ class: "a3c-mean" }), `mean of the last ${WINDOW} episodes, all workers`),
      ...(band ? [item(line({ class: "a3c-band-mean" }),
        `mean of ${band.count} seeds, with its 95 % interval`)] : []),
      ...counts.map((count, w) =>
        item(s("path", { class: `a3c-key a3c-worker-${w % 6}`, d: a3c.mark(w, 13, 6) }),
          `worker ${w}: ${number(count)} ${count === 1 ? "episode" : "episodes"}`)));
  }

  function policy_of(world, theta) {
    const { num_states, num_actions } = world;
    const policies = new Float64Array(num_states * num_actions), logs = policies.slice();
    for (let state = 0; state < num_states; state++)
      a3c.softmax(theta, num_actions, state, policies, logs, state);
    return policies;
  }

  /** Which states' logits and values no push has touched: there the policy says nothing. */
  const never_pushed = (world, theta, V) => Uint8Array.from(V, (value, state) =>
    value === 0 && theta.subarray(state * world.num_actions, (state + 1) * world.num_actions).every((logit) => logit === 0));

  /** How a probability is drawn: a colour that is there as much as it is probable; grey: no data. */
  const shade = (probability, untouched) => untouched ? { class: "a3c-untouched" }
    : { class: "a3c-shade", "fill-opacity": probability.toFixed(3) };

  /** Figure 2, below: π(a|s), a row per action, a column per state. */
  function draw_heatmap(width, world, policy, untouched) {
    const { num_states, num_actions, grid_shape } = world;
    const left = 44, rise = 15, floor = rise * num_actions + 1, height = floor + 78;
    const wide = Math.min(34, (width - left - 4) / num_states), right = left + wide * num_states;
    const svg = s("svg", {
      role: "img", width, height, viewBox: `0 0 ${width} ${height}`,
      "aria-label": `Heatmap of the probability of each action in each state, ${num_actions} rows, ` +
        `${num_states} columns. The numbers stand in the table below.`,
    });
    policy.forEach((probability, i) => {
      const state = Math.floor(i / num_actions);
      svg.append(s("rect", { ...shade(probability, untouched[state]), x: left + state * wide,
        y: 1 + (i % num_actions) * rise, width: wide, height: rise }));
    });
    const columns = grid_shape ? grid_shape[1] : 0, grid = columns > 1 && grid_shape[0] > 1;
    for (const state of grid ? between(0, grid_shape[0] - 1).map((row) => row * columns) : a3c.ticks(0, num_states - 1, 6)) {
      if (grid && state > 0)
        svg.append(s("line", { class: "a3c-row-line", x1: left + state * wide, x2: left + state * wide, y1: 1, y2: floor }));
      svg.append(s("text", { class: "a3c-tick", x: left + (state + 0.5) * wide, y: floor + 14, "text-anchor": "middle" }, String(state)));
    }
    world.action_names.forEach((name, a) =>
      svg.append(s("text", { class: "a3c-tick", "text-anchor": "end", x: left - 5, y: (a + 0.5) * rise + 5 }, name)));
    const middle = (left + right) / 2, bar = Math.min(160, right - left), steps = 24, top = floor + 44;
    svg.append(
      s("rect", { class: "a3c-frame", x: left, y: 1, width: right - left, height: floor - 1 }),
      s("text", { class: "a3c-axis", x: middle, y: floor + 31, "text-anchor": "middle" }, "state"));
    for (let i = 0; i < steps; i++)
      svg.append(s("rect", { ...shade(i / (steps - 1), false), x: left + (bar * i) / steps, y: top,
        width: bar / steps, height: 9 }));
    svg.append(s("rect", { class: "a3c-frame", x: left, y: top, width: bar, height: 9 }));
    for (const share of [0, 0.5, 1])
      svg.append(s("text", { class: "a3c-tick", x: left + bar * share, y: top + 22, "text-anchor": "middle" }, String(share)));
    return svg;
  }

  /** The cliff's cells, those side by side together: the twin of `cliff_runs` in a3c_tut/worlds.py. */
  function cliff_runs(world) {
    const columns = world.grid_shape[1], runs = [];
    for (let state = 0; state < world.num_states; state++) {
      if (world.marks[state] !== "C") continue;
      const last = runs[runs.length - 1];
      if (last?.[last.length - 1] === state - 1 && state % columns) last.push(state);
      else runs.push([state]);
    }
    return runs;
  }

  const CORNERS = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]];
  const SIDES = { up: 0, right: 1, down: 2, left: 3 };

  /** A cell's triangles, one per action, towards where it leads: the more probable the stronger. */
  function draw_wedges(svg, world, policy, untouched, place, cell) {
    const p = ([along, down], [x, y]) => `${(x + along * cell).toFixed(1)} ${(y + down * cell).toFixed(1)}`;
    for (let state = 0; state < world.num_states; state++) {
      if (["C", "G", "#"].includes(world.marks[state])) continue;
      const here = place(state);
      world.action_names.forEach((name, a) => {
        const side = SIDES[name], look = shade(policy[state * world.num_actions + a], untouched[state]);
        svg.append(s("path", { ...look, class: `${look.class} a3c-wedge`,
          d: `M${p([0, 0], here)}L${p(CORNERS[side], here)}L${p(CORNERS[(side + 1) % 4], here)}Z` }));
      });
    }
  }

  /** What stands in cells that have a meaning. */
  function draw_words(svg, world, place, cell) {
    const word = (name, [x, y], text) =>
      svg.append(s("text", { class: name, x, y: y + 5, "text-anchor": "middle" }, text));
    for (const [state, mark] of Object.entries(world.marks))
      if (!"C#".includes(mark) && cell > 14) word("a3c-cell-mark", place(Number(state)), mark);
    for (const run of cliff_runs(world)) {
      const [[first, y], [last]] = [place(run[0]), place(run[run.length - 1])];
      if (run.length > 2) word("a3c-cell-word", [(first + last) / 2, y], "cliff");
      else for (const state of run) word("a3c-cell-word", place(state), "C");
    }
  }

  /**
   * Figure 2, above: the map, with four triangles in each cell and the most probable way. Without a
   * policy it is the world alone. Returns where a state is, too.
   */
  function draw_policy_map(width, world, policy, path, untouched) {
    const [rows, columns] = world.grid_shape;
    const cell = Math.min(64, (width - 2) / columns);
    const w = cell * columns + 2, height = cell * rows + 2;
    const place = (state) => [(state % columns + 0.5) * cell + 1, (Math.floor(state / columns) + 0.5) * cell + 1];
    const svg = s("svg", {
      role: "img", width: w, height, viewBox: `0 0 ${w} ${height}`,
      "aria-label": `Map of the policy on the grid of ${rows} × ${columns} cells. ${describe_path(path)}`,
    });
    const half = cell / 2, box = ([x, y]) => ({ x: x - half, y: y - half, width: cell, height: cell });
    for (let state = 0; state < world.num_states; state++) {
      const kind = world.marks[state], name = kind === "#" ? "wall" : kind;
      svg.append(s("rect", { class: `a3c-cell${kind ? ` a3c-cell-${name}` : ""}`, ...box(place(state)) }));
    }
    if (policy !== null) {
      draw_wedges(svg, world, policy, untouched, place, cell);
      svg.append(s("path", { class: "a3c-row-line",
        d: between(1, rows - 1).map((row) => `M1 ${row * cell + 1}H${w - 1}`).join("") +
          between(1, columns - 1).map((column) => `M${column * cell + 1} 1V${height - 1}`).join("") }));
    }
    if (path?.terminated)
      for (const name of ["a3c-way-edge", "a3c-way"])
        svg.append(s("path", { class: name, d: a3c.path(path.states.map(place)) }));
    draw_words(svg, world, place, cell);
    return { svg, place, cell };
  }

  function describe_path(path) {
    if (path === null) return "Chance decides where actions lead, so there is no one most probable path.";
    if (!path.terminated) return "The most probable actions never arrive: they go round in circles.";
    const steps = path.states.length - 1;
    return `The most probable actions return ${short(path.total_return)} in ${steps} steps.`;
  }

  function policy_table(world, policy) {
    const head = h("tr", {}, h("th", { scope: "col" }, "state"),
      ...world.action_names.map((name) => h("th", { scope: "col" }, name)));
    const rows = between(0, world.num_states - 1).map((state) =>
      h("tr", {}, h("th", { scope: "row" }, String(state)),
        ...world.action_names.map((_, a) =>
          h("td", {}, number(policy[state * world.num_actions + a], 3)))));
    return h("table", { class: "a3c-table" }, h("caption", {}, "Probability of each action in each state"),
      h("thead", {}, head), h("tbody", {}, ...rows));
  }

  // --- Many seeds -------------------------------------------------------------------------------

  /** The 97.5 % point of Student's t, by its expansion about the normal one. */
  function student(freedom) {
    const z = 1.959964;
    return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
      (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3);
  }

  /** The mean of independent measurements, and its 95 % interval by Student's t. */
  function mean_interval(values) {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const square = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    const half = student(values.length - 1) * Math.sqrt(square / (values.length - 1) / values.length);
    return [mean, mean - half, mean + half];
  }

  function describe_seeds(rows) {
    const finals = rows.map((row) => row.final).filter(Number.isFinite);
    let text = `${rows.length} seeds: `;
    if (finals.length > 1) {
      const [mean, low, high] = mean_interval(finals);
      text += `mean of the last 100 episodes ${short(mean)}, 95 % interval ${short(low)} to ${short(high)}. `;
    }
    const kinds = new Map();
    for (const { greedy } of rows) if (!Number.isNaN(greedy)) kinds.set(greedy, (kinds.get(greedy) ?? 0) + 1);
    const found = [...kinds].sort(([one], [other]) => other - one).map(([greedy, count]) =>
      `${count} ${greedy === -Infinity ? "never arrive" : `return ${short(greedy)}`}`);
    if (found.length) text += `Following the most probable actions: ${found.join(", ")}. `;
    const diverged = rows.filter((row) => row.diverged).length;
    return text + (diverged ? `${diverged} diverged.` : "");
  }

  // --- The lab ----------------------------------------------------------------------------------

  /** The call in Python that gives what is on screen. */
  function python_of(data, world, state, recorded) {
    const py = (value) => (value === null ? "None" : value === true ? "True" : value === false ? "False"
      : typeof value === "string" ? `"${value}"` : String(value));
    const own = Object.entries(state.config).filter(([name, value]) => value !== data.defaults[name]);
    const names = ["A3CConfig", world.import, "train"];
    let schedule = "", more = "";
    if (state.schedule.weights) {
      names.push("RandomSchedule");
      schedule = `, schedule=RandomSchedule((${state.schedule.weights.join(", ")},))`;
    } else if (recorded) {
      more = "from a3c_tut.book.live import recorded_schedule\n";
      schedule = `,\n               schedule=recorded_schedule("${data.recorded.path}")`;
    } else if (state.schedule !== "round_robin") schedule = ', schedule="random"';
    names.sort((one, other) => (one.toLowerCase() < other.toLowerCase() ? -1 : 1));
    const config = `A3CConfig(${own.map(([name, value]) => `${name}=${py(value)}`).join(", ")})`;
    return `from a3c_tut import ${names.join(", ")}\n${more}\n` +
      `config = ${config}\n` +
      `result = train(${world.python}, config, total_steps=${state.total_steps}, seed=${state.seed}${schedule})\n`;
  }

  function make_lab(host, folder) {
    const data = a3c.data_of(host);
    const worlds = new Map(data.worlds.map((world) => [world.key, world]));
    const start = {
      ...data.defaults, world: data.worlds[0].key, schedule: "round_robin", slowness: 5,
      seed: data.seed, total_steps: data.total_steps,
    };
    const controls = {};
    let changed_at = 0, timer = 0, latest = null, band = null, rows = [], asked = null;

    // The form. The first group stays open; the others fold.
    const form = h("form", { class: "a3c-controls", "aria-label": "Settings of the run" });
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const [title, open, specs] of GROUPS) {
      const group = h("div", { class: "a3c-group" });
      for (const spec of specs) {
        const made = { ...spec };
        if (spec.name === "world") made.menu = data.worlds.map((world) => [world.key, world.name]);
        if (spec.name === "schedule")
          made.menu = [...spec.menu.slice(0, 3), ...(data.recorded
            ? [["recorded", `recorded from ${data.recorded.config.num_workers} processes`]] : [])];
        controls[spec.name] = make_control(made, start[spec.name], changed);
        group.append(controls[spec.name].row);
      }
      form.append(open ? h("fieldset", {}, h("legend", {}, title), group)
        : h("details", { class: "a3c-more" }, h("summary", {}, title), group));
    }

    const seeds_button = h("button", { type: "button", class: "a3c-button" }, `Train ${data.seeds} seeds`);
    const reset = h("button", { type: "button", class: "a3c-button" }, "Back to the defaults");
    const progress = h("progress", { max: data.seeds, value: 0, hidden: true,
      "aria-label": `Seeds trained, of ${data.seeds}` });
    const summary = h("p", { class: "a3c-result" });
    const note = h("p", { class: "a3c-note" });
    const say = a3c.make_status(summary);
    const returns = h("div", { class: "a3c-plot" });
    const keys = h("div");
    const heatmap = h("div", { class: "a3c-plot a3c-heatmap" });
    const map = h("div", { class: "a3c-plot a3c-map" });
    const table = h("div", { class: "a3c-scroll", tabindex: 0, role: "region", "aria-label": "Table of the policy" });
    const numbers = h("details", { class: "a3c-more" }, h("summary", {}, "The policy as a table"), table);
    const code = h("code");
    // The frame scrolls, not the `pre`: the theme takes every `pre` that is not yet filled out of the tab order.
    const python = h("details", { class: "a3c-more" }, h("summary", {}, "The same run in Python"),
      h("div", { class: "a3c-scroll", tabindex: 0, role: "region", "aria-label": "Python code" }, h("pre", {}, code)));
    host.replaceChildren(
      form,
      h("div", { class: "a3c-actions" }, seeds_button, reset, progress),
      summary,
      h("figure", { class: "a3c-figure" },
        h("figcaption", {}, "Returns of the episodes, aggregated across the workers, as in Figure 1"),
        returns, keys),
      h("figure", { class: "a3c-figure" },
        h("figcaption", {}, "Probabilities of the shared policy, as in Figure 2: a triangle per action, the ",
          "stronger its colour the more probable; the line follows the most probable ones, and grey is where no push came"),
        map, heatmap),
      numbers, python, note);

    const world = () => worlds.get(controls.world.get());

    /** Settings that have no meaning at present cannot be touched, and say why. */
    function fit() {
      const n = controls.rollout_length.get();
      controls.window.limit(n);
      controls.slowness.row.hidden = controls.schedule.get() !== "slow";
      controls.shared_statistics.row.hidden = controls.optimizer.get() !== "rmsprop";
      if (data.recorded) {
        const option = controls.schedule.input.options[3];
        option.disabled = controls.num_workers.get() !== data.recorded.config.num_workers;
        if (option.disabled && controls.schedule.get() === "recorded") controls.schedule.set("random");
      }
    }

    function state() {
      const config = {};
      for (const name of Object.keys(data.defaults)) config[name] = controls[name]?.get() ?? data.defaults[name];
      for (const name of ["window", "max_grad_norm", "lr_anneal"]) config[name] = controls[name].get();
      const kind = controls.schedule.get();
      const schedule = kind === "slow"
        ? { weights: between(1, config.num_workers).map((w) => (w < config.num_workers ? 1 : 1 / controls.slowness.get())) }
        : kind === "random" ? {} : kind === "recorded" ? Array.from(data.recorded.schedule, Number) : kind;
      return { config, schedule, seed: controls.seed.get(), total_steps: controls.total_steps.get() };
    }

    function changed() {
      changed_at = performance.now();
      fit();
      clearTimeout(timer);
      timer = setTimeout(run, 30);
    }

    function run() {
      asked = { world: world(), ...state() };
      const recorded = controls.schedule.get() === "recorded";
      code.textContent = python_of(data, world(), asked, recorded);
      progress.hidden = true;
      band = null;
      host.dataset.state = "training";
      trainer.ask({ task: "run", asked });
    }

    function run_seeds() {
      changed_at = performance.now();
      rows = [];
      band = null;
      progress.value = 0;
      progress.hidden = false;
      host.dataset.state = "training";
      const last = asked.total_steps;
      const at = between(1, CURVE_POINTS).map((i) => last * 300 ** (i / CURVE_POINTS - 1)); // as the axis is
      const seeds = between(0, data.seeds - 1).map((i) => asked.seed + i);
      trainer.ask({ task: "seeds", asked, seeds, at });
      rows.at = at;
    }

    function describe(result) {
      const { episodes } = result, many = episodes.total_return.length;
      if (result.diverged)
        return `The run diverged after ${number(result.steps)} steps: a parameter is no longer a finite number.`;
      const workers = asked.config.num_workers;
      let text = `${number(many)} ${many === 1 ? "episode" : "episodes"} in ${number(result.steps)} steps of ` +
        `${workers} ${workers === 1 ? "worker" : "workers"}. `;
      if (many > 0)
        text += `Mean return of the last ${Math.min(100, many)} episodes: ${short(a3c.final_return(episodes))}. `;
      text += describe_path(result.path);
      return text + compare(result);
    }

    /** What the recorded run's own processes ended with, if this is that run. */
    function compare(result) {
      const { recorded } = data;
      if (!recorded || controls.schedule.get() !== "recorded") return "";
      const same = asked.world.key === recorded.world && asked.seed === recorded.seed &&
        asked.total_steps === recorded.total_steps &&
        Object.keys(recorded.config).every((name) => asked.config[name] === recorded.config[name]);
      if (!same) return "";
      const off = recorded.theta.reduce((most, v, i) => Math.max(most, Math.abs(v - result.theta[i])), 0);
      return " This replays a run of three real processes: the largest difference from the logits " +
        `that they ended with is ${short(off, 2)}.`;
    }

    function hear(message) {
      if (message.kind === "result") {
        latest = { ...message, world: asked.world, asked, path: null };
        latest.path = a3c.greedy_path(asked.world, message.theta);
        paint();
        say(describe(latest));
        finish(`Trained in ${number(message.milliseconds)} ms ${trainer.place}`);
      } else if (message.kind === "seed") {
        rows.push(message);
        progress.value = rows.length;
      } else if (message.kind === "seeds") {
        progress.hidden = true;
        const points = rows.at.map((x, i) => [x, ...mean_interval(rows.map((row) => row.curve[i]))]);
        band = { count: rows.length, points };
        paint();
        say(describe_seeds(rows));
        finish(`Trained ${rows.length} seeds in ${number(message.milliseconds)} ms ${trainer.place}`);
      } else {
        say(`The run failed: ${message.text}`);
        host.dataset.state = "failed";
      }
    }

    /** Say how long it took, once the figures are on the screen. */
    function finish(text) {
      requestAnimationFrame(() => setTimeout(() => {
        const took = performance.now() - changed_at;
        note.textContent = `${text}; on the screen after ${number(took)} ms.`;
        host.dataset.milliseconds = took.toFixed(1);
        host.dataset.state = "done";
        host.dispatchEvent(new CustomEvent("a3c-done", { detail: latest }));
      }));
    }

    function paint() {
      if (latest === null) return;
      const { world } = latest, width = Math.floor(returns.clientWidth);
      if (width === 0) return;
      returns.replaceChildren(draw_returns(width, world, latest.asked, latest, band));
      keys.replaceChildren(legend(latest.asked, latest, band));
      const policy = policy_of(world, latest.theta), untouched = never_pushed(world, latest.theta, latest.V);
      const grid = world.grid_shape && world.action_names.every((name) => name in SIDES);
      heatmap.replaceChildren(draw_heatmap(width, world, policy, untouched));
      map.hidden = !grid;
      if (grid) map.replaceChildren(draw_policy_map(width, world, policy, latest.path, untouched).svg);
      if (numbers.open) table.replaceChildren(policy_table(world, policy));
    }

    numbers.addEventListener("toggle", paint);
    seeds_button.addEventListener("click", run_seeds);
    reset.addEventListener("click", () => {
      for (const [name, control] of Object.entries(controls)) control.set(start[name]);
      changed();
    });
    const trainer = new a3c.Trainer(folder, hear);
    a3c.on_width(returns, paint);
    changed();
  }

  Object.assign(a3c, { make_lab, make_control, mean_interval, policy_of, never_pushed, draw_policy_map, describe_path });
}, { page: true }));
