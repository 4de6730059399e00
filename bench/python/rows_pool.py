import multiprocessing as mp
import os

from measure import best, children_of, clock, proportional_memory, timed

TASKS = 100_000


def same(x):
    return x


def document(_):
    """The documents' f."""
    total = 0
    for x in range(1000):
        total += x * x
    return total


def map():
    with mp.Pool(2) as pool:
        assert pool.map(same, range(TASKS)) == list(range(TASKS))
        return TASKS / best(3, timed, pool.map, same, range(TASKS))


map_list = map


def message():
    count = 5000
    with mp.Pool(2) as pool:
        start = clock()
        result = pool.map(same, range(count), 1)
        seconds = clock() - start
        assert result == list(range(count))
        return count / seconds


def imap_unordered():
    count = 5000
    with mp.Pool(2) as pool:
        start = clock()
        total = sum(pool.imap_unordered(same, range(count)))
        seconds = clock() - start
        assert total == count * (count - 1) // 2
        return count / seconds


def documents():
    with mp.Pool(2) as pool:
        start = clock()
        result = pool.map(document, range(TASKS))
        seconds = clock() - start
        assert len(result) == TASKS and set(result) == {332833500}
        return seconds


def speedup():
    tasks = range(TASKS // 5)
    start = clock()
    expected = [document(x) for x in tasks]
    sequential = clock() - start
    with mp.Pool(2) as pool:
        start = clock()
        result = pool.map(document, tasks)
        parallel = clock() - start
    assert result == expected
    return sequential / parallel


def apply():
    count = 500
    with mp.Pool(2) as pool:
        pool.apply(same, (0,))
        start = clock()
        for i in range(count):
            assert pool.apply(same, (i,)) == i
        return (clock() - start) / count


def life(workers):
    pool = mp.Pool(workers)
    pool.close()
    pool.join()


def life_2():
    return best(5, timed, life, 2)


def life_8():
    return best(5, timed, life, 8)


def memory():
    with mp.Pool(4) as pool:
        pool.map(same, range(1000))
        workers = children_of(os.getpid())
        assert len(workers) == 4
        return sum(proportional_memory(pid) for pid in workers) / 4
