// One turn of one worker on tables, and the loop of turns: the twin of a3c_tut/engine/turn.py.
//
// Same names, same order; what the functions mean stands in Python. Here everything happens in one
// thread, so that counters need no atomic operations and there is no Hogwild. `run` has world,
// settings, shared, statistics, me, scratch and log.
(globalThis.a3cModules ??= []).push(function turn(a3c) {
  "use strict";
  const {
    collect_rollout, compute_n_step_advantages, compute_lambda_advantages, accumulate_gradients,
    gradient_norm, clip_gradients, apply_sgd, apply_rmsprop, STEPS, UPDATES, ROWS_PUSHED, LOG_ROWS,
  } = a3c;

  // Why a loop of turns came back.
  const DONE = 0, NEEDS_UNIFORMS = 1, LOG_FULL = 2, FINISHED = 3, DIVERGED = 4;

  function annealing(settings, steps, own_steps) {
    let factor = 1.0;
    if (settings.anneal_global) factor = 1.0 - steps / settings.total_steps;
    else if (settings.anneal_per_worker)
      factor = 1.0 - (own_steps * settings.num_workers) / settings.total_steps;
    else if (settings.anneal_shares.length > 0) {
      const shares = settings.anneal_shares, factors = settings.anneal_factors;
      const done = Math.min(1.0, steps / settings.total_steps);
      let k = 1;
      while (shares[k] < done) k++; // the last share is 1
      const part = (done - shares[k - 1]) / (shares[k] - shares[k - 1]);
      factor = (1.0 - part) * factors[k - 1] + part * factors[k];
    }
    return Math.max(0.0, factor);
  }

  function add_to(counters, index, value) {
    const old = counters[index];
    counters[index] = old + value;
    return old;
  }

  function numbers_needed(rollout_length, at_start = 1, per_step = 2) {
    return at_start + per_step * rollout_length;
  }

  function owner_of(statistics, index) {
    return statistics.updates.length > 1 ? index : 0;
  }

  function compute_advantages(settings, rollout, length, terminated, V) {
    if (settings.gae_lambda < 1.0)
      compute_lambda_advantages(
        rollout.states, rollout.rewards, length, terminated, V, settings.gamma,
        settings.gae_lambda, rollout.advantages,
      );
    else
      compute_n_step_advantages(
        rollout.states, rollout.rewards, length, terminated, V, settings.gamma, settings.window,
        rollout.advantages,
      );
  }

  function compute_gradient(run, index, length, terminated, V) {
    const { settings, world } = run;
    const { rollout, gradient } = run.scratch;
    const num_actions = world.num_actions;
    compute_advantages(settings, rollout, length, terminated, V);
    const [num_rows, mean_entropy] = accumulate_gradients(
      rollout, num_actions, length, settings.entropy_coef[run.me.worker[index]], gradient,
    );
    const norm = gradient_norm(gradient, num_actions, num_rows);
    clip_gradients(gradient, num_actions, num_rows, norm, settings.max_grad_norm);
    return { num_rows, mean_entropy, grad_norm: norm };
  }

  function prepare(run, index) {
    const { me } = run, rollout = run.scratch.rollout;
    const [length, terminated, truncated, cursor, total_reward] = collect_rollout(
      run.world, me.theta[index], me.state[index], me.episode_steps[index],
      run.settings.rollout_length[me.worker[index]], me.uniforms[index], me.cursor[index], rollout,
    );
    const state = rollout.states[length];
    const walk = { length, terminated, truncated, cursor, total_reward, state };
    if (run.settings.global_critic) return [walk, { num_rows: 0, mean_entropy: 0, grad_norm: 0 }];
    return [walk, compute_gradient(run, index, length, terminated, me.V[index])];
  }

  function push(run, index, walk, formed) {
    const { settings, shared } = run, gradient = run.scratch.gradient;
    const worker = run.me.worker[index], num_rows = formed.num_rows;
    const steps = add_to(shared.counters, STEPS, walk.length);
    const factor = annealing(settings, steps, run.me.own_steps[index]);
    const actor_lr = settings.actor_lr[worker] * factor;
    const critic_lr = settings.critic_lr[worker] * factor;
    const finite = apply_gradient(run, index, num_rows, actor_lr, critic_lr);
    const ring = shared.touched.length - 1; // the size is a power of two
    const pushed = add_to(shared.counters, ROWS_PUSHED, num_rows);
    for (let row = 0; row < num_rows; row++)
      shared.touched[(pushed + row) & ring] = gradient.rows[row];
    const update = add_to(shared.counters, UPDATES, 1);

    const updates = run.log.updates;
    const at = run.log.filled[1] & (LOG_ROWS - 1);
    updates.worker[at] = worker;
    updates.step[at] = steps + walk.length;
    updates.staleness[at] = update - run.me.synced_at[index];
    updates.grad_norm[at] = formed.grad_norm;
    updates.entropy[at] = formed.mean_entropy;
    updates.learning_rate[at] = actor_lr;
    run.log.filled[1]++;
    return finite && formed.grad_norm < Infinity;
  }

  function apply_gradient(run, index, num_rows, actor_lr, critic_lr) {
    const { settings, shared, statistics } = run, gradient = run.scratch.gradient;
    const num_actions = run.world.num_actions;
    if (!settings.rmsprop)
      return apply_sgd(
        shared.theta, shared.V, num_actions, gradient, num_rows, actor_lr, critic_lr,
      );
    const owner = owner_of(statistics, index);
    const now = add_to(statistics.updates, owner, 1) + 1;
    return apply_rmsprop(
      shared.theta, shared.V, num_actions, statistics.square_theta[owner],
      statistics.square_V[owner], statistics.last_update[owner], now, gradient, num_rows, actor_lr,
      critic_lr, settings.rmsprop_decay, settings.rmsprop_epsilon,
    );
  }

  function sync(run, index) {
    const { me } = run;
    me.pushes_since_sync[index]++;
    if (me.pushes_since_sync[index] >= run.settings.sync_every) {
      me.pushes_since_sync[index] = 0;
      refresh(run, index);
    }
  }

  function refresh(run, index) {
    const { me, shared } = run;
    me.synced_at[index] = shared.counters[UPDATES];
    const theta = me.theta[index], V = me.V[index];
    const num_actions = run.world.num_actions;
    const seen = me.rows_seen[index], pushed = shared.counters[ROWS_PUSHED];
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
    me.rows_seen[index] = pushed;
  }

  function finish_turn(run, index, walk) {
    const { me } = run;
    let total_return = me.episode_return[index] + walk.total_reward;
    me.uniforms_used[index] += walk.cursor - me.cursor[index];
    me.cursor[index] = walk.cursor;
    me.own_steps[index] += walk.length;
    me.episode_steps[index] += walk.length;
    me.state[index] = walk.state;
    if (walk.truncated || walk.terminated) {
      const { updates, episodes, filled } = run.log;
      const newest = (filled[1] - 1) & (LOG_ROWS - 1);
      const at = filled[0] & (LOG_ROWS - 1);
      episodes.worker[at] = me.worker[index];
      episodes.total_return[at] = total_return;
      episodes.length[at] = me.episode_steps[index];
      episodes.step[at] = updates.step[newest];
      episodes.truncated[at] = walk.truncated ? 1 : 0;
      filled[0]++;
      me.episode_steps[index] = 0;
      total_return = 0.0;
    }
    me.episode_return[index] = total_return;
  }

  function between(run, index, walk, formed) {
    if (run.settings.global_critic)
      return compute_gradient(run, index, walk.length, walk.terminated, run.shared.V);
    return formed;
  }

  function after(run, index) {
    sync(run, index);
  }

  /** What a turn is made of; a network's turn has others in the places of some. */
  const TABLE_PARTS = { prepare, between, finish_turn };

  function take_turns(run, schedule, first, stop_at, parts = TABLE_PARTS) {
    const { prepare, between, finish_turn } = parts;
    let turn = first;
    while (turn < schedule.length) {
      const index = schedule[turn];
      if (run.shared.counters[STEPS] >= stop_at) return [turn, FINISHED];
      if (run.log.filled[1] - run.log.drained[1] >= LOG_ROWS) return [turn, LOG_FULL];
      const { settings } = run;
      const most = numbers_needed(
        settings.rollout_length[run.me.worker[index]], settings.numbers_at_start,
        settings.numbers_per_step,
      );
      if (run.me.cursor[index] + most > run.me.uniforms[index].length)
        return [turn, NEEDS_UNIFORMS];
      const [walk, first_formed] = prepare(run, index);
      const formed = between(run, index, walk, first_formed);
      const finite = push(run, index, walk, formed);
      after(run, index);
      finish_turn(run, index, walk);
      turn++;
      if (!finite) return [turn, DIVERGED];
    }
    return [turn, DONE];
  }

  Object.assign(a3c, {
    DONE, NEEDS_UNIFORMS, LOG_FULL, FINISHED, DIVERGED, TABLE_PARTS, annealing, compute_advantages,
    compute_gradient, prepare, push, between, after, finish_turn, take_turns,
  });
});
