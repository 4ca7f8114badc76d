// A world of the reader's own: drawn cell by cell, walked by hand, then learned by the workers, live,
// and taken away as the Python that gives the same run. Readers who ask for less motion get the
// whole run at one click.
(globalThis.a3cModules ??= []).push(Object.assign(function drawing(a3c) {
  "use strict";
  const { h, s, number, short } = a3c;
  const SECONDS = 4; // that a run takes, where the machine is fast enough: slowly first
  const BUDGET = 9; // milliseconds of training in a frame at most
  const REPAINT = 60; // milliseconds between two drawings of the map
  const KINDS = { ".": "floor", "#": "wall", C: "cliff", S: "start", G: "goal" };
  const KEYS = { s: "S", g: "G", c: "C", w: "#", "#": "#", f: ".", ".": ".", Delete: ".", Backspace: "." };
  const ARROWS = { ArrowUp: 0, ArrowRight: 1, ArrowDown: 2, ArrowLeft: 3 };
  const COSTS = [0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200];
  const between = (low, high) => Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const WRONG = {
    start: "There is no start: make one cell the start.",
    goal: "There is no goal: make one cell a goal.",
    way: "No goal can be reached from the start: open a way around walls and cliffs.",
  };
  const LETTERS = Object.keys(KINDS); // in the order of the brushes

  // --- The map, as buttons ----------------------------------------------------------------------

  /**
   * A grid of buttons, one of which the Tab key reaches; arrows lead on from there. `changed` is
   * called when a person has painted, with what a screen reader is to hear.
   */
  function make_editor(brush, changed) {
    const grid = h("div", { class: "a3c-squares", role: "grid", "aria-label": "Map" });
    let cells = [], columns = 0, buttons = [], here = 0;

    const words = (at) => `row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}: ${KINDS[cells[at]]}`;

    function show(at) {
      buttons[at].className = `a3c-square a3c-square-${KINDS[cells[at]]}`;
      buttons[at].setAttribute("aria-label", words(at));
    }

    function paint(at, letter) {
      if (cells[at] === letter) return;
      if (letter === "S" && cells.includes("S")) {
        const before = cells.indexOf("S");
        cells[before] = ".";
        show(before);
      }
      cells[at] = letter;
      show(at);
      changed(words(at));
    }

    function go(at) {
      buttons[here].tabIndex = -1;
      buttons[(here = at)].tabIndex = 0;
    }

    function press(event, at) {
      const row = Math.floor(at / columns), column = at % columns, last = cells.length / columns - 1;
      const to = {
        ArrowUp: row > 0 ? at - columns : at, ArrowDown: row < last ? at + columns : at,
        ArrowLeft: column > 0 ? at - 1 : at, ArrowRight: column < columns - 1 ? at + 1 : at,
        Home: row * columns, End: row * columns + columns - 1,
      }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (to !== undefined) {
        go(to);
        buttons[to].focus();
      } else if (KEYS[event.key]) paint(at, KEYS[event.key]);
      else return;
      event.preventDefault();
    }

    function make_button(at) {
      const button = h("button", { type: "button", tabindex: -1 });
      button.addEventListener("click", () => paint(at, brush()));
      button.addEventListener("focus", () => go(at));
      button.addEventListener("keydown", (event) => press(event, at));
      // A mouse or a pen paints what it is drawn over; a finger scrolls the page, and taps.
      const drawn = (event) => {
        if (event.pointerType === "touch" || event.buttons !== 1) return;
        button.releasePointerCapture(event.pointerId);
        paint(at, brush());
      };
      button.addEventListener("pointerdown", drawn);
      button.addEventListener("pointerover", drawn);
      return button;
    }

    function set(lines) {
      cells = [...lines.join("")];
      columns = lines[0].length;
      buttons = cells.map((_, at) => make_button(at));
      here = Math.max(0, cells.indexOf("S"));
      buttons[here].tabIndex = 0;
      buttons.forEach((_, at) => show(at));
      grid.replaceChildren(...lines.map((_, row) => h("div", { role: "row", class: "a3c-squares-row" },
        ...buttons.slice(row * columns, (row + 1) * columns).map((button) =>
          h("div", { role: "gridcell" }, button)))));
      grid.setAttribute("aria-label", `Map, ${lines.length} rows, ${columns} columns`);
    }

    const lines = () => between(1, cells.length / columns).map((row) =>
      cells.slice((row - 1) * columns, row * columns).join(""));
    return { grid, set, lines };
  }

  /** The lines of a map of another size: what fits stays, the rest is floor. */
  const resized = (lines, rows, columns) => between(0, rows - 1).map((row) =>
    (lines[row] ?? "").slice(0, columns).padEnd(columns, "."));

  // --- A walk by hand ---------------------------------------------------------------------------

  const begin_walk = (world) => ({
    at: world.start_states[0], steps: 0, total: 0, over: false, fell: false, trail: [world.start_states[0]],
  });

  /** One step; a fall breaks off the trail behind the walker. */
  function take_step(world, walk, action) {
    const [rows, columns] = world.grid_shape, i = 4 * walk.at + action;
    const letters = between(0, world.num_states - 1).map((state) => world.marks[state] ?? ".");
    walk.fell = letters[a3c.moved(letters, rows, columns, walk.at, action)] === "C";
    walk.total += world.reward[i];
    walk.steps++;
    walk.at = world.next_state[i];
    walk.over = Boolean(world.terminated[i]) || walk.steps >= world.max_episode_steps;
    if (walk.fell && !walk.over) walk.trail = [];
    walk.trail.push(walk.at);
  }

  const steps_in_words = (steps) => `${number(steps)} ${steps === 1 ? "step" : "steps"}`;
  /** A return: costs like 0.1 add up to more digits than they mean. */
  const money = (value) => short(value, 6);

  function place_in_words(world, state) {
    const columns = world.grid_shape[1];
    return `row ${Math.floor(state / columns) + 1}, column ${(state % columns) + 1}`;
  }

  // --- The element ------------------------------------------------------------------------------

  function make_drawing(host) {
    const data = a3c.data_of(host);
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    let world = null, walk = null, own = null; // own: the best walk that has arrived
    let wrong; // what keeps the drawing from being a world, in words
    let learning = null, path = null, frame = 0, before = 0, painted = 0, seconds = 0;

    // --- What is on the page --------------------------------------------------------------------
    const group = a3c.new_id();
    let brush = "#";
    const brushes = LETTERS.map((letter) => {
      const input = h("input", { type: "radio", name: group, value: letter, checked: letter === brush });
      input.addEventListener("change", () => (brush = letter));
      return h("label", {}, input, h("span", { class: `a3c-brush a3c-square-${KINDS[letter]}` }, KINDS[letter]));
    });
    const heard = h("p", { class: "a3c-unseen" }), said = h("p", { class: "a3c-result" });
    const whisper = a3c.make_status(heard), say = a3c.make_status(said);
    const editor = make_editor(() => brush, (what) => {
      whisper(what);
      redraw();
    });
    const controls = {};
    const control = (name, spec, value, changed) => {
      controls[name] = a3c.make_control(spec, value, changed);
      return controls[name].row;
    };
    const cost = (label, start) => [{ label, values: COSTS }, start];
    const examples = data.maps.map(({ name }, i) => [i, name]);
    const shape = h("div", { class: "a3c-group" },
      control("example", { label: "Begin with", menu: examples }, 0, () => load(controls.example.get())),
      control("rows", { label: "Rows", values: between(2, data.most_rows) }, 6, resize),
      control("columns", { label: "Columns", values: between(2, data.most_columns) }, 9, resize),
      control("step", ...cost("A step costs", 1), redraw),
      control("goal", ...cost("The goal pays", 0), redraw),
      control("fall", ...cost("A fall costs", 100), redraw),
      control("fall_ends", { label: "After a fall", menu: [[false, "back to start"], [true, "it is over"]] }, false, redraw));
    const run = h("div", { class: "a3c-group" },
      control("steps", { label: "Steps", values: [5000, 20000, 60000, 100000, 200000], format: (v) => number(v) },
        data.total_steps, rerun),
      control("seed", { label: "Seed", whole: [0, 4294967295] }, data.seed, rerun));
    const canvas = h("div", { class: "a3c-plot" });
    // Arrow keys are the walk's own here; whoever cannot press them has the buttons.
    const field = h("div", { class: "a3c-field", role: "application", tabindex: 0,
      "aria-label": "Walk: the arrow keys take a step" }, canvas);
    const pads = ["left", "up", "down", "right"].map((name) => {
      const button = h("button", { type: "button", class: "a3c-button" }, name);
      button.addEventListener("click", () => move(["up", "right", "down", "left"].indexOf(name)));
      return button;
    });
    const again = h("button", { type: "button", class: "a3c-button" }, "Walk again");
    const train_button = h("button", { type: "button", class: "a3c-button a3c-main" });
    const trouble = h("p", { class: "a3c-trouble" });
    const counted = h("p", { class: "a3c-count" });
    const rows = ["You", "The learners’ most probable actions", "The learners’ last 100 episodes", "The best possible"]
      .map((name) => [name, h("td")]);
    const table = h("table", { class: "a3c-table" }, h("caption", {}, "Returns of an episode"),
      h("tbody", {}, ...rows.map(([name, cell]) => h("tr", {}, h("th", { scope: "row" }, name), cell))));
    const code = h("code"), copy = h("button", { type: "button", class: "a3c-button" }, "Copy");
    const copied = h("span", { role: "status" });

    // --- From the drawing to a world ------------------------------------------------------------

    const settings = () => ({
      step_reward: 0 - controls.step.get(), fall_reward: 0 - controls.fall.get(),
      goal_reward: controls.goal.get(), fall_ends: controls.fall_ends.get(),
    });

    function load(which) {
      const { lines } = data.maps[which];
      controls.rows.set(lines.length);
      controls.columns.set(lines[0].length);
      editor.set(lines);
      redraw();
    }

    function resize() {
      editor.set(resized(editor.lines(), controls.rows.get(), controls.columns.get()));
      redraw();
    }

    /** Another map or other costs: what was walked and learned is of a world that is no more. */
    function redraw() {
      const made = a3c.grid_world(editor.lines(), settings());
      world = made.wrong ? null : made;
      walk = world && begin_walk(world);
      own = null;
      for (const button of [...pads, again, train_button, copy]) button.disabled = world === null;
      wrong = WRONG[made.wrong];
      trouble.textContent = wrong ?? "";
      trouble.hidden = !wrong;
      rerun();
    }

    /** Another run in the same world: what was walked still counts. */
    function rerun() {
      halt();
      learning = path = null;
      code.textContent = world ? python() : "";
      say(wrong ?? "Draw a world, walk through it, then let the workers learn it.");
      copied.textContent = "";
      tell();
    }

    /** The Python that gives the same run. */
    function python() {
      const own = [], { step_reward, fall_reward, goal_reward, fall_ends } = settings();
      if (step_reward !== -1) own.push(`step_reward=${step_reward}`);
      if (fall_reward !== -100) own.push(`fall_reward=${fall_reward}`);
      if (goal_reward !== 0) own.push(`goal_reward=${goal_reward}`);
      if (fall_ends) own.push("fall_ends=True");
      const map = editor.lines().map((line) => `    ${line}\n`).join("");
      const others = own.map((setting) => `, ${setting}`).join("");
      return `from a3c_tut import grid_world, train\n\nworld = grid_world("""\n${map}"""${others})\n` +
        `result = train(world, total_steps=${number(controls.steps.get()).replaceAll(",", "_")}, seed=${controls.seed.get()})\n`;
    }

    // --- Walking --------------------------------------------------------------------------------

    function move(action) {
      if (world === null) return;
      if (walk.over) walk = begin_walk(world);
      take_step(world, walk, action);
      const arrived = world.marks[walk.at] === "G";
      if (arrived && (own === null || walk.total > own.total)) own = walk;
      whisper(`${walk.fell ? "A fall. " : ""}${arrived ? "The goal" : place_in_words(world, walk.at)}; ` +
        `return ${money(walk.total)} in ${steps_in_words(walk.steps)}`);
      tell();
    }

    field.addEventListener("keydown", (event) => {
      const action = ARROWS[event.key];
      if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      move(action);
    });
    again.addEventListener("click", () => {
      walk = begin_walk(world);
      whisper("At the start again");
      tell();
    });

    function walked() {
      const done = `return ${money(walk.total)} in ${steps_in_words(walk.steps)}`;
      if (walk.steps === 0) return "Walk with the arrow keys, once the map has the focus, or with these buttons.";
      if (!walk.over) return `${walk.fell ? "A fall. " : ""}You are at ${place_in_words(world, walk.at)}: ${done}.`;
      if (world.marks[walk.at] === "G") return `You have arrived: ${done}.`;
      return walk.fell ? `You fell, and that was the end: ${done}.` : `The time is up: ${done}.`;
    }

    // --- Learning -------------------------------------------------------------------------------

    function begin_run() {
      const asked = { task: world, config: data.config, total_steps: controls.steps.get(), threshold: null };
      learning = new a3c.Learning(asked, controls.seed.get());
      path = null;
      seconds = before = painted = 0;
    }

    function halt() {
      cancelAnimationFrame(frame);
      frame = 0;
    }

    function tick(now) {
      const passed = before ? Math.min(now - before, 100) / 1000 : 0, total = learning.total_steps;
      before = now;
      const due = total * Math.min(1, (seconds += passed) / SECONDS) ** 2;
      learning.go_on(due, BUDGET);
      if (learning.steps < due) seconds = SECONDS * Math.sqrt(learning.steps / total); // no hurry
      if (learning.over) return finish();
      if (now - painted > REPAINT) {
        painted = now;
        tell();
      }
      frame = requestAnimationFrame(tick);
    }

    function finish() {
      halt();
      learning.go_on(Infinity);
      const { theta, V } = learning.crew.run.shared, { steps, episodes, diverged } = learning;
      path = a3c.greedy_path(world, theta);
      tell();
      say(diverged ? `The run diverged after ${number(steps)} steps: a parameter is no longer a finite number.`
        : `${number(steps)} steps, ${number(episodes.worker.length)} episodes. ${a3c.describe_path(path)} ` +
          `The best possible is ${money(world.references.optimum)}${own ? `; you had ${money(own.total)}` : ""}.`);
      host.dispatchEvent(new CustomEvent("a3c-done", { detail: {
        world, theta: [...theta], V: [...V], steps, total_return: [...episodes.total_return], path,
      } }));
    }

    train_button.addEventListener("click", () => {
      if (frame) return finish();
      begin_run();
      if (calm.matches) return finish();
      frame = requestAnimationFrame(tick);
      tell();
    });
    calm.addEventListener("change", () => frame && finish());

    // --- What is shown --------------------------------------------------------------------------

    function compare() {
      const finished = learning?.over && !learning.diverged, episodes = learning?.episodes.total_return ?? [];
      const texts = [
        own ? `${money(own.total)} in ${steps_in_words(own.steps)}` : "not there yet",
        !finished ? "–" : path.terminated ? `${money(path.total_return)} in ${steps_in_words(path.states.length - 1)}` : "never arrive",
        !finished || !episodes.length ? "–" : `${money(Number(a3c.final_return({ total_return: episodes }).toFixed(1)))} on average`,
        world && (own || finished) ? money(world.references.optimum) : "–",
      ];
      rows.forEach(([, cell], i) => (cell.textContent = texts[i]));
    }

    function paint() {
      const width = Math.floor(canvas.clientWidth);
      canvas.hidden = world === null;
      if (world === null || width === 0) return;
      const { theta, V } = learning?.crew.run.shared ?? {};
      const { svg, place, cell } = a3c.draw_policy_map(width, world, learning && a3c.policy_of(world, theta), path,
        learning && a3c.never_pushed(world, theta, V));
      const told = walk.steps ? walked() : "The walker is at the start.";
      svg.setAttribute("aria-label", `Map of ${world.grid_shape.join(" × ")} cells. ${told} ` +
        (path ? a3c.describe_path(path) : learning ? "The stronger a triangle’s colour, the more probable its action." : "Nothing is learned yet."));
      if (walk.trail.length > 1)
        svg.append(s("path", { class: "a3c-trail", d: a3c.path(walk.trail.map(place)) }));
      const [x, y] = place(walk.at);
      svg.append(s("circle", { class: "a3c-you", cx: x, cy: y, r: Math.min(9, cell / 4) }));
      canvas.replaceChildren(svg);
    }

    function tell() {
      paint();
      compare();
      train_button.textContent = frame ? "Skip to the end" : learning ? "Train again" : "Train";
      counted.textContent = wrong ? "" : frame
        ? `${number(learning.steps)} of ${number(learning.total_steps)} steps, ${number(learning.episodes.worker.length)} episodes` +
          (learning.episodes.worker.length ? `; the last ones returned ${number(learning.mean, 1)} on average` : "")
        : walked();
      host.dataset.state = frame ? "training" : learning?.over ? "over" : "done";
    }

    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        copied.textContent = "Copied.";
      } catch {
        getSelection().selectAllChildren(code);
        copied.textContent = "Selected: copy it with the keyboard.";
      }
    });

    host.replaceChildren(
      h("div", { class: "a3c-drawing" },
        h("div", { class: "a3c-half" },
          h("fieldset", { class: "a3c-switch a3c-brushes" }, h("legend", {}, "1. Draw"), ...brushes),
          editor.grid, trouble, shape),
        h("div", { class: "a3c-half" },
          h("p", { class: "a3c-heading" }, "2. Walk, then train"), field,
          h("div", { class: "a3c-actions a3c-pads", role: "group", "aria-label": "Take a step" }, ...pads, again),
          counted, run, h("div", { class: "a3c-actions" }, train_button))),
      said, table,
      h("p", { class: "a3c-heading" }, "3. Take it away: the same run in Python, to the bit"),
      h("div", { class: "a3c-scroll", tabindex: 0, role: "region", "aria-label": "Python code" }, h("pre", {}, code)),
      h("div", { class: "a3c-actions" }, copy, copied), heard);
    whisper("");
    load(0);
    a3c.on_width(canvas, paint);
  }

  Object.assign(a3c, { make_editor, make_drawing });
}, { page: true }));
