import multiprocessing as mp

from measure import Team, best, clock


def produce(queue, count):
    for i in range(1, count + 1):
        queue.put(i)


def consume(queue, count):
    total = 0
    for _ in range(count):
        total += queue.get()
    return total


def one_to_one():
    count = 50_000
    queue = mp.Queue()
    team = Team((produce, queue, count), (consume, queue, count))
    seconds, results = team.run()
    assert results[1] == count * (count + 1) // 2
    return count / seconds


def four_to_four():
    count = 10_000
    queue = mp.Queue()
    calls = [(produce, queue, count)] * 4 + [(consume, queue, count)] * 4
    seconds, results = Team(*calls).run()
    assert sum(results[4:]) == 4 * count * (count + 1) // 2
    return 4 * count / seconds


STRING = 64 << 20


def put_string(queue, value, count):
    for _ in range(count):
        queue.put(value)


def get_strings(queue, count):
    for _ in range(count):
        value = queue.get()
        assert len(value) == STRING and value[-1] == ord("x")


def strings():
    """The first message of a queue."""
    queue = mp.Queue()
    team = Team((put_string, queue, b"x" * STRING, 1), (get_strings, queue, 1))
    seconds, _ = team.run()
    return STRING / seconds


def strings_warm():
    """A message of a queue that has carried others."""
    queue = mp.Queue()
    process = mp.Process(target=put_string, args=(queue, b"x" * STRING, 3))
    process.start()
    get_strings(queue, 1)
    start = clock()
    get_strings(queue, 2)
    seconds = clock() - start
    process.join()
    return 2 * STRING / seconds
