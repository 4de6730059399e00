from multiprocessing.managers import BaseManager

from measure import best, timed

COUNT = 2000


class Counter:
    def __init__(self):
        self.n = 0

    def add(self, k):
        self.n += k
        return self.n


class Manager(BaseManager):
    pass


Manager.register("Counter", Counter)


def calls(counter, count):
    for _ in range(count):
        counter.add(1)


def proxy():
    with Manager() as manager:
        counter = manager.Counter()
        calls(counter, 100)
        seconds = best(3, timed, calls, counter, COUNT)
        assert counter.add(0) == 100 + 3 * COUNT
        return seconds / COUNT
