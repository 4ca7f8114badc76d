"""What runs: kernels, one turn, a crew, worker processes; for readers who want to change it.

From below: `compiling` and `portable` (the same bits everywhere), `kernels` (a function per
equation), `buffers` and `log` (the memory), `turn` (one turn of a worker, and the loop of turns),
`checkpoint` (a run's whole state), `streams` (random numbers), `crew` (all workers in one process),
`atomics`, `protocol` and `shared` (between processes), `worker` and `team` (a worker's side and the
parent's), `runners` (who starts, orders, watches and stops them).
"""
