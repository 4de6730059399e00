import multiprocessing as mp
import os
import time

from measure import best, children_of, clock, cpu_seconds, timed


def same(x):
    return x


def costs(sizes, f):
    """size -> cost per item, where f(size) returns the seconds of size items."""
    return {size: best(max(1, 2000 // size), f, size) / size for size in sizes}


def queue_items():
    queue = mp.Queue()

    def run(size):
        start = clock()
        for i in range(size):
            queue.put(i)
        for i in range(size):
            assert queue.get() == i
        return clock() - start

    return costs([1000, 10_000, 100_000], run)


def queues():
    """100 is what 1024 descriptors allow with room to spare."""
    per_size = 1000
    result = {}
    for size in (1, 10, 100):
        all_queues = [mp.Queue() for _ in range(size)]
        start = clock()
        for i in range(per_size):
            queue = all_queues[i % size]
            queue.put(i)
            assert queue.get() == i
        result[size] = (clock() - start) / per_size
    return result


def map_items():
    with mp.Pool(2) as pool:

        def run(size):
            start = clock()
            results = pool.map(same, range(size))
            seconds = clock() - start
            assert results[-1] == size - 1
            return seconds

        return costs([1000, 10_000, 100_000, 1_000_000], run)


def imap_items():
    with mp.Pool(2) as pool:

        def run(size):
            start = clock()
            total = sum(pool.imap_unordered(same, range(size)))
            assert total == size * (size - 1) // 2
            return clock() - start

        return costs([1000, 10_000], run)


def map_workers():
    tasks = 100_000
    result = {}
    for workers in (1, 2, 4, 8, 16, 32, 64):
        with mp.Pool(workers) as pool:
            pool.map(same, range(1000))
            result[workers] = best(3, timed, pool.map, same, range(tasks)) / tasks
    return result


def document(_):
    total = 0
    for x in range(1000):
        total += x * x
    return total


def document_workers():
    """The cost for 0 workers is that of a plain loop."""
    tasks = 10_000
    start = clock()
    assert len([document(x) for x in range(tasks)]) == tasks
    result = {0: (clock() - start) / tasks}
    for workers in (1, 2, 4, 8, 16, 32, 64):
        with mp.Pool(workers) as pool:
            pool.map(same, range(1000))
            start = clock()
            assert pool.map(document, range(tasks))[-1] == 332833500
            result[workers] = (clock() - start) / tasks
    return result


def dict_keys():
    reads = 1000
    result = {}
    with mp.Manager() as manager:
        for size in (1000, 10_000, 100_000):
            shared = manager.dict({i: i for i in range(size)})
            start = clock()
            key = 0
            for _ in range(reads):
                key = (key + 7919) % size
                assert shared[key] == key
            result[size] = (clock() - start) / reads
    return result


def idle():
    with mp.Pool(64) as pool:
        pool.map(same, range(1000))
        time.sleep(0.3)
        family = children_of(os.getpid()) + [os.getpid()]
        assert len(family) == 65
        before = sum(map(cpu_seconds, family))
        start = clock()
        time.sleep(1)
        own = cpu_seconds(os.getpid())
        after = sum(map(cpu_seconds, family))
        looking = cpu_seconds(os.getpid()) - own
        return max(0, after - before - looking) / (clock() - start)
