"""Keys: the pickle of a tuple does not depend on the identity of its parts.

SPDX-License-Identifier: Apache-2.0
"""

import pickle
import pickletools

import pytest

import diskcache
from diskcache import _core

TUPLES = [
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    ((),),
    ((1, (2, (3,))), 4),
    (None, True, False),
    (0, 255, 256, 65535, 65536, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1),
    (2**63 - 1, -(2**63), 2**40, -(2**40), 2**39, 2**47, -(2**47) - 1),
    (1.5, -0.0, float('inf')),
    ('', 'a', 'é', 'x' * 255, 'y' * 256, '\0'),
    (b'', b'a', b'x' * 255, b'y' * 256),
    ('module.function', 1, 'x', None, 'key', 2.5),
]


def optimized(key, protocol):
    return pickletools.optimize(pickle.dumps(key, protocol))


def another(text):
    return text[:1] + text[1:]


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.parametrize('key', TUPLES, ids=lambda key: repr(key)[:30])
def test_a_tuple_without_repetition_is_pickled_as_5_6_3_does(key, protocol):
    assert _core.key_pickle(key, protocol) == optimized(key, protocol)


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    'key',
    [None, True, 2**64, (2**64,), frozenset([1]), (frozenset([1]), 'a'), ('x' * 70000,), ('\ud800',)],
    ids=lambda key: repr(key)[:30],
)
def test_what_is_the_picklers_is_left_to_it(key, protocol):
    assert _core.key_pickle(key, protocol) == optimized(key, protocol)


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_equal_tuples_have_one_pickle(protocol):
    word = 'word'
    keys = [
        (word, word, (word, 1)),
        (word, another(word), (word, 1)),
        (word, another(word), (another(word), 1)),
    ]
    assert len({optimized(key, protocol) for key in keys}) == 3
    assert len({_core.key_pickle(key, protocol) for key in keys}) == 1
    for key in keys:
        assert pickle.loads(_core.key_pickle(key, protocol)) == key
        forms = _core.key_aliases(keys[0], protocol) + [_core.key_pickle(key, protocol)]
        assert optimized(key, protocol) in forms


def test_numbers_that_are_equal_and_not_the_same_stay_apart():
    keys = [(1, 'a'), (1.0, 'a'), (True, 'a')]
    assert len({_core.key_pickle(key, 5) for key in keys}) == 3


@pytest.mark.parametrize('count', [2, 3, 4, 7, 40])
def test_there_are_never_too_many_other_forms(count):
    key = tuple(another('word') for _ in range(count))
    forms = _core.key_aliases(key, 5)
    assert len(forms) == len(set(forms)) and 1 <= len(forms) <= 32
    assert all(pickle.loads(form) == key for form in forms)


def test_an_item_is_found_replaced_and_removed_under_another_form(tmp_path):
    word = 'word'
    shared, apart = (word, word), (word, another(word))
    with diskcache.Cache(tmp_path) as cache:
        cache['marker'] = 0
        insert = (
            'INSERT INTO Cache (key, raw, store_time, access_time, mode, value)'
            ' VALUES (?, 0, 0, 0, 1, 5)'
        )
        cache._sql(insert, (optimized(shared, 5),))
        for key in (shared, apart):
            assert cache[key] == 5 and key in cache and cache.get_many([key]) == {key: 5}
        assert cache.add(apart, 6) is False
        assert cache.incr(apart) == 6 and len(cache) == 2
        cache[apart] = 7
        assert cache.set_many({apart: 8}) and len(cache) == 2 and cache[shared] == 8
        assert cache.delete_many([apart]) == 1 and len(cache) == 1
        cache[apart] = 9
        assert cache.pop(shared) == 9 and len(cache) == 1
