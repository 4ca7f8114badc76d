// Workers that learn to balance, watched while they do: a run with a network goes on in the page,
// thousands of steps a second, and beside it each worker plays episodes at real speed with its copy
// of the network. Readers who ask for less motion get the same run in a few steps, one a click.
(globalThis.a3cModules ??= []).push(Object.assign(function balance(a3c) {
  "use strict";
  const { h, s, number } = a3c;
  const SECONDS = 20; // that a run takes, where the machine is fast enough: slowly first, so that poles fall
  const BUDGET = 9; // milliseconds of training in a frame at most
  const WINDOW = 50; // episodes in the moving average
  const STAGES = [0.05, 0.1, 0.2, 0.4, 1]; // of the run, a click each
  const REPAINT = 100; // milliseconds between two drawings of the curve
  const GHOSTS = 9, APART = 0.06; // afterimages, and the seconds between two of them
  const FADE = 0.45; // seconds in which an episode that has ended fades away
  const WORDS = ["no", "one", "two", "three", "four", "five", "six"];
  const words = (count) => WORDS[count] ?? String(count);

  // --- The run ----------------------------------------------------------------------------------

  /** A run that can be taken further bit by bit. */
  class Learning {
    constructor(asked, seed) {
      this.asked = asked;
      this.total_steps = asked.total_steps;
      this.crew = new a3c.TableCrew(asked.task, asked.config, asked.total_steps, seed);
      this.schedule = a3c.make_schedule("round_robin", asked.config, seed);
      this.episodes = { worker: [], total_return: [], step: [], mean: [] };
      this.diverged = false;
      this.solved_at = null; // the step at which the mean reached what counts as solved
      this.milliseconds = 0;
      this.sum = 0;
    }

    get steps() {
      return this.crew.steps;
    }

    get over() {
      return this.diverged || this.steps >= this.total_steps;
    }

    /** The mean return of the last episodes. */
    get mean() {
      const { total_return } = this.episodes;
      return this.sum / Math.min(WINDOW, total_return.length);
    }

    /** Train until there have been so many steps, or for so many milliseconds. */
    go_on(steps, budget = Infinity) {
      const started = performance.now();
      while (!this.over && this.steps < steps && performance.now() - started < budget) {
        const turns = this.schedule.entries(this.crew.num_updates, 16);
        const [diverged, episodes] = this.crew.take_turns(turns, Math.min(steps, this.total_steps));
        this.diverged = diverged;
        this.note(episodes);
      }
      this.milliseconds += performance.now() - started;
    }

    note({ worker, total_return, step }) {
      const all = this.episodes, { threshold } = this.asked;
      for (let i = 0; i < worker.length; i++) {
        const ended = all.worker.push(worker[i]);
        all.total_return.push(total_return[i]);
        all.step.push(step[i]);
        this.sum += total_return[i] - (ended > WINDOW ? all.total_return[ended - 1 - WINDOW] : 0);
        all.mean.push(ended >= WINDOW ? this.mean : NaN);
        if (this.solved_at === null && ended >= WINDOW && threshold !== null && this.mean >= threshold)
          this.solved_at = step[i];
      }
    }
  }

  /** Episodes that one worker plays for whoever watches. The run does not know of them. */
  class Player {
    constructor(learning, worker, seed) {
      const { run } = learning.crew, { num_workers } = run.settings;
      this.run = run;
      this.worker = worker;
      this.rollout = a3c.make_network_rollout(1, run.scratch.where);
      // The run has the seed's first children; these numbers are nobody else's.
      this.stream = new a3c.PCG64(new a3c.SeedSequence(seed, [num_workers + 2 + worker]));
      this.uniforms = new Float64Array(64);
      this.cursor = this.uniforms.length;
      this.tick = run.world.motion === a3c.CART_POLE ? a3c.TICK : a3c.TICK_PENDULUM;
      this.apart = Math.round(APART / this.tick);
      this.fade = Math.round(FADE / this.tick);
      this.waited = 0;
      this.begin();
    }

    refill() {
      if (this.cursor + 16 <= this.uniforms.length) return;
      this.stream.random(this.uniforms);
      this.cursor = 0;
    }

    begin() {
      this.refill();
      this.walker = new Float64Array(this.run.me.walker[this.worker].length);
      this.cursor = a3c.reset(this.run.world, this.walker, this.uniforms, this.cursor);
      this.before = this.walker.slice();
      this.past = []; // where it was, the latest first
      this.rollout.force.fill(0.0);
      this.steps = this.total_return = 0;
      this.fading = 0; // steps that are left of the fading
    }

    /** What comes after so many seconds. */
    advance(seconds) {
      this.waited += seconds;
      while (this.waited >= this.tick) {
        this.waited -= this.tick;
        this.step();
      }
    }

    step() {
      if (this.fading > 0) {
        this.fall();
        if (--this.fading === 0) this.begin();
        return;
      }
      this.refill();
      const { run, rollout, walker } = this, { world, me, scratch } = run;
      const parameters = me.theta[this.worker];
      this.remember();
      a3c.observe(world, walker, rollout.observations[0]);
      a3c.forward(parameters, scratch.where, rollout, 0);
      this.cursor = a3c.act(
        parameters, scratch.where, world.continuous, world.action_range, rollout, 0, this.uniforms, this.cursor,
      );
      const [reward, terminated] = a3c.move(world, walker, rollout.actions[0], rollout.force, 0.0);
      this.total_return += reward;
      this.steps++;
      if (terminated || this.steps >= world.max_episode_steps) this.fading = this.fade;
    }

    /** Nobody pushes a cart whose episode has ended: what is left is the pole's fall. */
    fall() {
      this.remember();
      if (this.run.world.motion === a3c.CART_POLE) a3c.move_cart(this.walker, this.fading & 1);
    }

    remember() {
      this.before = this.walker.slice();
      this.past.unshift(this.before);
      this.past.length = Math.min(this.past.length, GHOSTS * this.apart + 1);
    }

    /** Play one episode to its end, at once. */
    play() {
      this.begin();
      while (this.fading === 0) this.step();
      this.before = this.walker.slice();
    }

    /** Where it is between two steps. */
    get now() {
      const share = this.waited / this.tick;
      return this.walker.map((value, i) => this.before[i] + share * (value - this.before[i]));
    }

    get opacity() {
      return this.fading > 0 ? this.fading / this.fade : 1;
    }
  }

  // --- The picture ------------------------------------------------------------------------------

  const p = (value) => value.toFixed(1);

  /** A rail, a cart and a pole. The pole is drawn longer than it is, so that its leaning shows. */
  function make_cart(width, height) {
    const unit = width / 5.6, floor = height - 20, wide = 0.56 * unit, high = 0.3 * unit, hinge = floor - high;
    const middle = width / 2, end = a3c.FARTHEST * unit, length = Math.min(1.75 * unit, hinge - 26);
    const at = ([x, , angle]) => {
      const foot = middle + x * unit;
      return `M${p(foot)} ${p(hinge)}L${p(foot + length * Math.sin(angle))} ${p(hinge - length * Math.cos(angle))}`;
    };
    const ghosts = Array.from({ length: GHOSTS }, () => s("path", { class: "a3c-ghost" }));
    const edge = s("path", { class: "a3c-pole-edge" }), pole = s("path", { class: "a3c-pole" });
    const cart = s("rect", { class: "a3c-cart", y: p(hinge), width: p(wide), height: p(high), rx: 4 });
    const pin = s("circle", { class: "a3c-pin", cy: p(hinge), r: 2.6 });
    const fixed = s("path", { class: "a3c-rail",
      d: `M${p(middle - end)} ${p(floor)}H${p(middle + end)}M${p(middle - end)} ${p(floor - 5)}v10M${p(middle + end)} ${p(floor - 5)}v10` });
    const moving = s("g", {}, ...ghosts, edge, cart, pole, pin);
    const draw = (now) => {
      const d = at(now), foot = p(middle + now[0] * unit);
      edge.setAttribute("d", d);
      pole.setAttribute("d", d);
      cart.setAttribute("x", p(middle + now[0] * unit - wide / 2));
      pin.setAttribute("cx", foot);
    };
    return { fixed, moving, ghosts, at, draw };
  }

  /** A pivot and a rod that hangs or stands, and an arc that shows how the motor turns it. */
  function make_rod(width, height) {
    const x = width / 2, y = (height + 22) / 2, radius = Math.min(width / 2 - 8, (height - 22) / 2 - 6);
    const length = 0.86 * radius;
    const tip = (angle, far) => `${p(x + far * Math.sin(angle))} ${p(y - far * Math.cos(angle))}`;
    const at = ([angle]) => `M${p(x)} ${p(y)}L${tip(angle, length)}`;
    const ghosts = Array.from({ length: GHOSTS }, () => s("path", { class: "a3c-ghost" }));
    const edge = s("path", { class: "a3c-pole-edge" }), pole = s("path", { class: "a3c-pole" });
    const torque = s("path", { class: "a3c-torque" });
    const fixed = s("g", {},
      s("circle", { class: "a3c-round", cx: p(x), cy: p(y), r: p(radius) }),
      s("path", { class: "a3c-rail", d: `M${p(x)} ${p(y - radius - 3)}v6` }));
    const moving = s("g", {}, ...ghosts, edge, pole, torque, s("circle", { class: "a3c-pin", cx: p(x), cy: p(y), r: 3.4 }));
    const draw = (now, player) => {
      const d = at(now), turn = player.rollout.force[0] * 0.55, far = 0.3 * radius;
      edge.setAttribute("d", d);
      pole.setAttribute("d", d);
      const head = turn > 0 ? -0.32 : 0.32;
      // A positive torque turns it clockwise here, as a positive angle leans to the right.
      torque.setAttribute("d", Math.abs(turn) < 0.25 ? "" :
        `M${tip(0, far)}A${p(far)} ${p(far)} 0 0 ${turn > 0 ? 1 : 0} ${tip(turn, far)}` +
        `M${tip(turn + head, far - 5)}L${tip(turn, far)}L${tip(turn + head, far + 5)}`);
    };
    return { fixed, moving, ghosts, at, draw };
  }

  /** A place for every worker; `draw` puts the players where they are. */
  function make_stage(width, players, motion) {
    const round = motion === a3c.PENDULUM, count = players.length;
    const columns = round ? Math.min(count, 2) : count > 3 ? 2 : 1;
    const gap = 10, wide = (width - gap * (columns - 1)) / columns;
    const high = round ? Math.min(wide + 22, 210) : Math.max(100, Math.min(156, 0.44 * wide));
    const height = Math.ceil(count / columns) * (high + gap) - gap;
    const svg = s("svg", { role: "img", width, height: p(height), viewBox: `0 0 ${width} ${p(height)}` });
    const lanes = players.map((player, worker) => {
      const made = (round ? make_rod : make_cart)(wide, high);
      const told = s("text", { class: "a3c-lane-told", x: p(wide - 10), y: 17, "text-anchor": "end" });
      const x = (worker % columns) * (wide + gap), y = Math.floor(worker / columns) * (high + gap);
      svg.append(s("g", { class: `a3c-worker-${worker % 6}`, transform: `translate(${p(x)} ${p(y)})` },
        s("rect", { class: "a3c-stagebox", width: p(wide), height: p(high), rx: 6 }),
        made.fixed, made.moving,
        s("text", { class: "a3c-lane-name", x: 10, y: 17 }, `worker ${worker}`), told));
      return { ...made, told };
    });
    const draw = () => players.forEach((player, worker) => {
      const { moving, ghosts, at, draw, told } = lanes[worker];
      moving.setAttribute("opacity", player.opacity.toFixed(2));
      draw(player.now, player);
      ghosts.forEach((ghost, i) => {
        const then = player.past[(i + 1) * player.apart];
        ghost.setAttribute("d", then ? at(then) : "");
        ghost.setAttribute("opacity", (0.42 * (1 - i / GHOSTS)).toFixed(2));
      });
      told.textContent = told_of(player, round);
    });
    return { svg, draw, height };
  }

  const told_of = (player, round) =>
    round ? number(Math.round(player.total_return)) : `${number(player.steps)} ${player.steps === 1 ? "step" : "steps"}`;

  /** The curve of returns: axes once, and what is in them again and again. */
  function make_curve(width, height, learning) {
    const { asked } = learning, narrow = width < 420;
    const { svg, X, Y } = a3c.plot({
      width, height, label: "", margin: [12, 18, 40, asked.low < 0 ? 70 : 56],
      x: { low: 0, high: asked.total_steps, ticks: a3c.ticks(0, asked.total_steps, narrow ? 4 : 6),
        label: narrow ? "steps" : "environment steps of all workers",
        format: (steps) => (steps === 0 ? "0" : `${number(steps / 1000)}k`) },
      y: { low: asked.low, high: asked.high, ticks: a3c.ticks(asked.low, asked.high, 6), label: "return" },
    });
    const marks = Array.from({ length: asked.config.num_workers }, (_, worker) =>
      s("path", { class: `a3c-episode a3c-worker-${worker % 6}` }));
    const mean = s("path", { class: "a3c-mean" }), head = s("circle", { class: "a3c-head", r: 4.5 });
    if (asked.threshold !== null)
      svg.append(s("line", { class: "a3c-reference a3c-reference-0", "stroke-dasharray": "7 4",
        x1: X(0), x2: X(asked.total_steps), y1: Y(asked.threshold), y2: Y(asked.threshold) }));
    svg.append(...marks, mean, head);
    const drawn = marks.map(() => "");
    let done = 0, line = "", pen = "M", last = null;
    const within = (value) => Math.min(Math.max(value, asked.low), asked.high);
    const draw = () => {
      const { worker, total_return, step, mean: means } = learning.episodes;
      if (done === worker.length && done > 0) return;
      for (; done < worker.length; done++) {
        drawn[worker[done]] += a3c.mark(worker[done], X(step[done]), Y(within(total_return[done])));
        if (Number.isNaN(means[done])) continue;
        last = [X(step[done]), Y(within(means[done]))];
        line += `${pen}${p(last[0])} ${p(last[1])}`;
        pen = "L";
      }
      marks.forEach((mark, i) => mark.setAttribute("d", drawn[i]));
      mean.setAttribute("d", line);
      head.setAttribute("cx", p(last?.[0] ?? X(0)));
      head.setAttribute("cy", p(last?.[1] ?? 0));
      head.setAttribute("visibility", last === null ? "hidden" : "visible");
    };
    return { svg, draw };
  }

  function legend(asked) {
    const item = (drawing, text) => h("li", {},
      s("svg", { width: 26, height: 12, viewBox: "0 0 26 12", "aria-hidden": "true" }, drawing), text);
    const line = (attributes) => s("line", { x1: 0, x2: 26, y1: 6, y2: 6, ...attributes });
    return h("ul", { class: "a3c-legend" },
      item(line({ class: "a3c-mean" }), `mean of ${WINDOW} episodes`),
      ...(asked.threshold === null ? [] : [item(
        line({ class: "a3c-reference a3c-reference-0", "stroke-dasharray": "7 4" }),
        `solved: ${number(asked.threshold)}`)]),
      ...Array.from({ length: asked.config.num_workers }, (_, worker) => item(
        s("path", { class: `a3c-key a3c-worker-${worker % 6}`, d: a3c.mark(worker, 13, 6) }),
        `worker ${worker}`)));
  }

  // --- The element ------------------------------------------------------------------------------

  function make_balance(host) {
    const data = a3c.data_of(host);
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    let asked = data.worlds[0], seed = data.seed;
    let learning, players, stage, curve, frame = 0, before = 0, painted = 0, seconds = 0, seen = true;
    let moving = false, announced = "";

    // --- Controls -------------------------------------------------------------------------------
    const group = a3c.new_id();
    const choices = data.worlds.map((world, i) => {
      const input = h("input", { type: "radio", name: group, value: i, checked: i === 0 });
      input.addEventListener("change", () => {
        asked = world;
        anew();
      });
      return h("label", {}, input, h("span", {}, world.title));
    });
    const seed_id = a3c.new_id();
    const seed_field = h("input", { id: seed_id, type: "number", min: 0, max: 4294967295, step: 1, value: seed });
    seed_field.addEventListener("change", () => {
      const given = seed_field.valueAsNumber;
      if (Number.isInteger(given) && given >= 0 && given <= 4294967295) seed = given;
      seed_field.value = seed;
      anew();
    });
    const button = h("button", { type: "button", class: "a3c-button a3c-main" });
    const again = h("button", { type: "button", class: "a3c-button" }, "Start over");
    const stage_box = h("div", { class: "a3c-stagehost" }), curve_box = h("div", { class: "a3c-plot" });
    const keys = h("div"), told = h("p", { class: "a3c-told" }), said = h("p", { class: "a3c-result" });
    const code = h("code");
    const say = a3c.make_status(said);
    const caption = h("figcaption");

    function describe() {
      const held = players.map((player) => `worker ${player.worker}: ${told_of(player, asked.task.world.motion === a3c.PENDULUM)}`);
      stage.svg.setAttribute("aria-label",
        `${asked.title} as ${words(players.length)} workers play it after ${number(learning.steps)} steps of training. ` +
        `Their episodes so far, ${held.join("; ")}.`);
      const { total_return } = learning.episodes;
      curve.svg.setAttribute("aria-label",
        `Plot of the returns of ${number(total_return.length)} episodes over ${number(learning.steps)} of ` +
        `${number(asked.total_steps)} steps. ` +
        (total_return.length < WINDOW ? "Fewer than 50 episodes have ended."
          : `The mean of the last ${WINDOW} is ${number(learning.mean)}.`));
    }

    /** The line that goes with the run; it is there to be seen, and is not announced. */
    function count() {
      const { total_return } = learning.episodes;
      told.textContent = `${number(learning.steps)} of ${number(asked.total_steps)} steps, ` +
        `${number(total_return.length)} episodes` +
        (total_return.length ? `; the last ${Math.min(WINDOW, total_return.length)} returned ${number(learning.mean)} on average` : "");
    }

    function sentence() {
      const { total_return } = learning.episodes;
      if (learning.diverged) return `The run diverged after ${number(learning.steps)} steps: a parameter is no longer a finite number.`;
      if (learning.steps === 0)
        return `${words(players.length).replace(/^./, (c) => c.toUpperCase())} ${players.length === 1 ? "worker has" : "workers share"} a network that has learned nothing yet.`;
      const mean = total_return.length ? ` The last ${Math.min(WINDOW, total_return.length)} episodes returned ${number(learning.mean)} on average.` : "";
      const solved = learning.solved_at === null ? "" :
        ` The mean of ${WINDOW} reached ${number(asked.threshold)} after ${number(learning.solved_at)} steps.`;
      return learning.over
        ? `${number(learning.steps)} steps in ${number(learning.milliseconds / 1000, 1)} s of computing, in this page.${mean}${solved}`
        : `After ${number(learning.steps)} steps.${mean}${solved}`;
    }

    function paint() {
      stage.draw();
      curve.draw();
      count();
    }

    function tell() {
      paint();
      describe();
      say(sentence());
      again.disabled = learning.steps === 0 && !moving;
      const next = STAGES.find((share) => share * asked.total_steps > learning.steps);
      button.textContent = calm.matches
        ? (learning.over ? "Another episode" : `Train to ${number(next * asked.total_steps)} steps`)
        : moving ? "Pause" : learning.steps === 0 ? "Start" : "Go on";
      mark();
    }

    /** What the style sheet and the tests go by. */
    function mark() {
      host.dataset.state = learning.over ? "over" : moving ? "training" : "done";
    }

    /** Everything is drawn for a width; another width, another drawing. */
    function lay_out() {
      const width = Math.floor(host.clientWidth - 2 * parseFloat(getComputedStyle(host).paddingLeft));
      if (width <= 0) return;
      const beside = width >= 600, round = asked.task.world.motion === a3c.PENDULUM;
      const left = beside ? Math.floor(width * (round ? 0.54 : 0.46)) : width;
      stage = make_stage(left, players, asked.task.world.motion);
      curve = make_curve(beside ? width - left - 16 : width, beside ? Math.max(240, stage.height) : 250, learning);
      stage_box.replaceChildren(stage.svg);
      curve_box.replaceChildren(curve.svg);
      keys.replaceChildren(legend(asked));
      tell();
    }

    function anew() {
      learning = new Learning(asked, seed);
      players = Array.from({ length: asked.config.num_workers }, (_, worker) => new Player(learning, worker, seed));
      before = painted = seconds = 0;
      announced = "false null";
      code.textContent = asked.python.replace("SEED", seed);
      caption.textContent = asked.caption;
      lay_out();
    }

    // --- Moving ---------------------------------------------------------------------------------

    function tick(now) {
      const passed = before ? Math.min(now - before, 100) / 1000 : 0;
      before = now;
      if (!learning.over) {
        const total = asked.total_steps, due = total * ((seconds += passed) / SECONDS) ** 2;
        learning.go_on(due, BUDGET);
        if (learning.steps < due) seconds = SECONDS * Math.sqrt(learning.steps / total); // no hurry
      }
      players.forEach((player) => player.advance(passed));
      stage.draw();
      const news = `${learning.over} ${learning.solved_at}`;
      if (now - painted > REPAINT || news !== announced) {
        painted = now;
        curve.draw();
        count();
        describe();
      }
      if (news !== announced) {
        announced = news;
        mark();
        say(sentence());
      }
      if (learning.diverged) return stop();
      frame = requestAnimationFrame(tick);
    }

    function go() {
      if (frame === 0 && moving && seen) {
        before = 0;
        frame = requestAnimationFrame(tick);
      }
    }

    function halt() {
      cancelAnimationFrame(frame);
      frame = 0;
    }

    function stop() {
      moving = false;
      halt();
      tell();
    }

    button.addEventListener("click", () => {
      if (moving) return stop();
      if (!calm.matches) {
        moving = true;
        tell();
        return go();
      }
      learning.go_on((STAGES.find((share) => share * asked.total_steps > learning.steps) ?? 1) * asked.total_steps);
      players.forEach((player) => player.play());
      tell();
    });
    again.addEventListener("click", anew);
    calm.addEventListener("change", stop);
    new IntersectionObserver((entries) => {
      seen = entries[entries.length - 1].isIntersecting;
      if (seen) go();
      else halt();
    }).observe(host);

    host.replaceChildren(
      h("div", { class: "a3c-balance-controls" },
        h("fieldset", { class: "a3c-switch" }, h("legend", { class: "a3c-unseen" }, "What is learned"), ...choices),
        h("div", { class: "a3c-control a3c-seed" }, h("label", { for: seed_id }, "Seed"), seed_field),
        h("div", { class: "a3c-actions" }, button, again)),
      h("figure", { class: "a3c-figure" },
        h("div", { class: "a3c-balance" }, stage_box, curve_box), keys, caption),
      told, said,
      h("p", { class: "a3c-note" }, "The same run in Python: ", code));
    anew();
    a3c.on_width(host, lay_out);
  }

  Object.assign(a3c, { make_balance, Learning });
}, { page: true }));
