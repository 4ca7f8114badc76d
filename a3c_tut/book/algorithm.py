"""The algorithm in seventeen lines, each beside the line of the program that does it (Section 2).

The program's lines are looked up in its source whenever the book is built, so that they cannot
differ from what runs. `book/tools/a3c_algorithm.py` makes a page's box of them.
"""

from __future__ import annotations

import ast
import textwrap
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_KERNELS, _TURN, _WORKER = "engine.kernels", "engine.turn", "engine.worker"
_EQUATIONS, _TRAINING = "tests/engine/test_equations.py", "tests/engine/test_training.py"
_SHARED, _PROCESSES = "tests/engine/test_shared.py", "tests/engine/test_processes.py"


class Line(NamedTuple):
    """One line of the algorithm.

    Attributes
    ----------
    depth : int
        How many loops it stands in.
    says : str, in Markdown
    module, function : str
        Where the program does it; the module's name without the package's.
    key : str
        What the one statement holds that does it.
    proof : str
        The test that proves it.
    equation : str
        The label of its equation; empty: it has none with a number.

    Examples
    --------
    >>> ALGORITHM[9].equation, program_line(ALGORITHM[9])
    ('eq-value-gradient', 'gradient.V[row] += advantage')
    """

    depth: int
    says: str
    module: str
    function: str
    key: str
    proof: str
    equation: str = ""


#: What each worker does, from its start to its end.
#:
#: :meta hide-value:
ALGORITHM = (
    Line(0, "Repeat until all workers together have made `total_steps` steps:",
         _WORKER, "advance", ">= stop_at", f"{_TRAINING}::TestSchedule::test_overshoot"),
    Line(1, "Repeat for at most $n$ steps, while the episode goes on:",
         _KERNELS, "collect_rollout", "while length <",
         f"{_EQUATIONS}::TestRollout::test_keeps_to_the_world"),
    Line(2, r"$\pi(\cdot \mid s_t)$ ← softmax of the own copy, $\theta'(s_t, \cdot)$",
         _KERNELS, "collect_rollout", "softmax(", f"{_EQUATIONS}::TestPolicy::test_softmax"),
    Line(2, r"draw $a_t$ from $\pi(\cdot \mid s_t)$",
         _KERNELS, "collect_rollout", "choose(", f"{_EQUATIONS}::TestPolicy::test_choice"),
    Line(2, r"take the step: $s_{t+1}$, $r_{t+1}$ ← the worker's own world",
         _KERNELS, "collect_rollout", " step(",
         f"{_EQUATIONS}::TestRollout::test_keeps_to_the_world"),
    Line(1, r"$R$ ← 0 where $s_T$ is terminal, otherwise $V_{w'}(s_T)$",
         _KERNELS, "compute_n_step_advantages", "0.0 if terminated",
         f"{_EQUATIONS}::TestEquation1::test_truncated_is_not_terminated", "eq-advantage"),
    Line(1, r"For $t = T-1, \dots, 0$: $R$ ← $r_{t+1} + \gamma R$",
         _KERNELS, "compute_n_step_advantages", "rewards[t] + gamma",
         f"{_EQUATIONS}::TestEquation1::test_summed_as_it_is_written", "eq-advantage"),
    Line(2, r"$A_t$ ← $R - V_{w'}(s_t)$",
         _KERNELS, "compute_n_step_advantages", "advantages[t] =",
         f"{_EQUATIONS}::TestEquation1::test_perfect_values_leave_no_advantage", "eq-advantage"),
    Line(1, r"$\nabla_\theta J$ ← $\sum_t \nabla \log \pi(a_t \mid s_t)\, A_t + \beta \nabla H$",
         _KERNELS, "accumulate_gradients", "gradient.theta[row, b] -=",
         f"{_EQUATIONS}::TestEquation2::test_finite_differences", "eq-policy-gradient"),
    Line(1, r"$-\nabla_w L_V$ ← in each state visited, the sum of its $A_t$",
         _KERNELS, "accumulate_gradients", "gradient.V[row] += advantage",
         f"{_EQUATIONS}::TestEquation3::test_finite_differences", "eq-value-gradient"),
    Line(1, "shorten both together to the clipping norm, if they are longer",
         _TURN, "compute_gradient", "clip_gradients(",
         f"{_EQUATIONS}::TestClipping::test_one_norm_over_both"),
    Line(1, "wait for the lock, and take it",
         _WORKER, "advance", "acquire(",
         f"{_SHARED}::test_the_lock_has_one_owner_and_a_bounded_wait"),
    Line(2, "count the steps; the step sizes $\\eta$ fall with the count, if they are annealed",
         _TURN, "push", "annealing(", f"{_TRAINING}::TestLearningRates::test_global"),
    Line(2, r"$\theta$ ← $\theta + \eta\, g / \sqrt{m + \varepsilon}$, for each entry $g$ of "
            r"$\nabla_\theta J$, with $m$ the running mean of $g^2$",
         _KERNELS, "apply_rmsprop", "theta[state, b] +=",
         f"{_EQUATIONS}::TestOptimizers::test_lazy_decay_is_dense_rmsprop"),
    Line(2, r"$w$ likewise, with $-\nabla_w L_V$",
         _KERNELS, "apply_rmsprop", "V[state] +=",
         f"{_EQUATIONS}::TestOptimizers::test_lazy_decay_is_dense_rmsprop"),
    Line(2, r"refresh the own copy: $\theta'$ ← $\theta$, $w'$ ← $w$",
         _WORKER, "advance", "turn.sync(",
         f"{_TRAINING}::TestWorkersOwnCopy::test_sync_is_a_copy_of_the_whole_table"),
    Line(1, "give the lock back",
         _WORKER, "advance", "release(lock)",
         f"{_PROCESSES}::test_a_real_run_replays_bit_for_bit"),
)  # fmt: skip


def program_line(line: Line) -> str:
    """Return the statement of the program that does what a line of the algorithm says.

    Of a loop or a condition, the head alone.

    Parameters
    ----------
    line : Line

    Raises
    ------
    LookupError
        When no statement of the function holds the key, or different ones do.

    Examples
    --------
    >>> program_line(ALGORITHM[1])
    'while length < rollout_length and not (terminated or truncated):'
    >>> program_line(ALGORITHM[1]._replace(key="return"))
    'return length, terminated, truncated, cursor, total_reward'
    >>> program_line(ALGORITHM[1]._replace(key="rollout"))
    Traceback (most recent call last):
    ...
    LookupError: 8 different statements of collect_rollout hold 'rollout'
    """
    found = {text for text in _statements(line.module, line.function) if line.key in text}
    if len(found) != 1:
        raise LookupError(f"{len(found)} different statements of {line.function} hold {line.key!r}")
    return found.pop()


@cache
def _statements(module: str, function: str) -> tuple[str, ...]:
    """Return the source of every statement of a function; of loops and conditions, the heads."""
    spec = find_spec(f"a3c_tut.{module}")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    lines = source.splitlines()
    (body,) = (
        node for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == function
    )  # fmt: skip
    texts = []
    for node in ast.walk(body):
        if isinstance(node, ast.stmt) and node is not body:
            inner = getattr(node, "body", None)
            last = inner[0].lineno - 1 if inner else node.end_lineno
            text = "\n".join(lines[node.lineno - 1 : last])
            texts.append(textwrap.dedent(text).split("  # ")[0])
    return tuple(texts)
