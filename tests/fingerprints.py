"""What a dozen runs come to, to the last bit: the same on every machine.

    python tests/fingerprints.py            # compare with tests/fingerprints.json
    python tests/fingerprints.py --write    # write it anew

Needs nothing but the package, NumPy and Gymnasium, so that it can run where the tests cannot: on
another processor, without a compiler, in an emulator.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from a3c_tut import A3CConfig, TableWorld, cliff_world, train
from a3c_tut.control import cart_pole, one_hot, pendulum
from a3c_tut.files import print_what_can_be
from a3c_tut.networks import MLP, network_config

STEPS = 3_000
KEPT = Path(__file__).with_suffix(".json")

#: Worlds by name. The large one is beyond what a processor's cache is assumed to hold.
WORLDS = {
    "cliff": cliff_world,
    "large": lambda: cliff_world(rows=50, columns=100),
    "lake": lambda: TableWorld.from_gymnasium("FrozenLake-v1"),
}

#: World, schedule and settings of each run; the seed is 5.
CASES = {
    "defaults": ("cliff", None, {}),
    "sgd": ("cliff", None, {"optimizer": "sgd", "actor_lr": 0.02, "critic_lr": 0.05}),
    "own statistics": ("cliff", "random", {"shared_statistics": False}),
    "annealing": ("cliff", "random", {"lr_anneal": "global"}),
    "own annealing": (
        "cliff",
        "random",
        {"lr_anneal": "per_worker", "optimizer": "sgd", "max_grad_norm": 5.0},
    ),
    "annealing by points": (
        "lake",
        "random",
        {"lr_anneal": ((0.0, 0.1), (0.3, 1.7), (1.0, 0.3))},
    ),
    "tight clipping": ("cliff", None, {"max_grad_norm": 0.3}),
    "no clipping": ("cliff", None, {"max_grad_norm": None, "reward_scale": 0.05}),
    "fixed window": ("cliff", "random", {"window": 2, "rollout_length": 7}),
    "global critic": ("cliff", "random", {"critic": "global"}),
    "rare syncs": ("cliff", "random", {"sync_every": 7, "num_workers": 5}),
    "each its own": (
        "cliff",
        "random",
        {"rollout_length": (1, 5, 9), "entropy_coef": (0.0, 0.01, 0.5)},
    ),
    "slippery lake": ("lake", "random", {"reward_scale": 3.0, "gamma": 0.97}),
    "large world": ("large", "random", {"num_workers": 8, "rollout_length": 20}),
}

#: The same for networks; shorter, because an interpreter needs a while for each step.
NETWORK_STEPS = 600
NETWORKS = {
    "cart-pole": (cart_pole, None, {}, MLP()),
    "cart-pole, two towers": (cart_pole, "random", {"num_workers": 3}, MLP((8, 5), shared=False)),
    "cart-pole, sgd": (
        cart_pole,
        "random",
        {"optimizer": "sgd", "actor_lr": 0.001, "gae_lambda": 1.0, "sync_every": 3},
        MLP((8,)),
    ),
    "pendulum": (pendulum, None, {}, MLP()),
    "pendulum, own statistics": (pendulum, "random", {"shared_statistics": False}, MLP((6,))),
    "lake, one-hot": (lambda: one_hot(WORLDS["lake"]()), "random", {}, MLP(())),
}


def run(name):
    """Train one of the cases."""
    if name in NETWORKS:
        make, schedule, settings, model = NETWORKS[name]
        world = make()
        return train(
            world, network_config(world, **settings), model=model, total_steps=NETWORK_STEPS,
            seed=5, schedule=schedule,
        )  # fmt: skip
    world, schedule, settings = CASES[name]
    return train(
        WORLDS[world](), A3CConfig(**settings), total_steps=STEPS, seed=5, schedule=schedule
    )


def digest(*columns):
    """Return the SHA-256 of columns of numbers, each as a double, its lowest byte first."""
    whole = hashlib.sha256()
    for column in columns:
        whole.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
    return whole.hexdigest()


def fingerprint(theta, V, episodes, updates):
    """Return one digest per part of a run; `episodes` and `updates` map a column to its values."""
    return {
        "theta": digest(theta),
        "V": digest(V),
        "episodes": digest(*(episodes[name] for name in sorted(episodes))),
        "updates": digest(*(updates[name] for name in sorted(updates))),
        "schedule": digest(updates["worker"]),
    }


def columns(rows):
    """Return the columns of a structured array by name."""
    return {name: rows[name] for name in rows.dtype.names}


def taken():
    """Run every case; return its fingerprint by name."""
    return {
        name: fingerprint(
            result.state["theta"],
            result.state["V"],
            columns(result.episodes),
            columns(result.updates),
        )
        for name, result in ((name, run(name)) for name in (*CASES, *NETWORKS))
    }


def kept():
    """Return the fingerprints on record."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def differences(found):
    """Name the parts of runs that are not as they are on record."""
    return [
        f"{name}: {part}"
        for name, parts in kept().items()
        for part, value in parts.items()
        if found.get(name, {}).get(part) != value
    ]


def main(arguments):
    found = taken()
    if arguments == ["--write"]:
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    different = differences(found)
    print("\n".join(different) or f"{len(found)} runs came out the same, to the bit")
    return bool(different)


if __name__ == "__main__":
    print_what_can_be()
    raise SystemExit(main(sys.argv[1:]))
