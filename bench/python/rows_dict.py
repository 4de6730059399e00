import multiprocessing as mp

from measure import Team, clock

COUNT = 3000
KEYS = [f"key {i}" for i in range(1, 1001)]


def read_all(shared, count):
    for i in range(count):
        assert shared[KEYS[i % 1000]] is not None


def write_all(shared, count):
    for i in range(count):
        shared[KEYS[i % 1000]] = i


def filled(manager):
    shared = manager.dict()
    shared.update({key: i for i, key in enumerate(KEYS)})
    return shared


def alone(f):
    with mp.Manager() as manager:
        shared = filled(manager)
        start = clock()
        f(shared, COUNT)
        seconds = clock() - start
        assert len(shared) == 1000
        return COUNT / seconds


def together(f):
    with mp.Manager() as manager:
        shared = filled(manager)
        seconds, _ = Team((f, shared, COUNT), (f, shared, COUNT)).run()
        assert len(shared) == 1000
        return 2 * COUNT / seconds


def get():
    return alone(read_all)


def set():
    return alone(write_all)


def get_by_2():
    return together(read_all)


def set_by_2():
    return together(write_all)
