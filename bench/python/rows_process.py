import multiprocessing as mp

from measure import best, timed


def nothing():
    pass


def start_join(context, count):
    for _ in range(count):
        process = context.Process(target=nothing)
        process.start()
        process.join()
        assert process.exitcode == 0


def per_process(method, count):
    context = mp.get_context(method)
    start_join(context, 1)
    return best(3, timed, start_join, context, count) / count


def heap():
    """200 MB of objects of 1 KB."""
    return [bytes([i % 256]) * 1000 for i in range(200_000)]


def fork():
    return per_process("fork", 20)


def fork_heap():
    held = heap()
    assert len(held) == 200_000
    return per_process("fork", 3)


def forkserver():
    return per_process("forkserver", 4)


def forkserver_heap():
    held = heap()
    assert len(held) == 200_000
    return per_process("forkserver", 4)


def spawn():
    return per_process("spawn", 2)
