// A network's equations, one function each: the twin of a3c_tut/engine/network.py.
//
// Same names, same order, same additions in the same order; what the functions mean stands in
// Python. Observations, and what hidden neurons say, are an array per step; outputs and policies are
// one flat array, row by row.
(globalThis.a3cModules ??= []).push(function network(a3c) {
  "use strict";
  const { exp, log, tanh, cos, softmax, entropy, choose } = a3c;
  const HALF_LOG_2PI = 0.9189385332046727;

  function make_network_rollout(n, where) {
    const A = where.num_outputs, rows = (count, size) =>
      Array.from({ length: count }, () => new Float64Array(size));
    return {
      states: Int32Array.from({ length: n + 1 }, (_, t) => t),
      observations: rows(n + 1, where.sizes[0]),
      hidden: where.hidden_at.map(() => rows(n + 1, where.num_hidden)),
      outputs: new Float64Array(n * A),
      policies: new Float64Array(n * A),
      log_policies: new Float64Array(n * A),
      actions: new Int32Array(n),
      noise: new Float64Array(n * A),
      force: new Float64Array(A),
      rewards: new Float64Array(n),
      values: new Float64Array(n + 1),
      advantages: new Float64Array(n),
    };
  }

  // Four outputs at once stay at hand; each still adds its inputs in order.
  function dense(parameters, at, x, x_at, m, y, y_at, n) {
    const biases = at + m * n;
    let j = 0;
    for (; j + 3 < n; j += 4) {
      let y0 = parameters[biases + j], y1 = parameters[biases + j + 1];
      let y2 = parameters[biases + j + 2], y3 = parameters[biases + j + 3];
      for (let i = 0, from = at + j; i < m; i++, from += n) {
        const x_i = x[x_at + i];
        y0 += x_i * parameters[from];
        y1 += x_i * parameters[from + 1];
        y2 += x_i * parameters[from + 2];
        y3 += x_i * parameters[from + 3];
      }
      y[y_at + j] = y0;
      y[y_at + j + 1] = y1;
      y[y_at + j + 2] = y2;
      y[y_at + j + 3] = y3;
    }
    for (; j < n; j++) {
      let sum = parameters[biases + j];
      for (let i = 0; i < m; i++) sum += x[x_at + i] * parameters[at + i * n + j];
      y[y_at + j] = sum;
    }
  }

  function dense_gradient(gradient, at, x, x_at, m, delta, n) {
    for (let i = 0; i < m; i++) {
      const x_i = x[x_at + i], row = at + i * n;
      for (let j = 0; j < n; j++) gradient[row + j] += x_i * delta[j];
    }
    for (let j = 0; j < n; j++) gradient[at + m * n + j] += delta[j];
  }

  function dense_backward(turned, at, m, n, delta, below) {
    let i = 0;
    for (; i + 3 < m; i += 4) {
      let b0 = 0.0, b1 = 0.0, b2 = 0.0, b3 = 0.0;
      for (let j = 0, from = at + i; j < n; j++, from += m) {
        const delta_j = delta[j];
        b0 += turned[from] * delta_j;
        b1 += turned[from + 1] * delta_j;
        b2 += turned[from + 2] * delta_j;
        b3 += turned[from + 3] * delta_j;
      }
      below[i] = b0;
      below[i + 1] = b1;
      below[i + 2] = b2;
      below[i + 3] = b3;
    }
    for (; i < m; i++) {
      let sum = 0.0;
      for (let j = 0; j < n; j++) sum += turned[at + j * m + i] * delta[j];
      below[i] = sum;
    }
  }

  function convolve(parameters, at, x, image, y, n) {
    const [rows, columns, channels] = image, biases = at + 9 * channels * n;
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const here = (r * columns + c) * n;
        for (let f = 0; f < n; f++) y[here + f] = parameters[biases + f];
        for (let i = 0; i < 3; i++)
          for (let j = 0; j < 3; j++) {
            const row = r + i - 1, column = c + j - 1;
            if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
            for (let k = 0; k < channels; k++) {
              const x_k = x[(row * columns + column) * channels + k];
              const w = at + ((3 * i + j) * channels + k) * n;
              for (let f = 0; f < n; f++) y[here + f] += x_k * parameters[w + f];
            }
          }
      }
  }

  function convolve_gradient(gradient, at, x, image, delta, n) {
    const [rows, columns, channels] = image, biases = at + 9 * channels * n;
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const here = (r * columns + c) * n;
        for (let i = 0; i < 3; i++)
          for (let j = 0; j < 3; j++) {
            const row = r + i - 1, column = c + j - 1;
            if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
            for (let k = 0; k < channels; k++) {
              const x_k = x[(row * columns + column) * channels + k];
              const w = at + ((3 * i + j) * channels + k) * n;
              for (let f = 0; f < n; f++) gradient[w + f] += x_k * delta[here + f];
            }
          }
        for (let f = 0; f < n; f++) gradient[biases + f] += delta[here + f];
      }
  }

  function turn_weights(parameters, where, turned) {
    for (const places of where.hidden_at)
      for (let layer = 1; layer < places.length; layer++) {
        const m = where.sizes[layer], n = where.sizes[layer + 1], at = places[layer];
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) turned[at + j * m + i] = parameters[at + i * n + j];
      }
  }

  function hidden_layers(parameters, where, tower, observation, hidden) {
    const places = where.hidden_at[tower];
    let begin = 0;
    for (let layer = 0; layer < places.length; layer++) {
      const m = where.sizes[layer], n = where.sizes[layer + 1], at = places[layer];
      if (layer === 0 && where.filters > 0)
        convolve(parameters, at, observation, where.image, hidden, where.filters);
      else if (layer === 0) dense(parameters, at, observation, 0, m, hidden, 0, n);
      else {
        dense(parameters, at, hidden, begin, m, hidden, begin + m, n);
        begin += m;
      }
      for (let j = 0; j < n; j++) hidden[begin + j] = tanh(hidden[begin + j]);
    }
  }

  /** What the last layers of a tower read, the place where it begins and how much it is. */
  const last_of = (where, rollout, tower, t) => {
    const width = where.sizes[where.sizes.length - 1];
    if (where.hidden_at[0].length === 0) return [rollout.observations[t], 0, width];
    const last = rollout.hidden[tower][t];
    return [last, last.length - width, width];
  };

  function forward(parameters, where, rollout, t) {
    const towers = where.hidden_at.length;
    for (let tower = 0; tower < towers; tower++)
      hidden_layers(parameters, where, tower, rollout.observations[t], rollout.hidden[tower][t]);
    const [last, begin, width] = last_of(where, rollout, towers - 1, t);
    dense(parameters, where.value_at, last, begin, width, rollout.values, t, 1);
  }

  function act(parameters, where, continuous, action_range, rollout, t, uniforms, cursor) {
    const n = where.num_outputs, row = t * n;
    const [last, begin, width] = last_of(where, rollout, 0, t);
    dense(parameters, where.policy_at, last, begin, width, rollout.outputs, row, n);
    return draw(
      continuous, action_range, parameters, where.log_sigma_at, rollout, n, t, uniforms, cursor);
  }

  function draw(continuous, action_range, log_sigma, at, rollout, n, t, uniforms, cursor) {
    const row = t * n;
    if (!continuous) {
      softmax(rollout.outputs, n, t, rollout.policies, rollout.log_policies, t);
      rollout.actions[t] = choose(rollout.policies, n, t, uniforms[cursor]);
      return cursor + 1;
    }
    for (let a = 0; a < n; a++) {
      const z = gaussian(uniforms[cursor], uniforms[cursor + 1]);
      cursor += 2;
      rollout.noise[row + a] = z;
      const sampled = rollout.outputs[row + a] + sigma(log_sigma[at + a]) * z;
      rollout.force[a] = Math.min(Math.max(sampled, -action_range), action_range);
    }
    return cursor;
  }

  function gaussian(u, v) {
    return Math.sqrt(2.0 * log(1.0 / (1.0 - u))) * cos(2.0 * Math.PI * v);
  }

  function sigma(log_sigma) {
    return log_sigma <= 0.0 ? exp(log_sigma) : 1.0 / exp(-log_sigma);
  }

  function gaussian_entropy(log_sigma) {
    return log_sigma + 0.5 + HALF_LOG_2PI;
  }

  function actor_delta(parameters, where, continuous, rollout, t, entropy_coef, delta) {
    const advantage = rollout.advantages[t], n = where.num_outputs, row = t * n;
    if (!continuous) {
      const h = entropy(rollout.policies, rollout.log_policies, n, t);
      for (let b = 0; b < n; b++) {
        const p = rollout.policies[row + b];
        delta[b] = 0.0;
        if (p > 0.0)
          delta[b] = -(p * advantage + entropy_coef * (p * (rollout.log_policies[row + b] + h)));
      }
      delta[rollout.actions[t]] += advantage;
      return h;
    }
    let h = 0.0;
    for (let a = 0; a < n; a++) {
      const z = rollout.noise[row + a], log_sigma = parameters[where.log_sigma_at + a];
      delta[a] = (advantage * z) / sigma(log_sigma);
      delta[n + a] = advantage * (z * z - 1.0) + entropy_coef;
      h += gaussian_entropy(log_sigma);
    }
    return h;
  }

  function backward_tower(where, turned, tower, observation, hidden, delta, below, gradient) {
    const places = where.hidden_at[tower];
    let begin = hidden.length;
    for (let layer = places.length - 1; layer >= 0; layer--) {
      const m = where.sizes[layer], n = where.sizes[layer + 1], at = places[layer];
      begin -= n;
      for (let j = 0; j < n; j++) {
        const said = hidden[begin + j];
        delta[j] *= 1.0 - said * said;
      }
      if (layer === 0 && where.filters > 0)
        convolve_gradient(gradient, at, observation, where.image, delta, where.filters);
      else if (layer === 0) dense_gradient(gradient, at, observation, 0, m, delta, n);
      else {
        dense_gradient(gradient, at, hidden, begin - m, m, delta, n);
        dense_backward(turned, at, m, n, delta, below);
        for (let i = 0; i < m; i++) delta[i] = below[i];
      }
    }
  }

  function accumulate_network_gradient(
    parameters, where, continuous, rollout, length, entropy_coef, critic_weight, room, gradient,
  ) {
    gradient.fill(0.0);
    turn_weights(parameters, where, room.turned);
    const towers = where.hidden_at.length, n = where.num_outputs;
    const { outputs, value, delta } = room;
    let total_entropy = 0.0;
    for (let t = 0; t < length; t++) {
      total_entropy += actor_delta(
        parameters, where, continuous, rollout, t, entropy_coef, outputs,
      );
      value[0] = critic_weight * rollout.advantages[t];
      for (let tower = 0; tower < towers; tower++) {
        const [last, begin, width] = last_of(where, rollout, tower, t);
        for (let i = 0; i < width; i++) delta[i] = 0.0;
        if (tower === 0) {
          dense_gradient(gradient, where.policy_at, last, begin, width, outputs, n);
          for (let i = 0; i < width; i++)
            for (let b = 0; b < n; b++)
              delta[i] += parameters[where.policy_at + i * n + b] * outputs[b];
        }
        if (tower === towers - 1) {
          dense_gradient(gradient, where.value_at, last, begin, width, value, 1);
          for (let i = 0; i < width; i++) delta[i] += parameters[where.value_at + i] * value[0];
        }
        backward_tower(
          where, room.turned, tower, rollout.observations[t], rollout.hidden[tower][t], delta,
          room.below, gradient,
        );
      }
      if (continuous)
        for (let a = 0; a < n; a++) gradient[where.log_sigma_at + a] += outputs[n + a];
    }
    if (where.hidden_at[0].length === 0) {
      const width = where.sizes[0];
      for (let b = 0; b < n; b++) gradient[where.policy_at + width * n + b] = 0.0;
      gradient[where.value_at + width] = 0.0;
    }
    return total_entropy / length;
  }

  function make_backward(where) {
    const widest = Math.max(...where.sizes);
    return {
      turned: new Float64Array(where.num_parameters),
      outputs: new Float64Array(2 * where.num_outputs),
      value: new Float64Array(1),
      delta: new Float64Array(widest),
      below: new Float64Array(widest),
    };
  }

  Object.assign(a3c, {
    make_network_rollout, forward, act, accumulate_network_gradient, make_backward,
  });
});
