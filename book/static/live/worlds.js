// Worlds from maps, and the best that can be reached in them: the twin of `grid_world` in
// a3c_tut/worlds.py and, for worlds without chance, of `optimal_values` in a3c_tut/exact.py.
(globalThis.a3cModules ??= []).push(function worlds(a3c) {
  "use strict";
  const GRID_ACTIONS = ["up", "right", "down", "left"];
  const ROW_STEP = [-1, 0, 1, 0], COLUMN_STEP = [0, 1, 0, -1];

  /** The cell that a move leads to, as far as edges and walls go. */
  function moved(letters, rows, columns, state, action) {
    const row = Math.floor(state / columns) + ROW_STEP[action];
    const column = (state % columns) + COLUMN_STEP[action];
    if (row < 0 || row >= rows || column < 0 || column >= columns) return state;
    const to = row * columns + column;
    return letters[to] === "#" ? state : to;
  }

  /**
   * A world as the page's JSON holds one (see a3c_tut/book/live.py), of the lines of a map; or, where
   * they make none, what is wrong: {wrong: "start", "goal" or "way"}.
   */
  function grid_world(lines, { step_reward = -1, fall_reward = -100, goal_reward = 0, fall_ends = false } = {}) {
    const rows = lines.length, columns = lines[0].length, letters = [...lines.join("")];
    const num_states = letters.length, start = letters.indexOf("S");
    if (start < 0) return { wrong: "start" };
    if (!letters.includes("G")) return { wrong: "goal" };
    const next_state = [], reward = [], terminated = [];
    for (let state = 0; state < num_states; state++) {
      const own = letters[state], over = own === "G" || own === "#" || (own === "C" && fall_ends);
      for (let action = 0; action < 4; action++) {
        const to = over ? state : moved(letters, rows, columns, state, action);
        const falls = !over && letters[to] === "C", arrives = !over && letters[to] === "G";
        next_state.push(falls && !fall_ends ? start : to);
        reward.push(over ? 0 : falls ? fall_reward : arrives ? step_reward + goal_reward : step_reward);
        terminated.push(Number(over || arrives || (falls && fall_ends)));
      }
    }
    const way = steps_to_goal(next_state, letters, start);
    if (way === null) return { wrong: "way" };
    const marks = {};
    for (const mark of "SGC#")
      letters.forEach((letter, state) => {
        if (letter === mark) marks[state] = mark;
      });
    const world = {
      name: `grid ${rows} × ${columns}`, num_states, num_actions: 4, num_outcomes: 1,
      next_state, cumulative: new Array(4 * num_states).fill(1), reward, terminated,
      start_states: [start], start_cumulative: [1],
      max_episode_steps: Math.max(200, 5 * Math.max(rows + columns, way)),
      action_names: GRID_ACTIONS, grid_shape: [rows, columns], marks,
    };
    world.references = { optimum: optimal_values(world, 1, world.max_episode_steps)[start] };
    return world;
  }

  /** How many steps the shortest way to a goal takes; null: there is none. */
  function steps_to_goal(next_state, letters, start) {
    const reached = new Uint8Array(letters.length);
    reached[start] = 1;
    for (let steps = 0, ahead = [start]; ahead.length > 0; steps++) {
      if (ahead.some((state) => letters[state] === "G")) return steps;
      const further = [];
      for (const state of ahead)
        for (const to of next_state.slice(4 * state, 4 * state + 4))
          if (!reached[to]) {
            reached[to] = 1;
            further.push(to);
          }
      ahead = further;
    }
    return null;
  }

  /** The best values with so many steps to go, in a world without chance: equation (4.10), swept. */
  function optimal_values(world, gamma, horizon) {
    const { num_states, num_actions, next_state, reward, terminated } = world;
    let values = new Float64Array(num_states);
    for (let sweep = 0; sweep < horizon; sweep++) {
      const improved = new Float64Array(num_states).fill(-Infinity);
      for (let i = 0; i < num_states * num_actions; i++) {
        const state = Math.floor(i / num_actions);
        const value = reward[i] + gamma * (terminated[i] ? 0 : 1) * values[next_state[i]];
        if (value > improved[state]) improved[state] = value;
      }
      if (improved.every((value, state) => value === values[state])) break;
      values = improved;
    }
    return values;
  }

  Object.assign(a3c, { moved, grid_world, optimal_values });
});
