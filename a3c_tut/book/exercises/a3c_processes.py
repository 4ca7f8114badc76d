"""The learner of `a3c_from_scratch` in real processes: one memory, a lock, who pushed when."""

import multiprocessing

import numpy as np

from a3c_tut.book.exercises.a3c_from_scratch import act, differentiate, judge, make_workers, push


def work(w, world, config, seed, tables, schedule, pushed, lock, ready):
    """Do what `run` does, for one worker: all but the push and the sync is its own affair."""
    theta, V = np.frombuffer(tables[0]).reshape(world.next_state.shape), np.frombuffer(tables[1])
    me = make_workers(world, theta, V, config.num_workers, seed)[w]
    ready.wait()  # nobody pushes before all have copied the initial values
    while True:
        states, actions, rewards, terminated = act(world, me, config.rollout_length)
        advantages = judge(states, rewards, terminated, me.V, config.gamma)
        rows = differentiate(states, actions, advantages, me.theta, config.entropy_coef)
        with lock:
            if pushed.value == len(schedule):
                return
            push(theta, V, rows, config)
            schedule[pushed.value], pushed.value = w, pushed.value + 1
            me.theta, me.V = theta.copy(), V.copy()


def run_in_processes(world, config, num_pushes, seed):
    """Return the tables that the worker processes share, and the order in which they pushed."""
    here = multiprocessing.get_context("spawn")
    tables = here.RawArray("d", world.next_state.size), here.RawArray("d", len(world.next_state))
    schedule, pushed = here.RawArray("i", num_pushes), here.RawValue("i", 0)
    shared = world, config, seed, tables, schedule, pushed
    told = *shared, here.Lock(), here.Barrier(config.num_workers)
    team = [here.Process(target=work, args=(w, *told)) for w in range(config.num_workers)]
    for process in team:
        process.start()
    for process in team:
        process.join()
    theta, V = np.array(tables[0]).reshape(world.next_state.shape), np.array(tables[1])
    return theta, V, list(schedule)
