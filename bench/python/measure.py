"""What the rows share: the clock, the best of several, workers side by side."""
import multiprocessing as mp
import os
import time

clock = time.perf_counter


def best(times, f, *args):
    """The least of so many results of f."""
    return min(f(*args) for _ in range(times))


def timed(f, *args):
    start = clock()
    f(*args)
    return clock() - start


def _member(conn, f, args):
    conn.send("ready")
    conn.recv()
    conn.send(f(*args))


class Team:
    """Processes that call their functions at the same instant.

    run() returns the seconds until all were done, and their results.
    """

    def __init__(self, *calls):
        self.members = []
        for f, *args in calls:
            ours, theirs = mp.Pipe()
            process = mp.Process(target=_member, args=(theirs, f, args))
            process.start()
            self.members.append((process, ours))

    def run(self):
        for _, conn in self.members:
            assert conn.recv() == "ready"
        start = clock()
        for _, conn in self.members:
            conn.send("go")
        results = [conn.recv() for _, conn in self.members]
        seconds = clock() - start
        for process, _ in self.members:
            process.join()
            assert process.exitcode == 0
        return seconds, results


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def proportional_memory(pid):
    """Bytes of a process, what it shares with others divided by their number."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no Pss line")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) * 1e-9


def pin(cpu):
    """Keeps the calling process on one of the CPUs it may use, counted from 0."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[cpu]})
