"""What users of Cache rely upon, on ours and on 5.6.3.

SPDX-License-Identifier: Apache-2.0
"""

import io
import os
import sqlite3
import time
import warnings

import pytest

import compare
from differences import differs
from packages import is_ours


def test_set_get_and_the_operators(cache):
    assert cache.set('k', 'value') is True
    assert cache.get('k') == cache['k'] == 'value'
    cache['k'] = 'new'
    assert cache['k'] == 'new' and 'k' in cache and len(cache) == 1
    del cache['k']
    assert 'k' not in cache and cache.get('k') is None and cache.get('k', 'default') == 'default'
    with pytest.raises(KeyError) as raised:
        cache['k']
    assert raised.value.args == ('k',)
    with pytest.raises(KeyError) as raised:
        del cache['k']
    assert raised.value.args == ('k',)
    with pytest.raises(KeyError):
        cache.read('k')


def test_none_is_a_value(cache):
    cache['k'] = None
    assert cache['k'] is None and 'k' in cache and cache.get('k', 'default') is None
    assert cache.pop('k', 'default') is None and cache.pop('k', 'default') == 'default'


def test_add_stores_only_what_is_not_there(cache, clock):
    assert cache.add('k', 1, expire=1) is True
    assert cache.add('k', 2) is False and cache['k'] == 1
    clock.advance(2)
    assert cache.add('k', 3) is True and cache['k'] == 3
    assert cache.get('k', expire_time=True) == (3, None)


def test_expiry(cache, clock):
    cache.set('k', 'value', expire=2, tag='tag')
    assert cache.get('k', expire_time=True, tag=True) == ('value', clock.now + 2, 'tag')
    assert cache.get('missing', expire_time=True, tag=True) == (None, None, None)
    assert cache.get('missing', 'd', expire_time=True) == ('d', None)
    clock.advance(3)
    assert cache.get('k') is None and 'k' not in cache
    with pytest.raises(KeyError):
        del cache['k']
    assert cache.pop('k', 'default', expire_time=True, tag=True) == ('default', None, None)
    assert cache.touch('k', expire=5) is False
    assert cache.delete('k') is False


def test_touch(cache, clock):
    cache.set('k', 1)
    assert cache.touch('k', expire=1) is True
    assert cache.get('k', expire_time=True) == (1, clock.now + 1)
    clock.advance(2)
    assert cache.touch('k', expire=1) is False and cache.touch('missing') is False


def test_incr_and_decr(cache, clock):
    assert cache.incr('k') == 1 and cache.incr('k', 10) == 11 and cache.decr('k', 2) == 9
    assert cache.incr('new', 1, default=100) == 101 and cache.decr('down') == -1
    assert cache.incr('float', 0.5, default=1.0) == 1.5 and cache.incr('float') == 2.5
    for function in (cache.incr, cache.decr):
        with pytest.raises(KeyError) as raised:
            function('missing', default=None)
        assert raised.value.args == ('missing',)
    cache.set('expires', 5, expire=1, tag='tag')
    assert cache.incr('expires') == 6
    assert cache.get('expires', expire_time=True, tag=True) == (6, clock.now + 1, 'tag')
    clock.advance(2)
    with pytest.raises(KeyError):
        cache.incr('expires', default=None)
    assert cache.incr('expires') == 1
    assert cache.get('expires', expire_time=True, tag=True) == (1, None, None)


def test_pop(cache, clock):
    cache.set('k', b'x' * 50_000, expire=5, tag='tag')
    assert cache.pop('k', expire_time=True, tag=True) == (b'x' * 50_000, clock.now + 5, 'tag')
    assert (cache.pop('k'), len(cache), compare.files(cache.directory)) == (None, 0, [])


def test_streams(cache):
    content = b'0123456789' * 1000
    assert cache.set('k', io.BytesIO(content), read=True) is True
    assert cache['k'] == content and len(compare.files(cache.directory)) == 1
    with cache.get('k', read=True) as reader:
        assert reader.read() == content
    with cache.read('k') as reader:
        assert (reader.read(5), reader.tell(), reader.read(3)) == (b'01234', 5, b'567')
        cache['k'] = 'replaced'  # what is open can be read to its end
        assert reader.read() == content[8:]
    assert cache.get('missing', 'default', read=True) == 'default'
    assert cache.add('added', io.BytesIO(b''), read=True) is True and cache['added'] == b''
    cache.push(io.BytesIO(b'pushed'), read=True)
    assert cache.pull()[1] == b'pushed'


def test_a_value_is_a_file_from_the_limit_on(package, tmp_path):
    with package.Cache(tmp_path, disk_min_file_size=10) as cache:
        for value, files in (
            (b'123456789', 0), (b'1234567890', 1), ('123456789', 0), ('1234567890', 1), ('é' * 9, 0),
            (2**62, 0), (1.5, 0),
        ):  # fmt: skip
            cache['k'] = value
            len(cache)  # what it replaces has gone then
            assert (cache['k'], len(compare.files(tmp_path))) == (value, files)
        cache['k'] = ['a pickle is longer than that']
        assert len(compare.files(tmp_path)) == 1
        (name,) = compare.files(tmp_path)
        assert [len(part) for part in name.split('/')] == [2, 2, 32] and name.endswith('.val')
        del cache['k']
        assert compare.files(tmp_path) == [] and os.listdir(tmp_path).count('cache.db') == 1
        assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_order_of_insertion_and_of_keys(cache):
    for key in ('b', 3, 'a', b'x', 1.5, 'c', 2):
        cache[key] = str(key)
    cache['a'] = 'again'  # keeps its place
    assert list(cache) == ['b', 3, 'a', b'x', 1.5, 'c', 2]
    assert list(reversed(cache)) == [2, 'c', 1.5, b'x', 'a', 3, 'b']
    assert list(cache.iterkeys()) == [1.5, 2, 3, 'a', 'b', 'c', b'x']
    assert list(cache.iterkeys(reverse=True)) == [b'x', 'c', 'b', 'a', 3, 2, 1.5]
    assert cache.peekitem() == (2, '2') and cache.peekitem(last=False) == ('b', 'b')


def test_iteration_is_lazy_and_survives_what_others_do(cache):
    assert list(cache) == [] == list(reversed(cache)) == list(cache.iterkeys())
    for number in range(250):
        cache[number] = number
    iterator = iter(cache)
    assert iter(iterator) is iterator and next(iterator) == 0
    cache[1000] = 'inserted later'
    for number in range(100, 250):
        del cache[number]
    rest = list(iterator)
    assert rest[:99] == list(range(1, 100)) and 1000 not in rest
    with pytest.raises(StopIteration):
        next(iterator)


def test_equal_numbers_are_one_key_and_true_is_not(cache):
    cache[1] = 'one'
    assert cache[1.0] == 'one' and 1.0 in cache
    cache[True] = 'true'
    assert (cache[1], cache[True], len(cache)) == ('one', 'true', 2)
    cache['1'] = 'text'
    cache[b'1'] = 'bytes'
    assert len(cache) == 4 and cache['1'] == 'text'


def test_peekitem_drops_what_has_expired(cache, clock):
    with pytest.raises(KeyError):
        cache.peekitem()
    cache.set('first', 1, tag='tag')
    cache.set('last', 2, expire=1)
    assert cache.peekitem(expire_time=True, tag=True) == (('last', 2), clock.now + 1, None)
    clock.advance(2)
    assert cache.peekitem(expire_time=True, tag=True) == (('first', 1), None, 'tag')
    assert len(cache) == 1


def test_queues(cache, clock):
    assert cache.pull() == (None, None) and cache.peek() == (None, None)
    assert cache.pull(default='d') == 'd' and cache.peek(default='d', expire_time=True) == ('d', None)
    assert [cache.push(value) for value in 'ab'] == [500000000000000, 500000000000001]
    assert cache.push('front', side='front') == 499999999999999
    assert cache.push('p', prefix='q') == 'q-500000000000000'
    assert cache.push('p', prefix='q', side='front') == 'q-499999999999999'
    assert cache.peek() == (499999999999999, 'front') and cache.peek(side='back')[1] == 'b'
    assert [cache.pull()[1] for _ in range(3)] == ['front', 'a', 'b']
    assert cache.pull(prefix='q', side='back') == ('q-500000000000000', 'p')
    cache.push('expires', expire=1, tag='tag')
    cache.push('stays')
    assert cache.peek(expire_time=True, tag=True)[1:] == (clock.now + 1, 'tag')
    clock.advance(2)
    assert cache.peek()[1] == 'stays' and cache.pull()[1] == 'stays' and len(cache) == 1


def test_a_side_that_there_is_not(cache):
    cache.push(1)
    for function in (cache.pull, cache.peek):
        with pytest.raises(KeyError):
            function(side='middle')
    with pytest.raises((KeyError, AssertionError)):
        cache.push(1, side='middle')


def test_tags(cache):
    for number in range(250):
        cache.set(number, number, tag='even' if number % 2 == 0 else 7)
    cache.set('none', 1)
    cache.create_tag_index()
    assert cache.tag_index == 1 and cache.evict('even') == 125 and len(cache) == 126
    cache.drop_tag_index()
    assert cache.tag_index == 0 and cache.evict(7) == 125 and cache.evict('missing') == 0
    assert cache.evict(None) == 0 and list(cache) == ['none']


def test_expire_by_a_time_of_ones_own(cache, clock):
    for number in range(150):
        cache.set(number, number, expire=number + 1)
    assert cache.expire(now=clock.now + 100.5) == 100 and len(cache) == 50
    assert cache.expire() == 0
    clock.advance(1000)
    assert cache.expire() == 50 and cache.expire() == 0


def test_writes_cull_what_has_expired(package, tmp_path, clock):
    with package.Cache(tmp_path, cull_limit=3) as cache:
        for number in range(10):
            cache.set(number, number, expire=1)
        clock.advance(2)
        cache['k'] = 1
        assert len(cache) == 8
        cache.reset('cull_limit', 0)
        cache['k'] = 2
        assert len(cache) == 8


def test_clear(cache):
    for number in range(300):
        cache.set(number, b'x' * 40_000 if number % 100 == 0 else number)
    assert cache.clear() == 300 and cache.clear() == 0
    assert (len(cache), compare.files(cache.directory), cache.reset('size')) == (0, [], 0)


def test_statistics(cache):
    cache['k'] = 1
    cache.get('k')
    assert cache.stats() == (0, 0)  # which turns them on
    cache.get('k')
    cache['k']
    cache.get('missing')
    assert 'k' in cache  # does not count
    assert cache.stats() == (2, 1) and cache.stats(reset=True) == (2, 1) and cache.stats() == (0, 0)
    cache.stats(enable=False)
    cache.get('k')
    assert cache.stats() == (0, 0)


def test_volume(cache):
    before = cache.volume()
    cache['k'] = b'x' * 100_000
    assert 100_000 <= cache.volume() - before < 150_000
    assert cache.reset('size') == 100_000


def test_transactions(cache, package):
    with cache.transact():
        cache['a'] = 1
        with cache.transact():
            cache['b'] = 2
        assert cache['b'] == 2 and len(cache) == 2 and sorted(cache) == ['a', 'b']
        cache.push('queued')
        assert cache.incr('n') == 1 and cache.pop('a') == 1
    assert sorted(cache, key=str) == [500000000000000, 'b', 'n']
    with pytest.raises(LookupError), cache.transact(retry=True):
        cache.clear()
        cache['lost'] = 1
        raise LookupError
    assert sorted(cache, key=str) == [500000000000000, 'b', 'n']
    with pytest.raises(StopIteration), cache.transact():
        cache['lost'] = 1
        raise StopIteration
    assert 'lost' not in cache
    with package.Cache(cache.directory) as other, cache.transact():
        cache['b'] = 3
        assert other['b'] == 2 and cache['b'] == 3


def test_transact_as_a_decorator(cache):
    @cache.transact()
    def work():
        cache['k'] = cache.get('k', 0) + 1
        return cache['k']

    assert [work(), work()] == [1, 2]


def test_timeout_and_retry(package, tmp_path):
    # With a memtable, small values do not wait for others: test_a_write_beside_a_foreign_lock.
    off = {'memtable_size': 0} if is_ours(package) else {}
    with package.Cache(tmp_path, timeout=0.02, **off) as cache, compare.connected(tmp_path) as writer:
        cache['k'] = 1
        writer.execute('BEGIN IMMEDIATE')
        begin = time.monotonic()
        for operation in (cache.set, cache.add, cache.touch, cache.incr):
            with pytest.raises(package.Timeout):
                operation('k', 1)
        for operation in (cache.pop, cache.delete, cache.push):
            with pytest.raises(package.Timeout):
                operation('k')
        with pytest.raises(package.Timeout), cache.transact():
            pass
        assert time.monotonic() - begin < 20
        assert cache.get('k') == 1 and 'k' in cache and list(cache) == ['k']  # reads go on
        writer.rollback()
        assert (len(cache), compare.files(tmp_path)) == (1, [])


def test_a_write_beside_a_foreign_lock(package, tmp_path):
    with package.Cache(tmp_path, timeout=0.02) as cache, compare.connected(tmp_path) as writer:
        cache['k'] = 1
        len(cache)
        writer.execute('BEGIN IMMEDIATE')
        if is_ours(package):
            assert differs('foreign-lock') and cache.set('k', 2) is True and cache['k'] == 2
            with cache.transact():
                cache['k'] = 3
            for operation in (lambda: cache.push(1), lambda: len(cache)):
                with pytest.raises(package.Timeout):  # what needs SQLite waits as ever
                    operation()
            with pytest.raises(package.Timeout):  # and so does a write, when no more can wait
                for number in range(100_000):
                    cache.set(number, 'x' * 1000)
            kept = number
        else:
            with pytest.raises(package.Timeout):
                cache.set('k', 2)
            kept = 0
        writer.rollback()
        assert len(cache) == kept + 1
        assert compare.query(tmp_path, 'SELECT COUNT(*) FROM Cache') == [(kept + 1,)]
        assert kept == 0 or cache[kept - 1] == 'x' * 1000


def test_check(cache, package):
    cache['file'] = b'x' * 100_000
    cache['gone'] = b'y' * 100_001
    assert cache.check() == []
    names = {row['size']: row for row in compare.rows(cache.directory)}
    assert sorted(names) == [100_000, 100_001]
    for name in compare.files(cache.directory):
        path = os.path.join(cache.directory, name)
        if os.path.getsize(path) == 100_001:
            os.remove(path)
        else:
            with open(path, 'ab') as writer:
                writer.write(b'more')
    os.makedirs(os.path.join(cache.directory, 'ab/cd'))
    cache._sql('UPDATE Settings SET value = 99 WHERE key = "count"')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        found = cache.check()
    kinds = {warning.category for warning in found}
    texts = ' '.join(str(warning.message) for warning in found)
    assert kinds == {UserWarning, package.EmptyDirWarning}
    for part in ('wrong file size', 'file not found', 'empty directory', 'Settings.count'):
        assert part in texts, part
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []
    assert len(cache.check(fix=True)) >= 4
    for _ in range(2):  # a directory that becomes empty by that is found by the next
        cache.check(fix=True)
    assert cache.check() == [] and list(cache) == ['file'] and cache['file'][-4:] == b'more'


def test_foreign_rows_are_understood(cache):
    """What the sqlite3 shell does to the directory is seen at once."""
    cache['k'] = 'value'
    with compare.connected(cache.directory) as other:
        assert compare.within_50_ms(lambda: other.execute('SELECT COUNT(*) FROM Cache').fetchone() == (1,))
        other.execute('UPDATE Cache SET value = "changed" WHERE key = "k"')
        other.execute('INSERT INTO Cache (key, raw, store_time, value, mode) VALUES ("s", 1, 0, 5, 1)')
        other.commit()
        time.sleep(0.06)  # within 50 ms, so it is promised
        assert cache['k'] == 'changed' and cache['s'] == 5 and len(cache) == 2
        other.execute('DELETE FROM Cache')
        other.commit()
        time.sleep(0.06)
        assert 'k' not in cache and len(cache) == 0


def test_exceptions_of_sqlite3(package, tmp_path):
    (tmp_path / 'cache.db').write_bytes(b'this is not a database' * 500)
    with pytest.raises(sqlite3.DatabaseError):
        package.Cache(tmp_path)


def test_a_disk_must_be_a_disk(package, tmp_path):
    for disk in (dict, 'Disk', None):
        with pytest.raises(ValueError):
            package.Cache(tmp_path, disk=disk)


def test_a_directory_that_cannot_be_made(package, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError) as raised:
        package.Cache(tmp_path / 'file' / 'cache')
    assert raised.value.errno is not None


def test_what_cannot_be_pickled_changes_nothing(cache):
    cache['k'] = 'old'
    for value in (lambda: 1, (x for x in ())):
        with pytest.raises(Exception, match='pickle'):
            cache['k'] = value
        with pytest.raises(Exception, match='pickle'):
            cache[value, 1] = 1
    assert cache['k'] == 'old' and len(cache) == 1


def test_context_managers(package, tmp_path):
    with package.Cache(tmp_path) as cache:
        with cache as same:
            assert same is cache
            cache['k'] = 1
        assert cache['k'] == 1
    with pytest.raises(ZeroDivisionError), package.Cache(tmp_path) as cache:
        raise ZeroDivisionError


def test_what_has_expired_and_is_stored_again_comes_last(cache):
    cache.add('again', 1)
    cache.touch('again', expire=-1)
    cache['other'] = 2  # takes it along
    cache['again'] = 3
    assert list(cache) == ['other', 'again']
