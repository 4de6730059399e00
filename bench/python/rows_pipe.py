import multiprocessing as mp

from measure import best, pin, timed


def echo(conn, cpu):
    pin(cpu)
    while True:
        message = conn.recv()
        if message is None:
            return
        conn.send(message)


def round_trips(conn, count):
    for i in range(count):
        conn.send(i)
        assert conn.recv() == i


def ping_pong(cpu, count):
    ours, theirs = mp.Pipe()
    process = mp.Process(target=echo, args=(theirs, cpu))
    process.start()
    pin(0)
    round_trips(ours, 100)
    seconds = best(3, timed, round_trips, ours, count)
    ours.send(None)
    process.join()
    assert process.exitcode == 0
    return seconds / count


def awake():
    return ping_pong(1, 500)


def one_core():
    return ping_pong(0, 2000)
