// The memory of a run on tables: the twin of a3c_tut/engine/buffers.py.
//
// Same names, same order; what the functions mean stands in Python. A table is one flat array.
(globalThis.a3cModules ??= []).push(function buffers(a3c) {
  "use strict";
  const { make_rollout, make_gradient } = a3c;

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

  function make_settings(config, total_steps, numbers_at_start = 1, numbers_per_step = 2) {
    const per_worker = (value) =>
      Array.isArray(value) ? value : new Array(config.num_workers).fill(value);
    const points = Array.isArray(config.lr_anneal) ? config.lr_anneal : [];
    return {
      rollout_length: Int32Array.from(per_worker(config.rollout_length)),
      entropy_coef: Float64Array.from(per_worker(config.entropy_coef)),
      gamma: config.gamma,
      gae_lambda: config.gae_lambda ?? 1.0, // runs recorded before there was one have none
      window: config.window ?? 0,
      global_critic: config.critic === "global",
      actor_lr: Float64Array.from(per_worker(config.actor_lr)),
      critic_lr: Float64Array.from(per_worker(config.critic_lr)),
      max_grad_norm: config.max_grad_norm ?? Infinity,
      rmsprop: config.optimizer === "rmsprop",
      rmsprop_decay: config.rmsprop_decay,
      rmsprop_epsilon: config.rmsprop_epsilon,
      anneal_global: config.lr_anneal === "global",
      anneal_per_worker: config.lr_anneal === "per_worker",
      anneal_shares: Float64Array.from(points, ([share]) => share),
      anneal_factors: Float64Array.from(points, ([, factor]) => factor),
      sync_every: config.sync_every,
      num_workers: config.num_workers,
      total_steps,
      numbers_at_start,
      numbers_per_step,
    };
  }

  function make_scratch(settings, world) {
    const n = Math.max(...settings.rollout_length);
    return {
      rollout: make_rollout(n, world.num_actions),
      gradient: make_gradient(n, world.num_states, world.num_actions),
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

  function make_local(workers, theta, V, num_uniforms, walker_size = 0) {
    const counters = () => new Int32Array(workers.length);
    return {
      theta: workers.map(() => theta.slice()),
      V: workers.map(() => V.slice()),
      worker: Int32Array.from(workers),
      state: counters(),
      episode_steps: counters(),
      own_steps: counters(),
      pushes_since_sync: counters(),
      synced_at: counters(),
      rows_seen: counters(),
      cursor: counters().fill(num_uniforms), // nothing drawn yet: refill first
      uniforms_used: counters(),
      episode_return: new Float64Array(workers.length),
      uniforms: workers.map(() => new Float64Array(num_uniforms)),
      walker: workers.map(() => new Float64Array(walker_size)),
    };
  }

  const STEPS = 0, UPDATES = 1, ROWS_PUSHED = 2;

  Object.assign(a3c, {
    STEPS, UPDATES, ROWS_PUSHED, world_arrays, make_settings, make_scratch, make_shared,
    make_statistics, make_local,
  });
});
