"""One measurement of CPython's multiprocessing: side.py GROUP.ROW [ARGUMENT].

Prints `value N` (in seconds, bytes, or per second), or `point N COST` lines
for a row of several sizes. A wrong result is an AssertionError and exit code 1.
"""
import importlib
import sys


def main():
    group, row = sys.argv[1].split(".")
    measure = getattr(importlib.import_module("rows_" + group), row)
    result = measure(*map(int, sys.argv[2:]))
    if isinstance(result, dict):
        for size, cost in result.items():
            print("point", size, repr(cost))
    else:
        print("value", repr(result))


if __name__ == "__main__":
    main()
