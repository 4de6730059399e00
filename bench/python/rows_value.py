import multiprocessing as mp

from measure import best, timed

# Loops are shorter than a time slice, see bench/rows/value.lua.
COUNT = 20_000
TIMES = 30
DOUBLES = 1_000_000


def rate(loop):
    return COUNT / best(TIMES, timed, loop)


def locked_increment():
    value = mp.Value("q", 0)

    def loop():
        for _ in range(COUNT):
            with value.get_lock():
                value.value += 1

    result = rate(loop)
    assert value.value == TIMES * COUNT
    return result


def read_of(value):
    def loop():
        for _ in range(COUNT):
            value.value  # pylint: disable=pointless-statement

    assert value.value == 7
    return rate(loop)


def write_of(value):
    def loop():
        for i in range(COUNT):
            value.value = i

    result = rate(loop)
    assert value.value == COUNT - 1
    return result


def read():
    return read_of(mp.Value("q", 7))


def write():
    return write_of(mp.Value("q", 0))


def raw_read():
    return read_of(mp.RawValue("q", 7))


def raw_write():
    return write_of(mp.RawValue("q", 0))


def element_read(array):
    def loop():
        for i in range(COUNT):
            array[i]  # pylint: disable=pointless-statement

    assert array[COUNT - 1] == COUNT - 1
    return rate(loop)


def element_write(array):
    def loop():
        for i in range(COUNT):
            array[i] = i

    result = rate(loop)
    assert array[COUNT - 1] == COUNT - 1
    return result


def array_read():
    return element_read(mp.Array("q", range(COUNT)))


def array_write():
    return element_write(mp.Array("q", COUNT))


def raw_array_read():
    return element_read(mp.RawArray("q", range(COUNT)))


def raw_array_write():
    return element_write(mp.RawArray("q", COUNT))


def bytes_per_second(f):
    f()
    return 8 * DOUBLES / best(3, timed, f)


def array_to_list():
    array = mp.RawArray("d", DOUBLES)
    array[DOUBLES - 1] = 0.5
    assert array[:][-1] == 0.5
    return bytes_per_second(lambda: array[:])


def array_from_list():
    array = mp.RawArray("d", DOUBLES)
    values = [i + 0.5 for i in range(DOUBLES)]

    def copy():
        array[:] = values

    result = bytes_per_second(copy)
    assert array[DOUBLES - 1] == DOUBLES - 0.5
    return result


def array_to_string():
    array = mp.RawArray("d", DOUBLES)
    array[DOUBLES - 1] = 0.5
    assert len(bytes(array)) == 8 * DOUBLES
    return bytes_per_second(lambda: bytes(array))
