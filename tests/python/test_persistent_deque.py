"""Deque: what a sequence does, in a directory.

SPDX-License-Identifier: Apache-2.0
"""

import math
import pickle
from collections import deque as plain_deque
from collections.abc import Sequence

import pytest

import compare
from packages import is_ours


@pytest.fixture
def deque(package, tmp_path):
    deque = package.Deque('abcde', directory=tmp_path / 'deque')
    yield deque
    deque.cache.close()


def test_it_is_a_sequence_and_has_no_hash(deque):
    assert isinstance(deque, Sequence)
    assert (list(deque), list(reversed(deque)), len(deque)) == (list('abcde'), list('edcba'), 5)
    assert 'c' in deque and 'x' not in deque and deque.index('d') == 3
    with pytest.raises(TypeError):
        hash(deque)


def test_indices_from_both_ends(deque):
    assert [deque[index] for index in (0, 4, -1, -5)] == ['a', 'e', 'e', 'a']
    deque[1], deque[-1] = 'B', 'E'
    assert list(deque) == ['a', 'B', 'c', 'd', 'E']
    del deque[2], deque[-2]
    assert list(deque) == ['a', 'B', 'E']
    deque[True] = 'one'
    assert deque[1] == 'one'


@pytest.mark.parametrize('index', [5, -6, 2**62])
def test_an_index_out_of_range(deque, index):
    for operation in (deque.__getitem__, deque.__delitem__, lambda i: deque.__setitem__(i, 'x')):
        with pytest.raises(IndexError, match='deque index out of range'):
            operation(index)


@pytest.mark.parametrize('index', ['a', None, slice(1)])
def test_an_index_that_is_no_number(deque, index):
    with pytest.raises(TypeError):
        deque[index]


def test_both_ends(deque):
    assert deque.append('f') is None and deque.appendleft('Z') is None
    assert (deque.peek(), deque.peekleft()) == ('f', 'Z')
    assert (deque.pop(), deque.popleft(), deque.pop(), deque.popleft()) == ('f', 'Z', 'e', 'a')
    assert deque.append(value=1) is None and deque.appendleft(value=2) is None
    assert list(deque) == [2, 'b', 'c', 'd', 1]


def test_an_empty_deque_has_no_ends(package):
    deque = package.Deque()
    for name, word in (('pop', 'pop'), ('popleft', 'pop'), ('peek', 'peek'), ('peekleft', 'peek')):
        with pytest.raises(IndexError, match='%s from an empty deque' % word):
            getattr(deque, name)()
    assert not deque and deque.rotate(3) is None and deque.reverse() is None


VALUES = [
    None, True, 0, -1, 2**70, 1.5, '', 'text', b'', b'\0', (1, 'a'), [], {'a': {1}},
    'x' * 40000, b'y' * 40000, list(range(20000)),
]  # fmt: skip


def test_every_kind_of_value_goes_in_and_out(package):
    deque = package.Deque(VALUES)
    assert [compare.plain(item) for item in deque] == [compare.plain(value) for value in VALUES]
    assert [compare.plain(deque[i]) for i in range(len(VALUES))] == [compare.plain(v) for v in VALUES]
    assert [compare.plain(deque.popleft()) for _ in VALUES] == [compare.plain(v) for v in VALUES]
    assert compare.files(deque.directory) == []


def test_extend_takes_whatever_can_be_walked_over(deque):
    deque.extend(item for item in 'fg')
    deque.extendleft('Z')
    deque += ('h', 'i')
    deque.extend(set())
    deque.extend(iterable=range(2))
    deque.extendleft(iterable={'left': 1})
    assert list(deque) == ['left', 'Z', *'abcdefghi', 0, 1]
    deque.extend(range(3000))
    assert (len(deque), deque[-1], deque[13]) == (3013, 2999, 0)
    with pytest.raises(TypeError):
        deque.extend(5)


def test_what_comes_before_a_failure_is_appended(deque):
    def items():
        yield 'f'
        raise LookupError

    with pytest.raises(LookupError):
        deque.extend(items())
    with pytest.raises((AttributeError, pickle.PicklingError)):
        deque.extend(['g', lambda: None, 'never'])
    assert list(deque) == list('abcdefg')


def test_extend_with_itself(ours):
    deque = ours.Deque('ab')
    deque.extend(deque)
    assert list(deque) == list('abab')  # 5.6.3 never ends
    deque.extendleft(deque)
    assert list(deque) == list('babaabab')


def test_each_item_of_an_endless_iterator_is_there_when_it_comes(deque):
    def items():
        for number in range(3):
            assert len(deque) == 5 + number
            yield number

    deque.extend(items())


@pytest.mark.parametrize('steps', [0, 1, 2, -1, -2, 5, 7, -7, 100])
def test_rotate_as_a_plain_deque_does(deque, steps):
    plain = plain_deque('abcde')
    plain.rotate(steps)
    deque.rotate(steps)
    assert list(deque) == list(plain)


@pytest.mark.parametrize('steps', ['1', 1.0, None])
def test_rotate_takes_integers_only(deque, steps):
    with pytest.raises(TypeError, match='integer'):
        deque.rotate(steps)


def test_rotate_by_one_is_the_default_and_steps_its_name(deque):
    deque.rotate()
    assert list(deque) == list('eabcd')
    deque.rotate(steps=-1)
    assert list(deque) == list('abcde')


def test_reverse_keeps_directory_and_values(deque):
    deque.append('x' * 40000)
    directory = deque.directory
    deque.reverse()
    assert list(deque) == ['x' * 40000, *'edcba'] and deque.directory == directory
    assert len(compare.files(directory)) == 1


def test_remove_and_count_compare_as_python_does(package):
    deque = package.Deque([1, True, 1.0, 'a', [1], 'a', b'a', None])
    assert [deque.count(v) for v in (1, 'a', [1], None, 'x')] == [3, 2, 1, 1, 0]
    deque.remove(True)
    deque.remove(value='a')
    assert compare.plain(list(deque)) == compare.plain([True, 1.0, [1], 'a', b'a', None])
    with pytest.raises(ValueError, match='not in deque'):
        deque.remove('x')
    assert deque[2] == [1]


def test_removing_in_the_middle_keeps_the_indices_right(package):
    deque = package.Deque(range(100))
    for number in range(0, 100, 3):
        deque.remove(number)
    left = [number for number in range(100) if number % 3]
    assert [deque[index] for index in range(len(left))] == left
    assert [deque[index] for index in range(-1, -len(left) - 1, -1)] == left[::-1]
    deque.rotate(5)
    deque.reverse()
    plain = plain_deque(left)
    plain.rotate(5)
    plain.reverse()
    assert list(deque) == list(plain)


def test_comparison_with_any_sequence(deque):
    assert deque == list('abcde') and deque == tuple('abcde') and deque == 'abcde'
    assert not deque == list('abcd') and deque != list('abcd') and not deque != list('abcde')
    assert deque < list('abcdf') and deque <= list('abcde') and deque > list('abcd')
    assert deque >= list('aaaaaa') and not deque < list('abcde') and deque > []
    assert deque != {1} and not deque == {1}
    assert deque == plain_deque('abcde') and deque > plain_deque('abc')
    with pytest.raises(TypeError):
        deque < {1}


def test_maxlen_drops_from_the_other_end(package, tmp_path):
    deque = package.Deque('abc', directory=tmp_path, maxlen=3)
    assert deque.maxlen == 3
    deque.append('d')
    assert list(deque) == list('bcd')
    deque.appendleft('A')
    assert list(deque) == list('Abc')
    deque.extend('xyz12')
    assert list(deque) == list('z12')
    deque.extendleft('98')
    assert list(deque) == list('89z')
    deque.maxlen = 2
    assert (deque.maxlen, list(deque)) == (2, list('9z'))
    assert package.Deque('abcd', maxlen=0).maxlen == 0


def test_no_maxlen_is_infinity(deque):
    assert deque.maxlen == math.inf
    deque.maxlen = 3
    deque.maxlen = math.inf
    assert (deque.maxlen, list(deque)) == (math.inf, list('cde'))


def test_maxlen_that_cannot_be(ours):
    deque = ours.Deque('abc')
    for bad, error in ((-1, ValueError), ('x', TypeError), (2**70, OverflowError)):
        with pytest.raises(error):
            deque.maxlen = bad
    deque.maxlen = None
    assert (deque.maxlen, list(deque)) == (math.inf, list('abc'))


def test_a_copy_is_another_object_on_the_same_directory(deque):
    other = deque.copy()
    assert type(other) is type(deque) and other is not deque
    other.append('f')
    assert deque == other and deque.directory == other.directory


def test_pickling_keeps_directory_and_maxlen(deque):
    deque.maxlen = 4
    other = pickle.loads(pickle.dumps(deque))
    assert (list(other), other.maxlen, other.directory) == (list('bcde'), 4, deque.directory)


def test_repr_names_the_directory(deque):
    assert repr(deque) == 'Deque(directory=%r)' % deque.directory


def test_clear(deque):
    deque.clear()
    assert (list(deque), len(deque)) == ([], 0)
    deque.append('a')
    assert list(deque) == ['a']


def test_transact_is_all_or_nothing(deque):
    with deque.transact() as nothing:
        deque.append(deque.popleft())
        assert nothing is None
    assert list(deque) == list('bcdea')
    with pytest.raises(LookupError):
        with deque.transact():
            deque.rotate()
            deque.clear()
            deque.append('x')
            raise LookupError
    assert list(deque) == list('bcdea')


def test_fromcache_uses_the_cache_that_it_is_given(package, tmp_path):
    with package.Cache(tmp_path, eviction_policy='none') as cache:
        deque = package.Deque.fromcache(cache, 'abc', maxlen=2)
        assert deque.cache is cache and deque._cache is cache
        assert (list(deque), deque.directory) == (['b', 'c'], str(tmp_path))
        assert list(package.Deque.fromcache(cache, iterable=['d'])) in (list('bcd'), list('cd'))


def test_a_subclass_is_what_copy_and_fromcache_make(package, tmp_path):
    class Mine(package.Deque):
        def first(self):
            return self[0]

    deque = Mine('ab', directory=tmp_path)
    assert deque.first() == 'a' and deque.copy().first() == 'a' and type(deque.copy()) is Mine
    assert type(Mine.fromcache(deque.cache)) is Mine and repr(deque).startswith('Mine(')


def test_iteration_beside_writers(deque):
    seen = []
    for item in deque:
        seen.append(item)
        if item == 'a':
            deque.pop()
    assert seen[:4] == list('abcd') and set(seen) <= set('abcde')
    assert list(deque) == list('abcd')


class Reversing:
    """Mixed into Disk: values are kept reversed."""

    def store(self, value, read, **kwargs):
        return super().store(value[::-1], read, **kwargs)

    def fetch(self, mode, filename, value, read):
        return super().fetch(mode, filename, value, read)[::-1]


def test_the_hooks_of_a_disk_are_called(package, tmp_path):
    disk = type('Reversed', (Reversing, package.Disk), {})
    with package.Cache(tmp_path, disk=disk, eviction_policy='none', disk_min_file_size=10) as cache:
        deque = package.Deque.fromcache(cache, ['abc', 'longer than ten'])
        deque.appendleft('xyz')
        deque[1] = 'a value for a file'
        assert compare.rows(tmp_path)[0]['value'] == ('bytes', b'elif a rof eulav a')
        assert list(deque) == ['xyz', 'a value for a file', 'longer than ten']
        assert (deque.peek(), deque[0], deque.pop()) == ('longer than ten', 'xyz', 'longer than ten')
        deque.reverse()
        deque.rotate()
        assert [deque.popleft(), deque.pop()] == ['xyz', 'a value for a file']
        assert compare.files(tmp_path) == []


def test_a_json_disk(package, tmp_path):
    with package.Cache(tmp_path, disk=package.JSONDisk, eviction_policy='none') as cache:
        deque = package.Deque.fromcache(cache)
        deque.append({'a': [1, None]})
        if is_ours(package):  # 5.6.3 cannot read back the keys of a queue
            deque.extend(['x', 2.5])
            assert list(deque) == [{'a': [1, None]}, 'x', 2.5]
        assert deque.pop() in ({'a': [1, None]}, 2.5)


@pytest.mark.parametrize('writer', ['ours', 'oracle'])
def test_directories_of_the_other_package(writer, ours, oracle, tmp_path):
    one, other = (ours, oracle) if writer == 'ours' else (oracle, ours)
    first = one.Deque(VALUES, directory=tmp_path)
    first.rotate(3)
    first.appendleft('left')
    wanted = compare.plain(list(first))
    first.cache.close()
    second = other.Deque(directory=tmp_path)
    assert compare.plain(list(second)) == wanted
    assert second.popleft() == 'left'
    second.append('right')
    assert len(second) == len(VALUES) + 1  # which has it brought to SQLite
    assert first.pop() == 'right' and len(first) == len(VALUES)


def test_what_is_no_cache_is_refused(ours):
    for bad in (5, None, object(), {}):
        with pytest.raises(TypeError):
            ours.Deque.fromcache(bad)
    deque = ours.Deque.__new__(ours.Deque)
    for operation in (deque.pop, lambda: deque.append(1), lambda: len(deque), lambda: deque[0]):
        with pytest.raises(AttributeError):
            operation()
