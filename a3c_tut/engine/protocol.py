"""What workers and runners tell each other: numbers, so that compiled code can."""

#: Why a loop of turns came back.
DONE, NEEDS_UNIFORMS, LOG_FULL, FINISHED, DIVERGED, LOCK_BUSY, PAUSED = range(7)

#: The words in shared memory by which parent and workers talk; a cache line apart.
LOCK, STOP, PAUSE, GO = 0, 8, 16, 24
NUM_WORDS = 32
