// Where each number of a small network stands in one flat vector, and what it begins with: the twin
// of a3c_tut/networks.py. What the functions mean stands in Python.
//
// The page's JSON holds a task as a3c_tut/book/balance.py writes it: a world and a model.
(globalThis.a3cModules ??= []).push(function networks(a3c) {
  "use strict";
  const { PCG64 } = a3c;

  function layout(model, world) {
    const { filters } = model, image = filters ? world.image_shape : [0, 0, 0];
    const widths = [...(filters ? [image[0] * image[1] * filters] : []), ...model.hidden];
    const sizes = [world.observation_size, ...widths];
    const hidden_at = [];
    let at = 0;
    for (let tower = 0; tower < (model.shared ? 1 : 2); tower++)
      hidden_at.push(widths.map((n, layer) => {
        const place = at;
        at += filters && layer === 0 ? (9 * image[2] + 1) * filters : (sizes[layer] + 1) * n;
        return place;
      }));
    const last = sizes[sizes.length - 1];
    const policy_at = at, value_at = at + (last + 1) * world.action_size;
    const end = value_at + last + 1;
    return {
      sizes, hidden_at, policy_at, value_at,
      log_sigma_at: world.continuous ? end : -1,
      num_parameters: end + (world.continuous ? world.action_size : 0),
      num_outputs: world.action_size,
      filters, image,
      num_hidden: widths.reduce((sum, n) => sum + n, 0),
    };
  }

  function initial_parameters(model, world, seed) {
    const where = layout(model, world), random = new PCG64(seed);
    const parameters = new Float64Array(where.num_parameters);
    const draw = (at, m, n, gain) => {
      const bound = gain * Math.sqrt(3.0 / m);
      random.random(new Float64Array(m * n)).forEach((uniform, i) => {
        parameters[at + i] = bound * (2.0 * uniform - 1.0);
      });
    };
    for (const places of where.hidden_at)
      places.forEach((place, layer) => {
        const convolves = where.filters > 0 && layer === 0;
        const m = convolves ? 9 * where.image[2] : where.sizes[layer];
        draw(place, m, convolves ? where.filters : where.sizes[layer + 1], 1.5);
      });
    const last = where.sizes[where.sizes.length - 1];
    draw(where.policy_at, last, where.num_outputs, 0.01);
    draw(where.value_at, last, 1, 1.0);
    return parameters;
  }

  Object.assign(a3c, { layout, initial_parameters });
});
