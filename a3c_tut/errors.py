"""What a run raises when it cannot go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a3c_tut.results import TrainingResult


class DivergenceError(ArithmeticError):
    """A parameter or a gradient norm is no longer finite (Section 3: monitor gradient norms).

    Attributes
    ----------
    update : int
        The update that did it, counted from 0.
    result : TrainingResult
        The run up to and including that update.

    Examples
    --------
    >>> from a3c_tut import A3CConfig, cliff_world, train
    >>> wild = A3CConfig(optimizer="sgd", actor_lr=1e300, critic_lr=1e300, reward_scale=1e10)
    >>> try:
    ...     train(cliff_world(), wild, total_steps=1_000)
    ... except DivergenceError as error:
    ...     error.update == len(error.result.updates) - 1
    True
    """

    def __init__(self, result: TrainingResult):
        updates = result.updates
        self.update = len(updates) - 1
        self.result = result
        last = updates[-1]
        norms = ", ".join(f"{norm:.3g}" for norm in updates["grad_norm"][-5:])
        super().__init__(
            f"a parameter or the gradient norm is not finite after update {self.update} (worker "
            f"{last['worker']}, step {last['step']}); the last gradient norms were {norms}; lower "
            "actor_lr and critic_lr or set max_grad_norm"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the run where the error is copied or comes from another process."""
        return type(self), (self.result,)


class WorkerError(RuntimeError):
    """A worker process raised an exception, or died.

    Attributes
    ----------
    worker : int
        Which one.
    update : int
        The number of updates, of all workers together, when it happened.
    inside_lock : bool
        Whether it died while it was pushing; that push has been undone.

    Examples
    --------
    >>> raise WorkerError(1, 250, "killed by signal 9", inside_lock=True)
    Traceback (most recent call last):
    ...
    a3c_tut.errors.WorkerError: worker 1 killed by signal 9 at update 250, while it pushed
    """

    def __init__(self, worker: int, update: int, reason: str, inside_lock: bool = False):
        self.worker, self.update, self.inside_lock = worker, update, inside_lock
        self.reason = reason
        where = ", while it pushed" if inside_lock else ""
        super().__init__(f"worker {worker} {reason} at update {update}{where}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep what is known where the error is copied or comes from another process."""
        return type(self), (self.worker, self.update, self.reason, self.inside_lock)


class ServerError(RuntimeError):
    """The actor that owns the parameters of a run on a cluster is gone, or does not answer.

    What the run had learned is in its last checkpoint, from which `resume_from` goes on.

    Attributes
    ----------
    step : int
        The shared step counter when it was heard of last.
    reason : str

    Examples
    --------
    >>> raise ServerError(2_000, "has not answered for 30 s")
    Traceback (most recent call last):
    ...
    a3c_tut.errors.ServerError: the parameter server has not answered for 30 s, after step 2000
    """

    def __init__(self, step: int, reason: str):
        self.step, self.reason = step, reason
        super().__init__(f"the parameter server {reason}, after step {step}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep what is known where the error is copied or comes from another process."""
        return type(self), (self.step, self.reason)
