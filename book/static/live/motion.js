// How worlds that are no tables move: the twin of a3c_tut/engine/motion.py.
//
// Same names, same order, same arithmetic in the same order; what the functions mean stands in
// Python.
(globalThis.a3cModules ??= []).push(function motion(a3c) {
  "use strict";
  const { sin, cos, choose_start, step, world_arrays } = a3c;
  const TABLE = 0, CART_POLE = 1, PENDULUM = 2;
  const GRAVITY = 9.8, CART = 1.0, POLE = 0.1, HALF_LENGTH = 0.5, PUSH = 10.0, TICK = 0.02;
  const FARTHEST = 2.4, LARGEST_ANGLE = (12.0 * 2.0 * Math.PI) / 360.0;
  const TICK_PENDULUM = 0.05, FASTEST = 8.0;

  /** Of a task of the page's JSON. Its parameters stand in a table of one row. */
  function control_arrays(task, config) {
    const { world } = task;
    const channels = world.image_shape.length ? world.image_shape[2] : 1;
    const backdrop = new Float64Array(world.observation_size);
    if (channels === 3)
      for (const [state, mark] of Object.entries(world.table.marks)) {
        if (mark === "C") backdrop[3 * state + 1] = 1.0;
        if (mark === "G") backdrop[3 * state + 2] = 1.0;
      }
    return {
      motion: world.motion,
      continuous: world.continuous,
      action_range: world.action_range,
      max_episode_steps: config.max_episode_steps ?? world.max_episode_steps,
      reward_scale: config.reward_scale,
      table: world.motion === TABLE ? world_arrays(world.table, config) : null,
      backdrop, channels,
      num_states: 1,
      num_actions: a3c.layout(task.model, world).num_parameters,
    };
  }

  function reset(world, walker, uniforms, cursor) {
    if (world.motion === CART_POLE) {
      for (let i = 0; i < 4; i++) walker[i] = 0.1 * uniforms[cursor + i] - 0.05;
      return cursor + 4;
    }
    if (world.motion === PENDULUM) {
      walker[0] = Math.PI * (2.0 * uniforms[cursor] - 1.0);
      walker[1] = 2.0 * uniforms[cursor + 1] - 1.0;
      return cursor + 2;
    }
    let uniform = 0.0;
    if (world.table.start_states.length > 1) uniform = uniforms[cursor++];
    walker[0] = choose_start(world.table, uniform);
    return cursor;
  }

  function observe(world, walker, observation) {
    if (world.motion === CART_POLE) {
      for (let i = 0; i < 4; i++) observation[i] = walker[i];
    } else if (world.motion === PENDULUM) {
      observation[0] = cos(walker[0]);
      observation[1] = sin(walker[0]);
      observation[2] = walker[1] / FASTEST;
    } else {
      observation.set(world.backdrop);
      observation[walker[0] * world.channels] = 1.0;
    }
  }

  /** Returns the reward and whether the episode has ended. */
  function move(world, walker, choice, force, uniform) {
    if (world.motion === CART_POLE) return move_cart(walker, choice);
    if (world.motion === PENDULUM) return [move_pendulum(walker, force[0]), false];
    const { table } = world, outcome = step(table, walker[0], choice, uniform);
    walker[0] = table.next_state[outcome];
    return [table.reward[outcome], table.terminated[outcome] !== 0];
  }

  function move_cart(walker, choice) {
    const total = CART + POLE;
    const push = choice === 1 ? PUSH : -PUSH;
    const angle = walker[2], spin = walker[3];
    const cosine = cos(angle), sine = sin(angle);
    const forced = (push + POLE * HALF_LENGTH * (spin * spin) * sine) / total;
    const angular = (GRAVITY * sine - cosine * forced) /
      (HALF_LENGTH * (4.0 / 3.0 - (POLE * (cosine * cosine)) / total));
    const linear = forced - (POLE * HALF_LENGTH * angular * cosine) / total;
    walker[0] += TICK * walker[1];
    walker[1] += TICK * linear;
    walker[2] += TICK * spin;
    walker[3] += TICK * angular;
    return [1.0, Math.abs(walker[0]) > FARTHEST || Math.abs(walker[2]) > LARGEST_ANGLE];
  }

  function move_pendulum(walker, torque) {
    const angle = walker[0];
    let speed = walker[1];
    const turns = Math.floor((angle + Math.PI) / (2.0 * Math.PI));
    const leaning = angle - turns * (2.0 * Math.PI);
    const cost = leaning * leaning + 0.1 * (speed * speed) + 0.001 * (torque * torque);
    speed += (15.0 * sin(angle) + 3.0 * torque) * TICK_PENDULUM;
    speed = Math.min(Math.max(speed, -FASTEST), FASTEST);
    walker[0] = angle + speed * TICK_PENDULUM;
    walker[1] = speed;
    return -cost;
  }

  function numbers_for(world) {
    const starts = { [CART_POLE]: 4, [PENDULUM]: 2 }[world.motion] ?? 1;
    return [starts, world.continuous ? 2 * world.action_size : 2];
  }

  Object.assign(a3c, {
    TABLE, CART_POLE, PENDULUM, TICK, TICK_PENDULUM, FARTHEST, control_arrays, reset, observe, move,
    move_cart, move_pendulum, numbers_for,
  });
});
