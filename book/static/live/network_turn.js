// One turn of one worker with a network: the twin of a3c_tut/engine/network_turn.py.
//
// Same names, same order; what the functions mean stands in Python. Push, sync, log and the loop of
// turns are the tables'.
(globalThis.a3cModules ??= []).push(function network_turn(a3c) {
  "use strict";
  const {
    make_gradient, gradient_norm, clip_gradients, compute_advantages, make_network_rollout,
    make_backward, reset, observe, move, forward, act, accumulate_network_gradient,
  } = a3c;

  function make_network_scratch(settings, task) {
    const where = a3c.layout(task.model, task.world);
    return {
      rollout: make_network_rollout(Math.max(...settings.rollout_length), where),
      gradient: make_gradient(1, 1, where.num_parameters),
      where,
      room: make_backward(where),
      walker: new Float64Array(task.world.walker_size),
    };
  }

  function collect_network_rollout(run, index) {
    const { world, me, scratch } = run, { rollout, where, walker } = scratch;
    const parameters = me.theta[index], uniforms = me.uniforms[index];
    const rollout_length = run.settings.rollout_length[me.worker[index]];
    let cursor = me.cursor[index];
    walker.set(me.walker[index]);
    if (me.episode_steps[index] === 0) cursor = reset(world, walker, uniforms, cursor);
    observe(world, walker, rollout.observations[0]);
    forward(parameters, where, rollout, 0);
    let length = 0, total_reward = 0.0, terminated = false, truncated = false;
    while (length < rollout_length && !(terminated || truncated)) {
      cursor = act(
        parameters, where, world.continuous, world.action_range, rollout, length, uniforms, cursor,
      );
      let uniform = 0.0;
      if (world.table !== null && world.table.num_outcomes > 1) uniform = uniforms[cursor++];
      const [reward, ended] = move(world, walker, rollout.actions[length], rollout.force, uniform);
      terminated = ended;
      rollout.rewards[length] = reward * world.reward_scale;
      total_reward += reward;
      length++;
      observe(world, walker, rollout.observations[length]);
      forward(parameters, where, rollout, length);
      const out_of_time = me.episode_steps[index] + length >= world.max_episode_steps;
      truncated = out_of_time && !terminated;
    }
    return { length, terminated, truncated, cursor, total_reward, state: 0 };
  }

  function form_gradient(run, index, walk) {
    const { settings, scratch } = run, worker = run.me.worker[index];
    const { rollout, gradient } = scratch, P = run.world.num_actions;
    compute_advantages(settings, rollout, walk.length, walk.terminated, rollout.values);
    const mean_entropy = accumulate_network_gradient(
      run.me.theta[index], scratch.where, run.world.continuous, rollout, walk.length,
      settings.entropy_coef[worker], settings.critic_lr[worker] / settings.actor_lr[worker],
      scratch.room, gradient.theta,
    );
    const norm = gradient_norm(gradient, P, 1);
    clip_gradients(gradient, P, 1, norm, settings.max_grad_norm);
    return { num_rows: 1, mean_entropy, grad_norm: norm };
  }

  function prepare(run, index) {
    const walk = collect_network_rollout(run, index);
    return [walk, form_gradient(run, index, walk)];
  }

  function between(run, index, walk, formed) {
    return formed;
  }

  function finish_turn(run, index, walk) {
    run.me.walker[index].set(run.scratch.walker);
    a3c.finish_turn(run, index, walk);
  }

  const NETWORK_PARTS = { prepare, between, finish_turn };

  Object.assign(a3c, { NETWORK_PARTS, make_network_scratch });
});
