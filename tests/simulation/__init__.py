"""Deterministic simulation: a source, its replicas and a writer, in one process, by a seed.

    make simulate                  fresh seeds until interrupted, or for SECONDS=n
    make simulate SEED=n           replay one seed, its events printed
    pytest tests/simulation        some thousand seeds, and the proof that they catch mistakes

The real daemon, sessions, client and stores run on real SQLite files. What is not real comes from
the seed: time (trio's test clock), the order of tasks, where threads of the store interleave (at
every transaction), how streams split, delay and break, when a machine dies, and constants at their
extremes (a page of one row, blocks of a few bytes). So a seed that fails fails always.

    scheduling   the seeded order of tasks; threads as greenlets that pause at transactions
    network      streams in memory that split, delay, stall, cut, half-close and flip
    disk         stores in a folder; crashes that leave what the disk held at that moment
    model        what the source held at each commit, kept apart from the source, as plain bytes
    source       a daemon that is restarted, what goes on at its machine, and writers far away
    replica      a follower, and what must hold after each of its commits
    world        one seed from beginning to end

A replica is compared with the model, not with the source. On failure the seed, the last events and
the command that replays it are printed.
"""
