"""Exercises of Section 3.1, CPU-friendly Training."""

from __future__ import annotations

from a3c_tut.book.exercises.exercise import Exercise, mistake


class SharedLock(Exercise):
    """Each worker has a core of its own. It acts for `alone` seconds, holds the one lock for
    `locked` seconds, and begins its next turn.

    Return how many turns a second all `num_workers` of them make together, if they come to the lock
    as evenly as they can: nobody waits for it unless it is taken all the time.
    """

    page = "cpu_training"
    title = "what a lock leaves of N cores"
    begin = "Not yet: that is what one worker makes."
    right = "Right: N times one worker's rate, until the lock is taken all the time."

    @staticmethod
    def cases():
        return [(1, 0.004, 0.001), (3, 0.004, 0.001), (16, 0.004, 0.001), (4, 0.03, 0.03)]

    @staticmethod
    def stub(num_workers, alone, locked):
        return 1 / (alone + locked)  # yours

    @staticmethod
    def solution(num_workers, alone, locked):
        return min(num_workers / (alone + locked), 1 / locked)

    @mistake("You let everybody push at once: there is one lock, and it serves one at a time.")
    def without_a_lock(num_workers, alone, locked):
        return num_workers / (alone + locked)

    @mistake("You let all stand still while one holds the lock: the others go on acting.")
    def all_stand_still(num_workers, alone, locked):
        return 1 / (locked + alone / num_workers)

    @mistake("That is the most that the lock allows, and a few workers do not get that far.")
    def the_lock_alone(num_workers, alone, locked):
        return 1 / locked

    @mistake("You took the larger of the two limits: the smaller one holds everybody back.")
    def the_larger(num_workers, alone, locked):
        return max(num_workers / (alone + locked), 1 / locked)


class BufferMemory(Exercise):
    """A replay buffer holds a number of `transitions`, each with one new frame of `height` ×
    `width` pixels, a byte per pixel. The network looks at the last `stack` frames.

    Return the buffer's size in bytes, if it keeps every frame once and puts stacks together when
    they are asked for. An action takes 1 byte, a reward 4, and the flag that an episode ended 1.
    """

    page = "cpu_training"
    title = "the size of a replay buffer"
    begin = "Not yet: that is how many transitions there are, not how many bytes."
    right = "Right: with a million frames of 84 × 84 these are the gigabytes of this page."

    @staticmethod
    def cases():
        return [(1_000_000, 84, 84, 4), (500, 10, 20, 3)]

    @staticmethod
    def stub(transitions, height, width, stack):
        return transitions  # yours

    @staticmethod
    def solution(transitions, height, width, stack):
        return transitions * (height * width + 1 + 4 + 1)

    @mistake("You keep whole stacks: every frame is then stored once for each stack it is part of.")
    def whole_stacks(transitions, height, width, stack):
        return transitions * (stack * height * width + 1 + 4 + 1)

    @mistake("You keep the stack before and the stack after: they share all frames but one.")
    def before_and_after(transitions, height, width, stack):
        return transitions * (2 * stack * height * width + 1 + 4 + 1)

    @mistake(
        "You keep pixels as 32-bit numbers: a byte holds 256 shades, and that is all they have."
    )
    def as_floats(transitions, height, width, stack):
        return transitions * (4 * height * width + 1 + 4 + 1)

    @mistake("Frames alone teach nothing: the actions, the rewards and the flags are missing.")
    def frames_alone(transitions, height, width, stack):
        return transitions * height * width
