import multiprocessing as mp
import time

from measure import Team, best, clock, pin, timed

UNCONTENDED = 100_000
IDLE = 0.002  # seconds after which whoever waits is asleep, not spinning


def lock():
    held = mp.Lock()

    def run():
        for _ in range(UNCONTENDED):
            held.acquire()
            held.release()

    return best(5, timed, run) / UNCONTENDED


def guard():
    held = mp.Lock()

    def run():
        for _ in range(UNCONTENDED):
            with held:
                pass

    return best(5, timed, run) / UNCONTENDED


def add_ones(held, value, count, cpu):
    pin(cpu)
    for _ in range(count):
        held.acquire()
        value.value = value.value + 1
        held.release()


def contended():
    count = 50_000
    held, value = mp.Lock(), mp.RawValue("q", 0)
    team = Team(*((add_ones, held, value, count, cpu) for cpu in (0, 1)))
    seconds, _ = team.run()
    assert value.value == 2 * count
    return 2 * count / seconds


def take_turns(condition, turn, me, count, cpu):
    pin(cpu)
    with condition:
        for _ in range(count):
            while turn.value != me:
                condition.wait()
            turn.value = 1 - me
            condition.notify()


def condition_awake():
    count = 1000
    condition, turn = mp.Condition(), mp.RawValue("i", 0)
    team = Team(*((take_turns, condition, turn, me, count, me) for me in (0, 1)))
    seconds, _ = team.run()
    return seconds / count


def ring_back(mine, other, count, cpu):
    pin(cpu)
    for _ in range(count):
        mine.wait()
        mine.clear()
        other.set()


def event_on(cpu):
    """One wake: half of a round trip."""
    count = 1000
    ping, pong = mp.Event(), mp.Event()
    team = Team((ring_back, ping, pong, count, 0), (ring_back, pong, ping, count, cpu))
    ping.set()
    seconds, _ = team.run()
    return seconds / (2 * count)


def event_awake():
    return event_on(1)


def event_one_core():
    return event_on(0)


def meet(barrier, count, cpu):
    pin(cpu)
    for _ in range(count):
        barrier.wait()


def barrier_awake():
    count = 1000
    barrier = mp.Barrier(2)
    team = Team(*((meet, barrier, count, cpu) for cpu in (0, 1)))
    seconds, _ = team.run()
    return count / seconds


def wait_events(event, woken_at, done, count):
    pin(1)
    for _ in range(count):
        event.wait()
        woken_at.value = clock()
        event.clear()
        done.release()


def wait_condition(condition, flag, woken_at, done, count):
    pin(1)
    for _ in range(count):
        with condition:
            while not flag.value:
                condition.wait()
            woken_at.value = clock()
            flag.value = 0
        done.release()


def wait_barrier(barrier, woken_at, done, count):
    pin(1)
    for _ in range(count):
        barrier.wait()
        woken_at.value = clock()
        done.release()


def median(list):
    return sorted(list)[len(list) // 2]


def wake(waiter, arguments, signal):
    """Seconds from a signal to the return of the process that slept for it."""
    count = 50
    woken_at, done = mp.RawValue("d", 0), mp.Semaphore(0)
    process = mp.Process(target=waiter, args=(*arguments, woken_at, done, count))
    process.start()
    pin(0)
    costs = []
    for _ in range(count):
        time.sleep(IDLE)
        start = clock()
        signal()
        done.acquire()
        costs.append(woken_at.value - start)
    process.join()
    assert process.exitcode == 0
    return median(costs)


def event_asleep():
    event = mp.Event()
    return wake(wait_events, (event,), event.set)


def condition_asleep():
    condition, flag = mp.Condition(), mp.RawValue("i", 0)

    def signal():
        with condition:
            flag.value = 1
            condition.notify()

    return wake(wait_condition, (condition, flag), signal)


def barrier_asleep():
    barrier = mp.Barrier(2)
    return 1 / wake(wait_barrier, (barrier,), barrier.wait)
