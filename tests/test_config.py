"""Bad input: every error names the setting, its value and what is allowed, and nothing has run."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from a3c_tut import A3CConfig, RandomSchedule, cliff_world, train, training
from a3c_tut.config import whole
from a3c_tut.engine.runners import emulated

CLIFF = cliff_world()
NAN, INF = float("nan"), float("inf")

WHOLE = "a whole number from 1"
FROM_0 = "a number from 0"
ABOVE_0 = "a number above 0"

#: For each setting what is allowed, and values that are not.
REFUSED = {
    "num_workers": (WHOLE, [0, -1, 2.0, "3", None, True, NAN]),
    "rollout_length": (WHOLE, [0, -5, 2.5, "5", None, True]),
    "gamma": ("a number from 0 to 1", [-0.01, 1.01, NAN, INF, "0.9", None, True, 1j]),
    "gae_lambda": ("a number from 0 to 1", [-0.01, 1.01, NAN, INF, "0.9", None, True, 1j]),
    "entropy_coef": (FROM_0, [-1e-9, NAN, INF, "0", None, False]),
    "actor_lr": (FROM_0, [-0.1, NAN, INF, "0.1", None]),
    "critic_lr": (FROM_0, [-0.1, NAN, -INF, "0.1", None]),
    "max_grad_norm": (f"None or {ABOVE_0}", [0, 0.0, -1, NAN, INF, "5", False]),
    "optimizer": ("'rmsprop', 'sgd'", ["adam", "SGD", None, 1]),
    "rmsprop_decay": ("a number from 0, below 1", [1, 1.0, -0.1, NAN, "0.99", None]),
    "rmsprop_epsilon": (ABOVE_0, [0, -1e-8, NAN, INF, None]),
    "shared_statistics": ("True or False", [None, 0, 1, "yes"]),
    "lr_anneal": (
        "None, 'global', 'per_worker', or pairs (share, factor), shares rising from 0 to 1",
        [
            "linear",
            True,
            0,
            (),
            ((0, 1),),
            (0, 1),
            ((0, 1), (0.5, 0)),
            ((0.1, 1), (1, 0)),
            ((0, 1), (0.5, 1), (0.5, 0), (1, 0)),
            ((0, 1), (1, -0.1)),
            ((0, 1), (1, NAN)),
            ((0, 1), (1, INF)),
            ((0, 1), (NAN, 1), (1, 0)),
            ((0, 1, 2), (1, 0, 2)),
            (("a", 1),),
        ],
    ),
    "sync_every": (WHOLE, [0, -1, 1.5, None, "2"]),
    "window": ("None or a whole number from 1 to 3", [0, 4, -1, 2.5, "3", True]),
    "critic": ("'local', 'global'", ["shared", None]),
    "update_mode": ("'atomic', 'hogwild'", ["locked", None]),
    "max_episode_steps": (f"None or {WHOLE}", [0, -1, 10.0, "10"]),
    "reward_scale": (ABOVE_0, [0, 0.0, -1, NAN, INF, None]),
}


def said(name, value, allowed):
    return f"^{re.escape(f'{name} is {value!r}; allowed: {allowed}')}"


class TestConfig:
    def test_the_list_is_complete(self):
        assert set(REFUSED) == {field.name for field in dataclasses.fields(A3CConfig)}

    @pytest.mark.parametrize(
        "name, value", [(name, value) for name, (_, values) in REFUSED.items() for value in values]
    )
    def test_refused(self, name, value):
        with pytest.raises(ValueError, match=said(name, value, REFUSED[name][0])):
            A3CConfig(**{name: value})

    @pytest.mark.parametrize("name, bad", [("rollout_length", 0), ("entropy_coef", -1.0)])
    def test_per_worker(self, name, bad):
        good = getattr(A3CConfig(), name)
        with pytest.raises(ValueError, match=said(name, bad, REFUSED[name][0])):
            A3CConfig(**{name: (good, bad, good)})
        for wrong_length in ((good, good), (good,) * 4, ()):
            allowed = "one value, or one per worker (3)"
            with pytest.raises(ValueError, match=said(name, wrong_length, allowed)):
                A3CConfig(**{name: list(wrong_length)})
        assert getattr(A3CConfig(**{name: [good, good, good]}), name) == (good, good, good)

    def test_window_fits_the_shortest_rollout(self):
        allowed = "None or a whole number from 1 to 2"
        with pytest.raises(ValueError, match=said("window", 3, allowed)):
            A3CConfig(rollout_length=(5, 2, 9), window=3)
        assert A3CConfig(rollout_length=(5, 2, 9), window=2).window == 2

    @pytest.mark.parametrize(
        "asked",
        [
            {"gamma": 0}, {"gamma": 1}, {"entropy_coef": 0}, {"actor_lr": 0, "critic_lr": 0},
            {"rmsprop_decay": 0}, {"max_grad_norm": None}, {"window": 3}, {"num_workers": 1},
            {"rollout_length": 1}, {"max_episode_steps": 1}, {"rmsprop_epsilon": 1e-30},
        ],
        ids=str,
    )  # fmt: skip
    def test_the_ends_of_the_ranges_run(self, asked):
        result = train(CLIFF, A3CConfig(**asked), total_steps=50)
        assert np.isfinite(result.theta).all()

    def test_unknown_setting(self):
        with pytest.raises(TypeError, match="learning_rate"):
            A3CConfig(learning_rate=0.1)

    def test_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            A3CConfig().gamma = 7.0

    def test_equal_and_plain(self):
        config = A3CConfig(rollout_length=[1, 2, 3], gamma=np.float64(0.5))
        assert config == A3CConfig(**config.as_dict())
        assert type(config.gamma) is float
        assert hash(config) == hash(A3CConfig(rollout_length=(1, 2, 3), gamma=0.5))

    def test_a_schedule_of_step_sizes_is_kept_as_plain_numbers(self):
        config = A3CConfig(lr_anneal=np.array([[0, 1], [0.25, 2], [1, 0]]))
        assert config.lr_anneal == ((0.0, 1.0), (0.25, 2.0), (1.0, 0.0))
        assert {type(x) for point in config.lr_anneal for x in point} == {float}
        assert A3CConfig(**json.loads(json.dumps(config.as_dict()))) == config
        assert eval(repr(config)) == config
        assert len({config, A3CConfig(lr_anneal=[(0, 1), [0.25, 2], (1, 0)])}) == 1

    def test_whole(self):
        with pytest.raises(ValueError, match=said("n", 7, "None or a whole number from 1 to 5")):
            whole("n", 7, 1, most=5, also="None or ")
        whole("n", np.int64(5), 1, most=5)


ALLOWED_SCHEDULES = "'round_robin', 'random', a RandomSchedule or a list of worker ids"

#: Arguments of `train`, and the beginning of what it says.
NOT_RUN = {
    "world is None": ({"world": None}, "world is None; allowed: a TableWorld"),
    "world is an array": ({"world": [[0, 1]]}, "world is [[0, 1]]; allowed: a TableWorld"),
    "config is a dict": ({"config": {"gamma": 0.9}}, "config is {'gamma': 0.9}; allowed: an A3C"),
    "no steps": ({"total_steps": 0}, "total_steps is 0; allowed: a whole number from 1"),
    "endless steps": ({"total_steps": 10**30}, f"total_steps is {10**30}; allowed: a whole number"),
    "negative steps": ({"total_steps": -5}, "total_steps is -5; allowed: a whole number from 1"),
    "1e6 steps": ({"total_steps": 1e6}, "total_steps is 1000000.0; allowed: a whole number"),
    "steps as text": ({"total_steps": "60000"}, "total_steps is '60000'; allowed: a whole"),
    "runner": ({"runner": "spark"}, "runner is 'spark'; allowed: 'emulated', 'processes'"),
    "negative seed": ({"seed": -1}, "seed is -1; allowed: a whole number from 0, or one per"),
    "seed 1.5": ({"seed": 1.5}, "seed is 1.5; allowed: a whole number from 0"),
    "no seed": ({"seed": None}, "seed is None; allowed: a whole number from 0"),
    "seed is true": ({"seed": True}, "seed is True; allowed: a whole number from 0"),
    "seed as text": ({"seed": "7"}, "seed is '7'; allowed: a whole number from 0"),
    "two seeds of three": ({"seed": [1, 2]}, "seed is [1, 2]; allowed: a whole number from 0, or "
                           "one per worker (3)"),
    "one bad seed": ({"seed": [1, 2, -3]}, "seed is [1, 2, -3]; allowed:"),
    "seeds 0.5": ({"seed": [0.5, 1, 2]}, "seed is [0.5, 1, 2]; allowed:"),
    "order by name": ({"schedule": "fair"}, f"schedule is 'fair'; allowed: {ALLOWED_SCHEDULES}"),
    "no such worker": ({"schedule": [0, 1, 3]}, "schedule[2] is 3; allowed: worker ids from 0 to"),
    "worker −1": ({"schedule": [0, -1]}, "schedule[1] is -1; allowed: worker ids from 0 to 2"),
    "half a worker": ({"schedule": [0.5]}, "schedule is an array of shape (1,) and dtype float64"),
    "empty order": ({"schedule": []}, "schedule is an array of shape (0,)"),
    "two orders": ({"schedule": [[0, 1], [1, 0]]}, "schedule is an array of shape (2, 2)"),
    "ragged order": ({"schedule": [[0], [1, 0]]}, "schedule is [[0], [1, 0]]; allowed:"),
    "order is a number": ({"schedule": 3}, "schedule is an array of shape ()"),
    "true as a worker": ({"schedule": [True, False]}, "schedule is an array of shape (2,) and"),
    "weights of two": ({"schedule": RandomSchedule((1, 2))}, "weights of RandomSchedule is (1.0, "
                       "2.0); allowed: numbers above 0, one per worker (3)"),
    "θ of another world": ({"initial_theta": np.zeros((4, 48))},
                           "initial_theta has shape (4, 48); allowed: (48, 4)"),
    "θ not finite": ({"initial_theta": np.full((48, 4), NAN)},
                     "initial_theta holds nan; allowed: finite numbers"),
    "θ as text": ({"initial_theta": "zeros"},
                  "initial_theta is 'zeros'; allowed: an array of numbers"),
    "one value": ({"initial_values": 1.0}, "initial_values has shape (); allowed:"),
    "values not finite": ({"initial_values": [INF] * 48}, "initial_values holds inf; allowed:"),
    "ragged values": ({"initial_values": [[1], 2]}, "initial_values is [[1], 2]; allowed:"),
    "stop at once": ({"stop_after": 0}, "stop_after is 0; allowed: None or a whole number from 1"),
    "stop at 1.5": ({"stop_after": 1.5}, "stop_after is 1.5; allowed: None or a whole number"),
}  # fmt: skip


class TestTrain:
    @pytest.fixture(autouse=True)
    def _nothing_runs(self, monkeypatch):
        def ran(*_, **__):
            raise AssertionError("something ran before the settings were checked")

        monkeypatch.setattr(training, "TableCrew", ran)
        monkeypatch.setattr(emulated, "run", ran)

    @pytest.mark.parametrize("case", NOT_RUN)
    def test_refused_before_anything_runs(self, case):
        asked, message = NOT_RUN[case]
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            train(**{"world": CLIFF, "total_steps": 100} | asked)

    def test_the_guard_itself(self):
        with pytest.raises(AssertionError, match="something ran"):
            train(CLIFF, total_steps=100)

    @pytest.mark.parametrize(
        "weights", [(1, 0, 1), (1, -1, 1), (1, NAN, 1), (1, INF, 1), [[1.0]], "abc"], ids=str
    )
    def test_random_schedule(self, weights):
        message = said("weights of RandomSchedule", weights, "numbers above 0, one per worker")
        with pytest.raises(ValueError, match=message):
            RandomSchedule(weights)

    def test_resume_from_nothing(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            train(CLIFF, total_steps=100, resume_from=tmp_path / "nothing.npz")

    def test_replay_of_hogwild(self):
        """Without a lock, a list of pushes does not say what happened."""
        result = make_hogwild_result()
        with pytest.raises(ValueError, match=r"update_mode is 'hogwild'.*allowed: 'atomic'"):
            training.replay(result)


def make_hogwild_result():
    nothing = np.zeros(0)
    return training.TrainingResult(
        CLIFF, A3CConfig(update_mode="hogwild"), 0, 100, "processes", nothing, nothing, {}, {}
    )
