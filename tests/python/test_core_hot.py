"""The way of the methods that are called most: no Python code of ours on it, the GIL let go once.

SPDX-License-Identifier: Apache-2.0
"""

import os
import sys

import pytest

import diskcache

HERE = os.path.dirname(diskcache.__file__)
KEYS = (1, 'text', b'bytes', 2.5, ('a', 1), None, frozenset([1]))
VALUES = (1, 'text', b'bytes', 2.5, None, [1, 'a'], {'k': (1, 2)}, 'x' * 40_000, b'x' * 40_000)


@pytest.fixture(params=['Cache', 'FanoutCache', 'Index'])
def cache(request, tmp_path):
    if request.param == 'Index':
        yield diskcache.Index(str(tmp_path)).cache
    else:
        with getattr(diskcache, request.param)(tmp_path) as cache:
            yield cache


def frames_of_ours(function):
    """Names of the Python functions of the package that run when it is called."""
    seen = []

    def note(frame, event, argument):
        if event == 'call' and frame.f_code.co_filename.startswith(HERE):
            seen.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return seen


def test_the_profile_sees_python_functions(cache):
    assert frames_of_ours(lambda: cache.ttl('none')) == ['ttl']


@pytest.mark.parametrize('key', KEYS, ids=repr)
def test_hot_methods_have_no_python_frame(cache, key):
    def work():
        for value in VALUES:
            cache.set(key, value)
            cache.get(key)
            cache[key] = value
            assert cache[key] == value and key in cache
            cache.add(key, value)
            cache.touch(key, expire=60)
            assert cache.pop(key) == value
            cache.incr(key)
            cache.decr(key, 3)
            cache.delete(key)
            cache.add(key, value)
            del cache[key]
            assert cache.get(key) is None and key not in cache

    assert frames_of_ours(work) == []


def test_those_of_many_items_have_none_either(cache):
    def work():
        cache.set_many({key: 1 for key in KEYS})
        assert len(cache.get_many(KEYS)) == len(KEYS) == len(list(cache))
        assert list(cache.values()) == [1] * len(KEYS) and len(list(cache.items())) == len(KEYS)
        cache.delete_many(KEYS)

    assert frames_of_ours(work) == []
