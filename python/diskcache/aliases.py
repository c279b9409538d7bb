"""The pickles under which 5.6.3 may have stored a tuple.

A pickler writes an object that it meets again as a reference. Whether two equal strings in a tuple
are one object is chance, so that equal tuples have several pickles. Ours has no references at all;
here are the others, each of which is one way in which equal parts may be one object.
"""

from __future__ import annotations

import itertools
import pickle
import pickletools

LIMIT = 32
MANY = 4  # equal strings; three have five ways, four have fifteen


def pickles(key, protocol):
    """As 5.6.3 would write this very object, then as it might write equal ones."""
    forms = [_pickle(key, protocol)]
    for shared in (True, False):
        for copy in itertools.islice(_copies(key, shared), LIMIT):
            form = _pickle(copy, protocol)
            if form not in forms:
                forms.append(form)
    return forms[:LIMIT]


def _pickle(key, protocol):
    return pickletools.optimize(pickle.dumps(key, protocol))


def _leaves(part):
    if type(part) is tuple:
        for inner in part:
            yield from _leaves(inner)
    elif type(part) in (str, bytes) and len(part) > 1:
        yield type(part), part


def _partitions(count):
    """Ways to divide `count` things into groups: the group of each, counted from 0. Of many things
    only the two that are likely, all in one and each in its own."""
    if count > MANY:
        return [(0,) * count, tuple(range(count))]
    ways = [()]
    for _ in range(count):
        ways = [head + (group,) for head in ways for group in range(max(head, default=-1) + 2)]
    return ways


def _copies(key, shared):
    """Equal tuples, in each of which other equal strings are one object; with `shared`, equal inner
    tuples are one as well."""
    counts = {}
    for leaf in _leaves(key):
        counts[leaf] = counts.get(leaf, 0) + 1
    ways = [_partitions(count) for count in counts.values()]
    for choice in itertools.product(*ways):
        groups = {leaf: iter(groups) for leaf, groups in zip(counts, choice)}
        yield _copy(key, groups, {}, {} if shared else None)


def _copy(part, groups, made, tuples):
    if type(part) is tuple:
        copy = tuple(_copy(inner, groups, made, tuples) for inner in part)
        # 1, 1.0 and True are equal, and written differently
        return copy if tuples is None else tuples.setdefault(repr(copy), copy)
    leaf = type(part), part
    if leaf not in groups:
        return part
    group = next(groups[leaf])
    return made.setdefault((leaf, group), _another(part))


def _another(part):
    """An equal object that is not the same."""
    return part[:1] + part[1:]
