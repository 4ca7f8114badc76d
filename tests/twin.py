"""The JavaScript twin of the package, for the tests that run it in a page."""

from pathlib import Path

STATIC = Path(__file__).resolve().parents[1] / "book" / "static"
TWIN = ("random", "portable", "kernels", "log", "buffers", "turn", "training", "worker")

#: Trains what it is asked for, to the end.
RUN = """asked => {
  const columns = rows => Object.fromEntries(
    Object.entries(rows).map(([name, column]) => [name, Array.from(column)]));
  const run = a3c.train(asked);
  let turn; do { turn = run.next(); } while (!turn.done);
  const { theta, V, episodes, updates, steps, diverged } = turn.value;
  return { theta: Array.from(theta), V: Array.from(V), episodes: columns(episodes),
           updates: columns(updates), steps, diverged };
}"""


def sources():
    """Return the source of every part of the twin, in order."""
    return [(STATIC / "live" / f"{name}.js").read_text(encoding="utf-8") for name in TWIN]
