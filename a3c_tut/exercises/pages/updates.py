"""Exercises of Section 2.2, Asynchronous Updates."""

from __future__ import annotations

from a3c_tut.exercises.exercise import Exercise, mistake


class Staleness(Exercise):
    """Staleness is logged, but it need not be: it follows from the schedule alone.

    `schedule` holds the worker of every push, in order. Return, for every push, how many pushes of
    others came between it and the same worker's push before (or the beginning).
    """

    page = "updates"
    title = "staleness from the schedule"
    begin = "Not yet: count the pushes since the same worker's last one."
    right = "Right: the log says the same, and the schedule alone was enough."

    @staticmethod
    def cases():
        return [([0, 1, 2, 0, 1, 2], 3), ([0, 0, 1, 0, 2, 2, 1], 3)]

    @staticmethod
    def stub(schedule, num_workers):
        return [0] * len(schedule)  # yours

    @staticmethod
    def solution(schedule, num_workers):
        last = [-1] * num_workers
        answer = []
        for push, worker in enumerate(schedule):
            answer.append(push - last[worker] - 1)
            last[worker] = push
        return answer

    @mistake("You count from the beginning: a worker synchronises after each push of its own.")
    def from_the_beginning(schedule, num_workers):
        return range(len(schedule))
