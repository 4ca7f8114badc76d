// What workers write down: the twin of a3c_tut/engine/log.py.
(globalThis.a3cModules ??= []).push(function log(a3c) {
  "use strict";
  const LOG_ROWS = 16384;

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

  Object.assign(a3c, { LOG_ROWS, make_log, drain });
});
