// Three workers and what they share, on the first page: a whole run, watched while it happens. It
// begins at a click, slowly, and then goes faster and faster. Readers who ask for less motion get the
// same run in a few steps, one a click.
(globalThis.a3cModules ??= []).push(Object.assign(function pushes(a3c) {
  "use strict";
  const { h, s, number } = a3c;
  const WIDTH = 340, CELL = 28, TOP = 66, LEFT = 2, LOWEST = -15;
  const SLOW = 24, SLOW_SECONDS = 6, ALL_SECONDS = 20;
  const STOPS = [30, 300, 1000, 3000, Infinity];
  const ARROWS = { up: [0, -1], right: [1, 0], down: [0, 1], left: [-1, 0] };
  const PLACES = [[-7, -7], [7, -7], [0, 7]]; // of three workers in one cell

  /** How many pushes there should have been after so many seconds, of about `all`. */
  function due(seconds, all) {
    if (seconds < SLOW_SECONDS) return Math.floor((seconds / SLOW_SECONDS) * SLOW);
    const share = (seconds - SLOW_SECONDS) / (ALL_SECONDS - SLOW_SECONDS);
    return Math.ceil(SLOW * (all / SLOW) ** share);
  }

  function make_pushes(host) {
    const data = a3c.data_of(host);
    const world = data.worlds[0], config = data.defaults;
    const [rows, columns] = world.grid_shape;
    const all = data.total_steps / Math.max(...[config.rollout_length].flat());
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    let crew, schedule, counts, last, returns, frame = 0, before = 0, seconds = 0, over = false;

    const middle = (state) => [
      LEFT + (state % columns + 0.5) * CELL, TOP + (Math.floor(state / columns) + 0.5) * CELL,
    ];

    // --- The picture: it is made once, and changes ---------------------------------------------
    const svg = s("svg", { role: "img", viewBox: `0 0 ${WIDTH} ${TOP + rows * CELL + 4}` });
    const values = [], arrows = [], crewboxes = [], wires = [], told = [], walkers = [];
    for (let state = 0; state < world.num_states; state++) {
      const [x, y] = middle(state), kind = world.marks[state];
      const cell = { x: x - CELL / 2, y: y - CELL / 2, width: CELL, height: CELL };
      svg.append(s("rect", { class: `a3c-cell${kind ? ` a3c-cell-${kind}` : ""}`, ...cell }));
      const free = kind !== "C" && kind !== "G";
      values.push(free ? s("rect", { class: "a3c-value", "fill-opacity": 0, ...cell }) : null);
      arrows.push(free ? s("path", { class: "a3c-arrows" }) : null);
      if (free) svg.append(values[state], arrows[state]);
      if (kind && kind !== "C")
        svg.append(s("text", { class: "a3c-cell-mark", x: x - CELL / 2 + 3, y: y - CELL / 2 + 11 }, kind));
    }
    const [cliff_x, cliff_y] = middle((rows - 1) * columns + Math.floor(columns / 2));
    svg.append(s("text", { class: "a3c-cell-word", x: cliff_x - CELL / 2, y: cliff_y + 5, "text-anchor": "middle" }, "cliff"));
    const way = s("path", { class: "a3c-greedy", "stroke-width": 5 });
    svg.append(way);
    const box = (WIDTH - 4) / config.num_workers;
    for (let worker = 0; worker < config.num_workers; worker++) {
      const own = `a3c-worker-${worker % 6}`, x = LEFT + worker * box;
      crewboxes.push(s("rect", { class: `a3c-crewbox ${own}`, x: x + 3, y: 2, width: box - 6, height: 40, rx: 5 }));
      wires.push(s("path", { class: `a3c-wire ${own}`, d: `M${x + box / 2} 43V${TOP - 1}` }));
      told.push(s("text", { class: "a3c-tick a3c-on-own", x: x + box / 2, y: 35, "text-anchor": "middle" }));
      walkers.push(s("g", { class: own }, s("circle", { class: "a3c-walker", r: 6 })));
      svg.append(wires[worker], crewboxes[worker],
        s("text", { class: "a3c-crewname", x: x + box / 2, y: 19, "text-anchor": "middle" }, `worker ${worker}`),
        told[worker], walkers[worker]);
    }

    function paint() {
      const { shared, me } = crew.run, { num_actions } = world;
      values.forEach((value, state) => {
        if (value === null) return;
        value.setAttribute("fill-opacity", (0.7 * Math.min(1, Math.max(0, shared.V[state] / config.reward_scale / LOWEST))).toFixed(2));
        const row = shared.theta.subarray(state * num_actions, (state + 1) * num_actions);
        const most = Math.max(...row), total = row.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
        const [along, down] = ARROWS[world.action_names[row.indexOf(most)]];
        const length = 1 / total < 0.3 ? 0 : (0.4 * CELL) / total, [x, y] = middle(state);
        const tip = [x + along * length, y + down * length], wing = 3.2;
        arrows[state].setAttribute("d", length === 0 ? "" :
          `M${x - along * length} ${y - down * length}L${tip[0]} ${tip[1]}` +
          `M${tip[0] - along * 4 - down * wing} ${tip[1] - down * 4 - along * wing}L${tip[0]} ${tip[1]}` +
          `L${tip[0] - along * 4 + down * wing} ${tip[1] - down * 4 + along * wing}Z`);
      });
      walkers.forEach((walker, worker) => {
        const at = me.episode_steps[worker] === 0 ? world.start_states[0] : me.state[worker];
        const [x, y] = middle(at), [dx, dy] = PLACES[worker % PLACES.length];
        walker.setAttribute("transform", `translate(${x + dx} ${y + dy})`);
      });
      counts.forEach((count, worker) => {
        told[worker].textContent = `${number(count)} push${count === 1 ? "" : "es"}`;
        wires[worker].classList.toggle("a3c-on", worker === last && !over);
        crewboxes[worker].classList.toggle("a3c-on", worker === last && !over);
      });
      const path = over ? a3c.greedy_path(world, shared.theta) : null;
      way.setAttribute("d", path?.terminated ? a3c.path(path.states.map(middle)) : "");
      svg.setAttribute("aria-label",
        `${config.num_workers} workers on ${world.name}, and the tables that they share, after ` +
        `${number(crew.num_updates)} pushes: a cell has the stronger colour the less its state is worth, and an arrow shows its most probable action.` +
        (path?.terminated ? ` A line marks the way that was learned, ${path.states.length - 1} steps.` : ""));
      return path;
    }

    /** Let the workers push until there have been so many pushes. */
    function go_on(pushes) {
      const count = Math.min(pushes - crew.num_updates, 1e6);
      const turns = schedule.entries(crew.num_updates, Math.max(count, 0));
      for (let at = 0; at < turns.length && crew.steps < data.total_steps; at += 4096) {
        const [, episodes, updates] = crew.take_turns(turns.subarray(at, at + 4096), data.total_steps);
        updates.worker.forEach((worker) => counts[(last = worker)]++);
        returns.push(...episodes.total_return);
      }
      over = crew.steps >= data.total_steps;
    }

    function begin() {
      crew = new a3c.TableCrew(world, config, data.total_steps, data.seed);
      schedule = a3c.make_schedule("random", config, data.seed);
      counts = new Array(config.num_workers).fill(0);
      last = -1;
      returns = [];
      seconds = before = 0;
      over = false;
    }

    // --- What is said and pressed ---------------------------------------------------------------
    const said = h("p", { class: "a3c-result" });
    const say = a3c.make_status(said);
    const button = h("button", { type: "button", class: "a3c-button" });

    function ask() {
      const next = calm.matches ? STOPS.find((stop) => stop > crew.num_updates) : 0;
      button.textContent = frame ? "Pause" : over ? "Once more" :
        !calm.matches ? (crew.num_updates ? "Go on" : "Watch them learn") :
        next === STOPS[0] ? `See the first ${next} pushes` :
        next === Infinity ? "Go on to the end" : `Go on to ${number(next)} pushes`;
    }

    function tell() {
      const path = paint();
      const pushed = `${number(crew.num_updates)} pushes, ${number(crew.steps)} steps`;
      const recent = returns.slice(-100), mean = recent.reduce((sum, value) => sum + value, 0) / recent.length;
      const how = recent.length ? ` The last ${number(recent.length)} episodes returned ${number(mean, 1)} on average; the best is ${number(world.references.optimum)}.` : "";
      if (crew.num_updates === 0)
        say("Each worker acts with its own copy of the policy. Every few steps one of them pushes what it has learned to the tables that all share.");
      else say(`${pushed}.${how}${path?.terminated ? ` The way they found takes ${path.states.length - 1} steps.` : ""}`);
      ask();
      host.dataset.state = over ? "over" : "done";
    }

    function stop() {
      cancelAnimationFrame(frame);
      frame = 0;
      tell();
    }

    function tick(now) {
      seconds += before ? Math.min(now - before, 100) / 1000 : 0;
      before = now;
      go_on(due(seconds, all));
      paint();
      if (over) stop();
      else frame = requestAnimationFrame(tick);
    }

    button.addEventListener("click", () => {
      if (frame) return stop();
      if (over) begin();
      if (calm.matches) {
        go_on(STOPS.find((stop) => stop > crew.num_updates));
        return tell();
      }
      before = 0;
      frame = requestAnimationFrame(tick);
      ask();
    });

    begin();
    host.replaceChildren(h("div", { class: "a3c-pushes" }, svg), h("div", { class: "a3c-actions" }, button), said);
    tell();
  }

  Object.assign(a3c, { make_pushes, due });
}, { page: true }));
