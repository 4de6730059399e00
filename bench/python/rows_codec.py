import pickle

from measure import best, timed


def tree(nodes):
    """A binary tree of so many nodes, each a list of its children."""
    if nodes == 1:
        return []
    left = nodes // 2
    right = nodes - 1 - left
    return [tree(left), tree(right)] if right else [tree(left)]


values = {
    "integer": (1_000_000, 50_000),
    "string": ("hello world", 50_000),
    "list": (list(range(1, 1001)), 3000),
    "tables": ([{"id": i, "name": f"item {i}", "ok": True} for i in range(1, 101)], 1000),
    "tree": (tree(10_000), 20),
}


def encode(name):
    value, count = values[name]
    dumps = pickle.dumps
    assert pickle.loads(dumps(value)) == value

    def run():
        for _ in range(count):
            dumps(value)

    return best(5, timed, run) / count


def decode(name):
    value, count = values[name]
    data = pickle.dumps(value)
    loads = pickle.loads
    assert loads(data) == value

    def run():
        for _ in range(count):
            loads(data)

    return best(5, timed, run) / count


def encode_integer():
    return encode("integer")


def decode_integer():
    return decode("integer")


def encode_string():
    return encode("string")


def decode_string():
    return decode("string")


def encode_list():
    return encode("list")


def decode_list():
    return decode("list")


def encode_tables():
    return encode("tables")


def decode_tables():
    return decode("tables")


def encode_tree():
    return encode("tree")


def decode_tree():
    return decode("tree")
