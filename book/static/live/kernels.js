// The algorithm, one function per equation: the twin of a3c_tut/engine/kernels.py.
//
// Same names, same order, same arithmetic in the same order; what the functions mean stands in
// Python. A table is one flat array: theta[state * num_actions + a] is Python's theta[state, a].
// tests/book/test_live.py compares whole runs.
(globalThis.a3cModules ??= []).push(function kernels(a3c) {
  "use strict";
  const { exp, log } = a3c;

  function make_rollout(n, num_actions) {
    return {
      states: new Int32Array(n + 1),
      actions: new Int32Array(n),
      rewards: new Float64Array(n),
      policies: new Float64Array(n * num_actions),
      log_policies: new Float64Array(n * num_actions),
      advantages: new Float64Array(n),
    };
  }

  function make_gradient(n, num_states, num_actions) {
    return {
      rows: new Int32Array(n),
      theta: new Float64Array(n * num_actions),
      V: new Float64Array(n),
      place: new Int32Array(num_states).fill(-1),
    };
  }

  function softmax(theta, num_actions, state, policies, log_policies, t) {
    const from = state * num_actions, to = t * num_actions;
    let largest = theta[from];
    for (let a = 1; a < num_actions; a++) if (theta[from + a] > largest) largest = theta[from + a];
    let total = 0.0;
    for (let a = 0; a < num_actions; a++) {
      const weight = exp(theta[from + a] - largest);
      policies[to + a] = weight;
      total += weight;
    }
    const log_total = log(total);
    for (let a = 0; a < num_actions; a++) {
      policies[to + a] /= total;
      log_policies[to + a] = theta[from + a] - largest - log_total;
    }
  }

  function entropy(policies, log_policies, num_actions, t) {
    const at = t * num_actions;
    let total = 0.0;
    for (let a = 0; a < num_actions; a++)
      if (policies[at + a] > 0.0) total -= policies[at + a] * log_policies[at + a];
    return total;
  }

  function choose(policies, num_actions, t, uniform) {
    const at = t * num_actions;
    let cumulative = 0.0, action = 0;
    for (let a = 0; a < num_actions; a++)
      if (policies[at + a] > 0.0) {
        action = a;
        cumulative += policies[at + a];
        if (uniform < cumulative) break;
      }
    return action;
  }

  function choose_start(world, uniform) {
    let m = 0;
    while (m < world.start_states.length - 1 && uniform >= world.start_cumulative[m]) m++;
    return world.start_states[m];
  }

  /** Returns where the outcome stands in next_state, reward and terminated. */
  function step(world, state, action, uniform) {
    const at = (state * world.num_actions + action) * world.num_outcomes;
    let k = 0;
    while (k < world.num_outcomes - 1 && uniform >= world.cumulative[at + k]) k++;
    return at + k;
  }

  function collect_rollout(
    world, theta, state, episode_steps, rollout_length, uniforms, cursor, rollout,
  ) {
    const num_actions = world.num_actions;
    if (episode_steps === 0) {
      let uniform = 0.0;
      if (world.start_states.length > 1) uniform = uniforms[cursor++];
      state = choose_start(world, uniform);
    }
    rollout.states[0] = state;
    let length = 0, total_reward = 0.0, terminated = false, truncated = false;
    while (length < rollout_length && !(terminated || truncated)) {
      softmax(theta, num_actions, state, rollout.policies, rollout.log_policies, length);
      const action = choose(rollout.policies, num_actions, length, uniforms[cursor++]);
      let uniform = 0.0;
      if (world.num_outcomes > 1) uniform = uniforms[cursor++];
      const outcome = step(world, state, action, uniform);
      state = world.next_state[outcome];
      const reward = world.reward[outcome];
      terminated = world.terminated[outcome] !== 0;
      rollout.actions[length] = action;
      rollout.rewards[length] = reward * world.reward_scale;
      total_reward += reward;
      length++;
      rollout.states[length] = state;
      truncated = !terminated && episode_steps + length >= world.max_episode_steps;
    }
    return [length, terminated, truncated, cursor, total_reward];
  }

  function compute_n_step_advantages(
    states, rewards, length, terminated, V, gamma, window, advantages,
  ) {
    const bootstrap = terminated ? 0.0 : V[states[length]];
    if (window === 0) {
      let n_step_return = bootstrap;
      for (let t = length - 1; t >= 0; t--) {
        n_step_return = rewards[t] + gamma * n_step_return;
        advantages[t] = n_step_return - V[states[t]];
      }
    } else {
      for (let t = 0; t < length; t++) {
        const last = Math.min(t + window, length);
        let n_step_return = last === length ? bootstrap : V[states[last]];
        for (let k = last - 1; k >= t; k--) n_step_return = rewards[k] + gamma * n_step_return;
        advantages[t] = n_step_return - V[states[t]];
      }
    }
  }

  function compute_lambda_advantages(
    states, rewards, length, terminated, V, gamma, gae_lambda, advantages,
  ) {
    let advantage = 0.0;
    let following = terminated ? 0.0 : V[states[length]];
    for (let t = length - 1; t >= 0; t--) {
      const value = V[states[t]];
      const surprise = rewards[t] + gamma * following - value;
      advantage = surprise + gamma * gae_lambda * advantage;
      advantages[t] = advantage;
      following = value;
    }
  }

  function accumulate_gradients(rollout, num_actions, length, entropy_coef, gradient) {
    let num_rows = 0, total_entropy = 0.0;
    for (let t = 0; t < length; t++) {
      const state = rollout.states[t];
      let row = gradient.place[state];
      if (row < 0) {
        row = num_rows++;
        gradient.place[state] = row;
        gradient.rows[row] = state;
        gradient.V[row] = 0.0;
        for (let b = 0; b < num_actions; b++) gradient.theta[row * num_actions + b] = 0.0;
      }
      const advantage = rollout.advantages[t];
      const h = entropy(rollout.policies, rollout.log_policies, num_actions, t);
      total_entropy += h;
      for (let b = 0; b < num_actions; b++) {
        const p = rollout.policies[t * num_actions + b];
        if (p > 0.0)
          gradient.theta[row * num_actions + b] -=
            p * advantage + entropy_coef * (p * (rollout.log_policies[t * num_actions + b] + h));
      }
      gradient.theta[row * num_actions + rollout.actions[t]] += advantage;
      gradient.V[row] += advantage;
    }
    for (let row = 0; row < num_rows; row++) gradient.place[gradient.rows[row]] = -1;
    return [num_rows, total_entropy / length];
  }

  function gradient_norm(gradient, num_actions, num_rows) {
    let total = 0.0;
    for (let row = 0; row < num_rows; row++) {
      total += gradient.V[row] * gradient.V[row];
      for (let b = 0; b < num_actions; b++) {
        const g = gradient.theta[row * num_actions + b];
        total += g * g;
      }
    }
    return Math.sqrt(total);
  }

  function clip_gradients(gradient, num_actions, num_rows, norm, max_grad_norm) {
    if (norm > max_grad_norm) {
      const scale = max_grad_norm / norm;
      for (let row = 0; row < num_rows; row++) {
        gradient.V[row] *= scale;
        for (let b = 0; b < num_actions; b++) gradient.theta[row * num_actions + b] *= scale;
      }
    }
  }

  function is_finite(theta, V, num_actions, state) {
    let total = V[state];
    for (let b = 0; b < num_actions; b++) total += theta[state * num_actions + b];
    return Math.abs(total) < Infinity;
  }

  function apply_sgd(theta, V, num_actions, gradient, num_rows, actor_lr, critic_lr) {
    let finite = true;
    for (let row = 0; row < num_rows; row++) {
      const state = gradient.rows[row];
      for (let b = 0; b < num_actions; b++)
        theta[state * num_actions + b] += actor_lr * gradient.theta[row * num_actions + b];
      V[state] += critic_lr * gradient.V[row];
      finite = finite && is_finite(theta, V, num_actions, state);
    }
    return finite;
  }

  function decay_power(decay, count) {
    let power = 1.0;
    while (count > 0) {
      if (count & 1) power *= decay;
      decay *= decay;
      count >>= 1;
    }
    return power;
  }

  function apply_rmsprop(
    theta, V, num_actions, square_theta, square_V, last_update, now, gradient, num_rows,
    actor_lr, critic_lr, decay, epsilon,
  ) {
    let finite = true;
    for (let row = 0; row < num_rows; row++) {
      const state = gradient.rows[row];
      const kept = decay * decay_power(decay, now - 1 - last_update[state]);
      last_update[state] = now;
      for (let b = 0; b < num_actions; b++) {
        const at = state * num_actions + b;
        const g = gradient.theta[row * num_actions + b];
        const s = kept * square_theta[at] + (1.0 - decay) * g * g;
        square_theta[at] = s;
        theta[at] += (actor_lr * g) / Math.sqrt(s + epsilon);
      }
      const g = gradient.V[row];
      const s = kept * square_V[state] + (1.0 - decay) * g * g;
      square_V[state] = s;
      V[state] += (critic_lr * g) / Math.sqrt(s + epsilon);
      finite = finite && is_finite(theta, V, num_actions, state);
    }
    return finite;
  }

  Object.assign(a3c, {
    make_rollout, make_gradient, softmax, entropy, choose, choose_start, step, collect_rollout,
    compute_n_step_advantages, compute_lambda_advantages, accumulate_gradients, gradient_norm,
    clip_gradients, is_finite, apply_sgd, decay_power, apply_rmsprop,
  });
});
