// Random streams, all workers in one process, schedules and whole runs: the twin of
// a3c_tut/engine/streams.py, crew.py and runners/emulated.py, a3c_tut/schedules.py and training.py,
// with their names.
(globalThis.a3cModules ??= []).push(function training(a3c) {
  "use strict";
  const {
    SeedSequence, PCG64, NEEDS_UNIFORMS, DIVERGED, STEPS, UPDATES, take_turns, drain,
  } = a3c;
  const UNIFORMS_AHEAD = 4096;

  // --- streams.py ---

  /** The seeds of the workers' random streams: one whole number, or a list with one per worker. */
  function worker_seeds(seed, num_workers) {
    if (Array.isArray(seed)) return seed.map((one) => new SeedSequence(one));
    return new SeedSequence(seed).spawn(num_workers);
  }

  function refill(local, index, stream) {
    const buffer = local.uniforms[index], cursor = local.cursor[index];
    buffer.copyWithin(0, cursor);
    stream.random(buffer, buffer.length - cursor);
    local.cursor[index] = 0;
  }

  // --- crew.py ---

  function statistics_owners(config) {
    if (config.optimizer === "sgd") return 0;
    return config.shared_statistics ? 1 : config.num_workers;
  }

  /** What a turn reads of a table or of a task, which has a model; and what it is made of. */
  function world_of(world, config, total_steps) {
    if (world.model) {
      const settings = a3c.make_settings(config, total_steps, ...a3c.numbers_for(world.world));
      return [
        a3c.control_arrays(world, config), settings, a3c.make_network_scratch(settings, world),
        world.world.walker_size, a3c.NETWORK_PARTS,
      ];
    }
    const arrays = a3c.world_arrays(world, config), settings = a3c.make_settings(config, total_steps);
    return [arrays, settings, a3c.make_scratch(settings, arrays), 0, a3c.TABLE_PARTS];
  }

  /** Tables of zeros, or a network drawn at random. */
  function fresh(world, config, seed, size) {
    if (!world.model) return new Float64Array(size);
    const own = new SeedSequence(seed).spawn(config.num_workers + 2)[config.num_workers + 1];
    return a3c.initial_parameters(world.model, world.world, own);
  }

  /** All workers of a run, taking turns in a given order. */
  class TableCrew {
    constructor(world, config, total_steps, seed) {
      const [arrays, settings, scratch, walker_size, parts] = world_of(world, config, total_steps);
      const { num_states, num_actions } = arrays;
      const theta = fresh(world, config, seed, num_states * num_actions);
      const V = new Float64Array(num_states);
      this.parts = parts;
      const longest = Math.max(...settings.rollout_length);
      const workers = Array.from({ length: config.num_workers }, (_, worker) => worker);
      this.run = {
        world: arrays,
        settings,
        shared: a3c.make_shared(theta, V),
        statistics: a3c.make_statistics(statistics_owners(config), num_states, num_actions),
        me: a3c.make_local(workers, theta, V, Math.max(UNIFORMS_AHEAD, 4 * longest), walker_size),
        scratch,
        log: a3c.make_log(),
      };
      this.streams = worker_seeds(seed, config.num_workers).map((one) => new PCG64(one));
    }

    get steps() {
      return this.run.shared.counters[STEPS];
    }

    get num_updates() {
      return this.run.shared.counters[UPDATES];
    }

    refill() {
      this.streams.forEach((stream, index) => {
        if (this.run.me.cursor[index] > 0) refill(this.run.me, index, stream);
      });
    }

    /** Returns whether the last of these turns diverged, and the rows that they logged. */
    take_turns(schedule, stop_at) {
      let turn = 0, why = NEEDS_UNIFORMS;
      while (why === NEEDS_UNIFORMS) {
        this.refill();
        [turn, why] = take_turns(this.run, schedule, turn, stop_at, this.parts);
      }
      return [why === DIVERGED, ...drain(this.run.log)];
    }
  }

  // --- schedules.py ---

  class RoundRobin {
    constructor(num_workers) {
      this.num_workers = num_workers;
    }

    entries(first, count) {
      return Int32Array.from({ length: count }, (_, i) => (first + i) % this.num_workers);
    }
  }

  class Given {
    constructor(workers) {
      this.workers = Int32Array.from(workers);
    }

    entries(first, count) {
      return this.workers.subarray(first, first + count);
    }
  }

  class SeededSchedule {
    constructor(weights, seed) {
      let total = 0.0;
      const sums = weights.map((weight) => (total += weight));
      this.cumulative = sums.map((sum) => sum / total);
      this.seed = seed;
    }

    entries(first, count) {
      const bits = new PCG64(this.seed);
      bits.advance(first);
      const last = this.cumulative.length - 1;
      return Int32Array.from(bits.random(new Float64Array(count)), (uniform) => {
        let worker = 0;
        while (worker < last && this.cumulative[worker] <= uniform) worker++;
        return worker;
      });
    }
  }

  // --- runners/emulated.py ---

  /** Let a crew take turns until the schedule or the steps end; yields between chunks. */
  function* run(crew, schedule, stop_at, chunk) {
    const episodes = [], updates = [];
    let diverged = false, new_episodes, new_updates;
    while (crew.steps < stop_at && !diverged) {
      const turns = schedule.entries(crew.num_updates, chunk);
      if (turns.length === 0) break;
      [diverged, new_episodes, new_updates] = crew.take_turns(turns, stop_at);
      episodes.push(new_episodes);
      updates.push(new_updates);
      yield crew.steps;
    }
    return [diverged, joined(episodes), joined(updates)];
  }

  function joined(pieces) {
    const whole = {};
    for (const name in pieces[0]) {
      const length = pieces.reduce((sum, piece) => sum + piece[name].length, 0);
      const column = (whole[name] = new pieces[0][name].constructor(length));
      let at = 0;
      for (const piece of pieces) {
        column.set(piece[name], at);
        at += piece[name].length;
      }
    }
    return whole;
  }

  // --- training.py ---

  /** "round_robin", "random", {weights: […]} or a list of worker ids. */
  function make_schedule(schedule, config, seed) {
    if (schedule === "round_robin") return new RoundRobin(config.num_workers);
    if (Array.isArray(schedule)) return new Given(schedule);
    const weights = schedule.weights ?? new Array(config.num_workers).fill(1);
    return new SeededSchedule(weights, new SeedSequence(seed, [config.num_workers]));
  }

  /**
   * Train. A generator: it yields the steps done so far every few milliseconds, so that a caller
   * can stop, and returns the result. `asked` has world, config, total_steps, seed and schedule.
   */
  function* train(asked) {
    const { world, config, total_steps, seed, schedule } = asked;
    const crew = new TableCrew(world, config, total_steps, seed);
    const order = make_schedule(schedule, config, seed);
    const stop_at = Array.isArray(schedule) ? Infinity : total_steps;
    const longest = Math.max(...crew.run.settings.rollout_length);
    const chunk = Math.max(1, Math.min(4096, Math.floor(10000 / longest)));
    const [diverged, episodes, updates] = yield* run(crew, order, stop_at, chunk);
    const { theta, V } = crew.run.shared;
    return { diverged, episodes, updates, theta, V, steps: crew.steps };
  }

  /** Follow the most probable actions from the start; null where chance decides. */
  function greedy_path(world, theta) {
    const { num_actions, num_outcomes } = world;
    if (world.start_states.length > 1) return null;
    let state = world.start_states[0], total_return = 0, terminated = false;
    const states = [state];
    while (!terminated && states.length <= world.max_episode_steps) {
      let action = 0;
      for (let a = 1; a < num_actions; a++)
        if (theta[state * num_actions + a] > theta[state * num_actions + action]) action = a;
      const at = (state * num_actions + action) * num_outcomes;
      const sums = world.cumulative.slice(at, at + num_outcomes);
      const k = sums.findIndex((sum) => sum > 0);
      if (sums[k] < 1) return null;
      total_return += world.reward[at + k];
      terminated = Boolean(world.terminated[at + k]);
      state = world.next_state[at + k];
      states.push(state);
    }
    return { states, total_return, terminated };
  }

  // --- experiments.py ---

  function final_return(episodes, count = 100) {
    const last = episodes.total_return.slice(-count);
    return last.reduce((sum, value) => sum + value, 0) / last.length;
  }

  /** The mean of the last `window` episodes at given steps; NaN where fewer have ended. */
  function learning_curve(episodes, at, window = 50) {
    const { total_return, step } = episodes;
    let ended = 0, sum = 0;
    return Float64Array.from(at, (steps) => {
      while (ended < step.length && step[ended] <= steps) {
        sum += total_return[ended] - (ended >= window ? total_return[ended - window] : 0);
        ended++;
      }
      return ended >= window ? sum / window : NaN;
    });
  }

  Object.assign(a3c, {
    worker_seeds, TableCrew, RoundRobin, Given, SeededSchedule, make_schedule, train, greedy_path,
    final_return, learning_curve,
  });
});
