// A table learner's memory, and one turn of one worker: the twin of a3c_tut/tables.py.
//
// Same names, same order; what the functions mean stands in Python. Here everything happens in one
// thread, so that counters need no atomic operations and there is no Hogwild.
(globalThis.a3cModules ??= []).push(function tables(a3c) {
  "use strict";
  const {
    make_rollout, make_gradient, collect_rollout, compute_n_step_advantages, accumulate_gradients,
    gradient_norm, clip_gradients, apply_sgd, apply_rmsprop,
  } = a3c;

  // Why a loop of turns came back.
  const DONE = 0, NEEDS_UNIFORMS = 1, LOG_FULL = 2, FINISHED = 3, DIVERGED = 4;
  // Shared counters.
  const STEPS = 0, UPDATES = 1, ROWS_PUSHED = 2;
  // A worker's own counters.
  const WORKER = 0, STATE = 1, EPISODE_STEPS = 2, OWN_STEPS = 3;
  const PUSHES_SINCE_SYNC = 4, SYNCED_AT = 5, ROWS_SEEN = 6, CURSOR = 7, UNIFORMS_USED = 8;
  const LOG_ROWS = 16384;

  /** A world as the page's JSON holds it (see a3c_tut/book/live.py), in the form that kernels read. */
  function world_arrays(world, config) {
    return {
      num_states: world.num_states,
      num_actions: world.num_actions,
      num_outcomes: world.num_outcomes,
      next_state: Int32Array.from(world.next_state),
      cumulative: Float64Array.from(world.cumulative),
      reward: Float64Array.from(world.reward),
      terminated: Uint8Array.from(world.terminated),
      start_states: Int32Array.from(world.start_states),
      start_cumulative: Float64Array.from(world.start_cumulative),
      max_episode_steps: config.max_episode_steps ?? world.max_episode_steps,
      reward_scale: config.reward_scale,
    };
  }

  function make_settings(config, total_steps) {
    const per_worker = (value) =>
      Array.isArray(value) ? value : new Array(config.num_workers).fill(value);
    return {
      rollout_length: Int32Array.from(per_worker(config.rollout_length)),
      entropy_coef: Float64Array.from(per_worker(config.entropy_coef)),
      gamma: config.gamma,
      window: config.window ?? 0,
      global_critic: config.critic === "global",
      actor_lr: config.actor_lr,
      critic_lr: config.critic_lr,
      max_grad_norm: config.max_grad_norm ?? Infinity,
      rmsprop: config.optimizer === "rmsprop",
      rmsprop_decay: config.rmsprop_decay,
      rmsprop_epsilon: config.rmsprop_epsilon,
      anneal_global: config.lr_anneal === "global",
      anneal_per_worker: config.lr_anneal === "per_worker",
      sync_every: config.sync_every,
      num_workers: config.num_workers,
      total_steps,
    };
  }

  function make_scratch(settings, world) {
    const n = Math.max(...settings.rollout_length);
    return {
      rollout: make_rollout(n, world.num_actions),
      gradient: make_gradient(n, world.num_states, world.num_actions),
      // What stands between the two halves of a turn.
      turn: {
        length: 0, terminated: false, truncated: false, cursor_after: 0, num_rows: 0,
        total_reward: 0.0, mean_entropy: 0.0, grad_norm: 0.0,
      },
    };
  }

  function make_log() {
    const integers = () => new Int32Array(LOG_ROWS), floats = () => new Float64Array(LOG_ROWS);
    return {
      episodes: {
        worker: integers(), total_return: floats(), length: integers(), step: integers(),
        truncated: new Uint8Array(LOG_ROWS),
      },
      updates: {
        worker: integers(), step: integers(), staleness: integers(), grad_norm: floats(),
        entropy: floats(), learning_rate: floats(),
      },
      filled: [0, 0],
      drained: [0, 0],
    };
  }

  function make_shared(theta, V) {
    return {
      theta: theta.slice(),
      V: V.slice(),
      counters: new Int32Array(3),
      touched: new Int32Array(ring_size(V.length)),
    };
  }

  function ring_size(num_states) {
    return Math.max(64, 2 ** Math.ceil(Math.log2(num_states)));
  }

  function make_statistics(owners, num_states, num_actions) {
    const each = (make) => Array.from({ length: owners }, make);
    return {
      square_theta: each(() => new Float64Array(num_states * num_actions)),
      square_V: each(() => new Float64Array(num_states)),
      last_update: each(() => new Int32Array(num_states)),
      updates: new Int32Array(owners),
    };
  }

  function make_local(workers, theta, V, num_uniforms) {
    const local = {
      theta: workers.map(() => theta.slice()),
      V: workers.map(() => V.slice()),
      counters: workers.map(() => new Int32Array(9)),
      episode_return: new Float64Array(workers.length),
      uniforms: workers.map(() => new Float64Array(num_uniforms)),
    };
    workers.forEach((worker, index) => {
      local.counters[index][WORKER] = worker;
      local.counters[index][CURSOR] = num_uniforms; // nothing drawn yet: refill first
    });
    return local;
  }

  function annealing(settings, steps, own_steps) {
    let factor = 1.0;
    if (settings.anneal_global) factor = 1.0 - steps / settings.total_steps;
    else if (settings.anneal_per_worker)
      factor = 1.0 - (own_steps * settings.num_workers) / settings.total_steps;
    return Math.max(0.0, factor);
  }

  function claim(settings, counters, index, value) {
    const old = counters[index];
    counters[index] = old + value;
    return old;
  }

  function prepare(world, settings, me, index, scratch) {
    const counters = me.counters[index], turn = scratch.turn;
    const worker = counters[WORKER];
    [turn.length, turn.terminated, turn.truncated, turn.cursor_after, turn.total_reward] =
      collect_rollout(
        world, me.theta[index], counters[STATE], counters[EPISODE_STEPS],
        settings.rollout_length[worker], me.uniforms[index], counters[CURSOR], scratch.rollout,
      );
    if (!settings.global_critic) evaluate(world, settings, worker, me.V[index], scratch);
  }

  function evaluate(world, settings, worker, V, scratch) {
    const { rollout, gradient, turn } = scratch;
    const num_actions = world.num_actions;
    compute_n_step_advantages(
      rollout.states, rollout.rewards, turn.length, turn.terminated, V, settings.gamma,
      settings.window, rollout.advantages,
    );
    [turn.num_rows, turn.mean_entropy] = accumulate_gradients(
      rollout, num_actions, turn.length, settings.entropy_coef[worker], gradient,
    );
    turn.grad_norm = gradient_norm(gradient, num_actions, turn.num_rows);
    clip_gradients(gradient, num_actions, turn.num_rows, turn.grad_norm, settings.max_grad_norm);
  }

  function push(world, settings, shared, statistics, me, index, scratch, log) {
    const counters = me.counters[index], gradient = scratch.gradient;
    const { length, num_rows } = scratch.turn;
    const num_actions = world.num_actions;
    const steps = claim(settings, shared.counters, STEPS, length);
    const factor = annealing(settings, steps, counters[OWN_STEPS]);
    const actor_lr = settings.actor_lr * factor, critic_lr = settings.critic_lr * factor;
    let finite;
    if (settings.rmsprop) {
      const owner = statistics.updates.length > 1 ? index : 0;
      const now = claim(settings, statistics.updates, owner, 1) + 1;
      finite = apply_rmsprop(
        shared.theta, shared.V, num_actions, statistics.square_theta[owner],
        statistics.square_V[owner], statistics.last_update[owner], now, gradient, num_rows,
        actor_lr, critic_lr, settings.rmsprop_decay, settings.rmsprop_epsilon,
      );
    } else {
      finite = apply_sgd(
        shared.theta, shared.V, num_actions, gradient, num_rows, actor_lr, critic_lr,
      );
    }
    const ring = shared.touched.length - 1; // the size is a power of two
    const pushed = claim(settings, shared.counters, ROWS_PUSHED, num_rows);
    for (let row = 0; row < num_rows; row++)
      shared.touched[(pushed + row) & ring] = gradient.rows[row];
    const update = claim(settings, shared.counters, UPDATES, 1);

    const at = log.filled[1] & (LOG_ROWS - 1);
    log.updates.worker[at] = counters[WORKER];
    log.updates.step[at] = steps + length;
    log.updates.staleness[at] = update - counters[SYNCED_AT];
    log.updates.grad_norm[at] = scratch.turn.grad_norm;
    log.updates.entropy[at] = scratch.turn.mean_entropy;
    log.updates.learning_rate[at] = actor_lr;
    log.filled[1]++;
    return finite && scratch.turn.grad_norm < Infinity;
  }

  function sync(world, settings, shared, me, index) {
    const counters = me.counters[index];
    counters[PUSHES_SINCE_SYNC]++;
    if (counters[PUSHES_SINCE_SYNC] < settings.sync_every) return;
    counters[PUSHES_SINCE_SYNC] = 0;
    counters[SYNCED_AT] = shared.counters[UPDATES];
    const theta = me.theta[index], V = me.V[index];
    const num_actions = world.num_actions;
    const seen = counters[ROWS_SEEN], pushed = shared.counters[ROWS_PUSHED];
    if (pushed - seen > shared.touched.length) {
      theta.set(shared.theta);
      V.set(shared.V);
    } else {
      const ring = shared.touched.length - 1;
      for (let i = seen; i < pushed; i++) {
        const state = shared.touched[i & ring];
        V[state] = shared.V[state];
        for (let b = 0; b < num_actions; b++)
          theta[state * num_actions + b] = shared.theta[state * num_actions + b];
      }
    }
    counters[ROWS_SEEN] = pushed;
  }

  function walk_on(shared, me, index, scratch, log) {
    const counters = me.counters[index], turn = scratch.turn;
    const { length, terminated, truncated } = turn;
    let total_return = me.episode_return[index] + turn.total_reward;
    counters[UNIFORMS_USED] += turn.cursor_after - counters[CURSOR];
    counters[CURSOR] = turn.cursor_after;
    counters[OWN_STEPS] += length;
    counters[EPISODE_STEPS] += length;
    counters[STATE] = scratch.rollout.states[length];
    if (terminated || truncated) {
      const newest = (log.filled[1] - 1) & (LOG_ROWS - 1);
      const at = log.filled[0] & (LOG_ROWS - 1);
      log.episodes.worker[at] = counters[WORKER];
      log.episodes.total_return[at] = total_return;
      log.episodes.length[at] = counters[EPISODE_STEPS];
      log.episodes.step[at] = log.updates.step[newest];
      log.episodes.truncated[at] = truncated ? 1 : 0;
      log.filled[0]++;
      counters[EPISODE_STEPS] = 0;
      total_return = 0.0;
    }
    me.episode_return[index] = total_return;
  }

  function take_turns(
    world, settings, shared, statistics, me, scratch, log, schedule, first, stop_at,
  ) {
    let turn = first, why = DONE;
    while (turn < schedule.length) {
      const index = schedule[turn];
      if (shared.counters[STEPS] >= stop_at) {
        why = FINISHED;
        break;
      }
      if (log.filled[1] - log.drained[1] >= LOG_ROWS) {
        why = LOG_FULL;
        break;
      }
      const most = 1 + 2 * settings.rollout_length[index];
      if (me.counters[index][CURSOR] + most > me.uniforms[index].length) {
        why = NEEDS_UNIFORMS;
        break;
      }
      prepare(world, settings, me, index, scratch);
      if (settings.global_critic) evaluate(world, settings, index, shared.V, scratch);
      const finite = push(world, settings, shared, statistics, me, index, scratch, log);
      sync(world, settings, shared, me, index);
      walk_on(shared, me, index, scratch, log);
      turn++;
      if (!finite) {
        why = DIVERGED;
        break;
      }
    }
    return [turn, why];
  }

  /** The rows logged since the last call, a plain object of columns each. */
  function drain(log) {
    const rows = [log.episodes, log.updates].map((columns, kind) => {
      const from = log.drained[kind], count = log.filled[kind] - from;
      const taken = {};
      for (const name in columns) {
        const column = (taken[name] = new columns[name].constructor(count));
        for (let i = 0; i < count; i++) column[i] = columns[name][(from + i) & (LOG_ROWS - 1)];
      }
      return taken;
    });
    log.drained = log.filled.slice();
    return rows;
  }

  Object.assign(a3c, {
    DONE, NEEDS_UNIFORMS, LOG_FULL, FINISHED, DIVERGED, STEPS, UPDATES, CURSOR, UNIFORMS_USED,
    SYNCED_AT, world_arrays, make_settings, make_scratch, make_log, make_shared, make_statistics,
    make_local, annealing, prepare, evaluate, push, sync, walk_on, take_turns, drain,
  });
});
