"""Names that other libraries use for what is called otherwise here: errors that say which."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

#: Other libraries' names, and ours.
OTHER_NAMES = {
    "actor_lr": ("lr", "learning_rate", "alpha", "actor_learning_rate", "lr_actor", "step_size"),
    "critic_lr": ("critic_learning_rate", "lr_critic", "vf_coef", "value_coef", "vf_lr"),
    "rollout_length": (
        "n_steps", "num_steps", "t_max", "tmax", "n", "nstep", "n_step", "update_interval",
        "rollout_fragment_length", "unroll_length",
    ),
    "entropy_coef": ("ent_coef", "entropy_beta", "beta", "entropy_weight", "entropy_cost"),
    "gae_lambda": ("lambda", "lam", "lambda_", "gae"),
    "gamma": ("discount", "discount_factor", "discounting"),
    "num_workers": ("n_workers", "workers", "n_envs", "num_envs", "num_actors", "processes"),
    "max_grad_norm": ("grad_clip", "clip", "clip_norm", "gradient_clip", "clip_grad_norm"),
    "rmsprop_decay": ("decay", "rms_decay", "rmsprop_alpha"),
    "rmsprop_epsilon": ("eps", "epsilon", "rms_prop_eps", "rmsprop_eps"),
    "lr_anneal": ("anneal", "lr_schedule", "annealing"),
    "max_episode_steps": ("time_limit", "max_steps", "max_ep_len", "horizon"),
    "reward_scale": ("reward_scaling", "scale"),
    "total_steps": ("total_timesteps", "timesteps", "num_timesteps", "steps", "max_frames"),
    "world": ("env", "environment", "make_env", "env_fn", "mdp"),
    "progress": ("progress_bar", "verbose", "tqdm"),
    "callback": ("callbacks", "on_step", "hook", "log_fn"),
    "callback_every": ("eval_freq", "log_interval", "every"),
    "seed": ("random_state", "rng", "random_seed"),
    "seeds": ("n_seeds", "num_seeds"),
    "runner": ("backend", "mode"),
    "resume_from": ("resume", "load", "restore", "checkpoint"),
    "checkpoint_path": ("save_path", "checkpoint_dir"),
    "checkpoint_every": ("save_freq", "checkpoint_freq"),
    "initial_theta": ("theta", "policy", "init"),
}  # fmt: skip
_OURS = {theirs: ours for ours, names in OTHER_NAMES.items() for theirs in names}


def check_names(what: str, given: Collection[str], allowed: Collection[str]) -> None:
    """Raise a TypeError for a name that is not allowed, and say which was probably meant.

    Parameters
    ----------
    what : str, as the message is to call what is called
    given, allowed : collections of str

    Raises
    ------
    TypeError

    Examples
    --------
    >>> check_names("A3CConfig", ["lr"], ["gamma", "actor_lr"])
    Traceback (most recent call last):
    ...
    TypeError: A3CConfig has no 'lr'; did you mean actor_lr? allowed: gamma, actor_lr
    """
    for name in given:
        if name not in allowed:
            near = [_OURS.get(name.lower(), ""), *get_close_matches(name, allowed, n=1)]
            meant = next((one for one in near if one in allowed), None)
            question = f"did you mean {meant}? " if meant else ""
            raise TypeError(
                f"{what} has no {name!r}; {question}allowed: {', '.join(map(str, allowed))}"
            )


def with_known_names(function: Function) -> Function:
    """Let a function say which of its arguments was meant by a name that it does not have.

    Parameters
    ----------
    function : with named arguments only, or some

    Examples
    --------
    >>> @with_known_names
    ... def half(total_steps):
    ...     return total_steps / 2
    >>> half(timesteps=3)
    Traceback (most recent call last):
    ...
    TypeError: half has no 'timesteps'; did you mean total_steps? allowed: total_steps
    """
    allowed = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*args: Any, **given: Any) -> Any:
        check_names(function.__name__, given, allowed)
        return function(*args, **given)

    return cast(Function, checked)
