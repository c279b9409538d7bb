"""Index: what a mapping in the order of insertion does, in a directory.

SPDX-License-Identifier: Apache-2.0
"""

import pickle
import threading
from collections import OrderedDict
from collections.abc import ItemsView, KeysView, MutableMapping, ValuesView

import pytest

import compare


@pytest.fixture
def index(package, tmp_path):
    index = package.Index(str(tmp_path / 'index'), [('a', 1), ('b', 2), ('c', 3)])
    yield index
    index.cache.close()


def test_it_is_a_mapping_and_has_no_hash(index):
    assert isinstance(index, MutableMapping)
    assert (len(index), list(index), list(reversed(index))) == (3, list('abc'), list('cba'))
    assert index['b'] == 2 and 'b' in index and 'x' not in index
    with pytest.raises(TypeError):
        hash(index)


def test_what_it_is_made_from(package, tmp_path):
    assert dict(package.Index()) == {} and dict(package.Index(None)) == {}
    assert dict(package.Index({'a': 1}, b=2)) == {'a': 1, 'b': 2}
    assert dict(package.Index([('a', 1)])) == {'a': 1}
    where = str(tmp_path / 'where')
    assert dict(package.Index(where, {'a': 1}, c=3)) == {'a': 1, 'c': 3}
    again = package.Index(where)
    assert dict(again) == {'a': 1, 'c': 3} and again.directory == where
    for bad in ((5,), ({'a': 1}, {'b': 2}), (tmp_path,)):
        with pytest.raises(TypeError):
            package.Index(*bad)


def test_a_key_that_is_replaced_keeps_its_place(index):
    index['a'] = 10
    index['d'] = 4
    assert list(index.items()) == [('a', 10), ('b', 2), ('c', 3), ('d', 4)]
    del index['b']
    index['b'] = 20
    assert list(index) == list('acdb')


def test_a_missing_key(index):
    for operation in (
        lambda: index['x'], lambda: index.__delitem__('x'), lambda: index.pop('x'),
    ):  # fmt: skip
        with pytest.raises(KeyError) as raised:
            operation()
        assert raised.value.args == ('x',)
    assert index.get('x') is None and index.get('x', 5) == 5 and index.get('x', default=6) == 6
    assert index.pop('x', 7) == 7 and index.pop('x', default=None) is None


def test_keys_and_values_of_every_kind(package):
    index = package.Index()
    keys = [None, True, 5, 2**70, -1.5, '', 'text', b'bytes', (1, ('a', None)), frozenset({1})]
    for number, key in enumerate(keys):
        index[key] = [number, 'x' * 40000]
    assert [compare.plain(key) for key in index] == [compare.plain(key) for key in keys]
    assert [index[key][0] for key in keys] == list(range(len(keys)))
    assert [index.pop(key)[0] for key in keys] == list(range(len(keys)))
    assert compare.files(index.directory) == []


def test_each_item_is_popped_by_one(package, tmp_path):
    index = package.Index(str(tmp_path), {number: number for number in range(100)})
    popped = []

    def work():
        for number in range(100):
            popped.append(index.pop(number, None))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item for item in popped if item is not None) == list(range(100))
    with pytest.raises(KeyError):
        index.pop(0, package.ENOVAL)


def test_setdefault_stores_only_what_is_missing(index):
    assert index.setdefault('a', 5) == 1 and index.setdefault('x') is None
    assert index.setdefault('y', default=[6]) == [6] and index['y'] == [6]
    assert index.setdefault(key='y', default=7) == [6]
    assert list(index) == ['a', 'b', 'c', 'x', 'y']


def test_items_at_both_ends(index):
    assert (index.peekitem(), index.peekitem(False), index.peekitem(last=False)) == (
        ('c', 3), ('a', 1), ('a', 1),
    )  # fmt: skip
    assert index.popitem() == ('c', 3)
    assert index.popitem(last=False) == ('a', 1)
    assert index.popitem(True) == ('b', 2)
    for operation in (index.popitem, index.peekitem):
        with pytest.raises(KeyError, match='dictionary is empty'):
            operation()


def test_push_and_pull(index):
    first = index.push('x')
    assert first == 500000000000000 and index.push('y') == first + 1
    assert index.push('w', side='front') == first - 1
    assert index.push('q', 'queue') == 'queue-500000000000000'
    assert index.push(value='r', prefix='queue', side='back') == 'queue-500000000000001'
    assert index.pull() == (first - 1, 'w')
    assert index.pull(side='back') == (first + 1, 'y')
    assert index.pull('queue') == ('queue-500000000000000', 'q')
    assert index.pull(prefix='none', default='nothing', side='back') == 'nothing'
    assert index.pull('none') == (None, None)
    with pytest.raises(KeyError):
        index.push(1, side='middle')


def test_views(index):
    keys, values, items = index.keys(), index.values(), index.items()
    assert (type(keys).__mro__.count(KeysView), len(keys), 'a' in keys) == (1, 3, True)
    assert isinstance(values, ValuesView) and isinstance(items, ItemsView)
    assert (list(values), 2 in values, 9 in values) == ([1, 2, 3], True, False)
    assert (list(items), ('a', 1) in items, ('a', 2) in items) == (
        [('a', 1), ('b', 2), ('c', 3)], True, False,
    )  # fmt: skip
    index['d'] = 4
    assert (list(keys), list(values)[-1], len(items)) == (list('abcd'), 4, 4)
    assert keys & {'a', 'x'} == {'a'} and items - {('a', 1)} == {('b', 2), ('c', 3), ('d', 4)}


def test_views_backwards_and_filtered(ours):
    index = ours.Index([('a1', 1), ('b', 2), ('a2', 3)])
    assert list(reversed(index.keys())) == ['a2', 'b', 'a1']
    assert list(reversed(index.values())) == [3, 2, 1]
    assert list(reversed(index.items())) == [('a2', 3), ('b', 2), ('a1', 1)]
    assert list(index.keys(prefix='a')) == ['a1', 'a2']
    assert list(index.values(prefix='a', reverse=True)) == [3, 1]
    assert list(index.items(start='a2', stop='b')) == [('a2', 3)]


def test_many_keys_at_once(ours):
    index = ours.Index()
    index.set_many({'a': 1, ('b', 2): [2], 'c': None})
    assert index.get_many(['a', 'x', ('b', 2)]) == {'a': 1, ('b', 2): [2]}
    assert index.delete_many(['a', 'x', 'c']) == 2
    assert list(index.items()) == [(('b', 2), [2])]


def test_what_a_mapping_inherits(index):
    index.update({'b': 20}, d=4)
    assert dict(index) == {'a': 1, 'b': 20, 'c': 3, 'd': 4}
    index.clear()
    assert len(index) == 0 and not index and list(index.items()) == []


def test_equality_looks_at_the_order_only_where_there_is_one(package, index):
    assert index == {'c': 3, 'b': 2, 'a': 1} and not index != {'a': 1, 'b': 2, 'c': 3}
    assert index != {'a': 1, 'b': 2} and index != {'a': 1, 'b': 2, 'x': 3}
    assert index != {'a': 1, 'b': 2, 'c': 4}
    assert index == OrderedDict([('a', 1), ('b', 2), ('c', 3)])
    assert index != OrderedDict([('b', 2), ('a', 1), ('c', 3)])
    assert index == package.Index([('a', 1), ('b', 2), ('c', 3)])
    assert index != package.Index([('b', 2), ('a', 1), ('c', 3)])
    assert index == {'a': 1.0, 'b': 2, 'c': 3}  # equal as Python has it
    with pytest.raises(TypeError):
        index == 5


def test_pickling_keeps_the_directory(index):
    other = pickle.loads(pickle.dumps(index))
    assert dict(other) == dict(index) and other.directory == index.directory


def test_repr_names_the_directory(index):
    assert repr(index) == 'Index(%r)' % index.directory


def test_transact_is_all_or_nothing(index):
    with index.transact() as nothing:
        index['a'] += 10
        assert nothing is None
    with pytest.raises(LookupError):
        with index.transact():
            index['a'] = index.pop('b')
            index.setdefault('z', 1)
            index.popitem()
            raise LookupError
    assert list(index.items()) == [('a', 11), ('b', 2), ('c', 3)]


def test_fromcache_uses_the_cache_that_it_is_given(package, tmp_path):
    with package.Cache(tmp_path, eviction_policy='none') as cache:
        index = package.Index.fromcache(cache, {'a': 1}, b=2)
        assert index.cache is cache and index._cache is cache
        assert dict(index) == {'a': 1, 'b': 2} and cache['a'] == 1
        assert index.directory == str(tmp_path)


def test_memoize_keeps_results_in_the_index(index):
    calls = []

    @index.memoize(name='square', typed=True, ignore=(1,))
    def square(x, y=None):
        calls.append(x)
        return x * x

    assert [square(3), square(3), square(3, 5), square(3.0)] == [9, 9, 9, 9.0]
    assert calls == [3, 3.0] and square.__cache_key__(3, 1) in index
    with pytest.raises(TypeError):
        index.memoize(square)


def test_an_expired_item_is_missing(package, tmp_path, clock):
    with package.Cache(tmp_path, eviction_policy='none') as cache:
        cache.set('k', 1, expire=5)
        index = package.Index.fromcache(cache)
        assert index['k'] == 1
        clock.advance(6)
        assert index.get('k') is None and 'k' not in index
        assert index.setdefault('k', 2) == 2 and list(index.items()) == [('k', 2)]


def test_the_hooks_of_a_disk_are_called(package, tmp_path):
    class Upper(package.Disk):
        def put(self, key):
            return super().put('key:' + key)

        def get(self, key, raw):
            return super().get(key, raw)[4:]

        def store(self, value, read, **kwargs):
            return super().store(value.upper(), read, **kwargs)

    with package.Cache(tmp_path, disk=Upper, eviction_policy='none') as cache:
        index = package.Index.fromcache(cache, a='x', b='y')
        assert (index['a'], index.setdefault('c', 'z'), list(index)) == ('X', 'Z', ['a', 'b', 'c'])
        assert (index.popitem(), index.pop('a'), dict(index)) == (('c', 'Z'), 'X', {'b': 'Y'})
        assert [row['key'] for row in compare.rows(tmp_path)] == [('str', 'key:b')]


@pytest.mark.parametrize('writer', ['ours', 'oracle'])
def test_directories_of_the_other_package(writer, ours, oracle, tmp_path):
    one, other = (ours, oracle) if writer == 'ours' else (oracle, ours)
    first = one.Index(str(tmp_path), {'a': 1, (1, 'b'): [2], 5: 'x' * 40000})
    first.push('pushed', 'queue')
    wanted = compare.plain(list(first.items()))
    first.cache.close()
    second = other.Index(str(tmp_path))
    assert compare.plain(list(second.items())) == wanted
    assert second.popitem() == ('queue-500000000000000', 'pushed') and second.pop((1, 'b')) == [2]
    second['new'] = None
    assert compare.within_50_ms(lambda: list(first) == ['a', 5, 'new'])
