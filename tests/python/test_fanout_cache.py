"""FanoutCache: a cache in several directories.

SPDX-License-Identifier: Apache-2.0
"""

import io
import pickle
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest

import compare
from differences import differs
from packages import is_ours

SHARDS = 4


@pytest.fixture
def fanout(package, tmp_path):
    with package.FanoutCache(tmp_path / 'fanout', shards=SHARDS, timeout=1) as fanout:
        yield fanout


@contextmanager
def busy(fanout, number=0):
    """Another process writes in that shard, and does not come to an end."""
    path = '%s/%03d/cache.db' % (fanout.directory, number)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute('BEGIN IMMEDIATE')
        yield
        other.rollback()


def test_operations_on_a_key_return_what_those_of_a_cache_do(fanout):
    assert fanout.set('k', 1, expire=100, tag='t') is True
    assert fanout['k'] == 1 and 'k' in fanout and fanout.get('x', 'default') == 'default'
    assert fanout.get('k', expire_time=True, tag=True)[::2] == (1, 't')
    assert fanout.add('k', 2) is False and fanout.add('new', 2) is True
    assert fanout.incr('k') == 2 and fanout.decr('k', delta=2) == 0 and fanout.incr('n', 5, 10) == 15
    assert fanout.touch('k') is True and fanout.touch('x') is False
    assert fanout.pop('k', tag=True) == (0, 't') and fanout.pop('k', 'gone') == 'gone'
    assert fanout.delete('new') is True and fanout.delete('new') is False
    del fanout['n']
    for operation in (fanout.__getitem__, fanout.__delitem__, fanout.incr):
        with pytest.raises(KeyError):
            operation('n', *([1, None] if operation == fanout.incr else []))


def test_streams_and_files(fanout):
    assert fanout.set('k', io.BytesIO(b'x' * 50000), read=True) is True
    with fanout.read('k') as file:
        assert file.read() == b'x' * 50000
    with fanout.get('k', read=True) as file:
        assert file.read(3) == b'xxx'
    with pytest.raises(KeyError):
        fanout.read('missing')


def test_items_are_where_the_hash_says(fanout):
    for key in ['a', b'b', 5, -7, 2**70, 1.5, (1, 'x'), None]:
        fanout[key] = [key]
        shard = fanout._shards[fanout._hash(key) % fanout._count]
        assert shard[key] == [key]
    assert sum(len(shard) for shard in fanout._shards) == len(fanout) == 8
    assert sorted(compare.files(fanout.directory)) == []


def test_the_whole_is_the_sum_of_the_shards(fanout, clock):
    for number in range(100):
        fanout.set(number, number, tag=number % 2, expire=None if number < 50 else 5)
    clock.advance(6)
    assert len(fanout) == 100 and fanout.volume() == sum(s.volume() for s in fanout._shards)
    assert sorted(fanout) == list(range(100)) and list(reversed(fanout)) == list(fanout)[::-1]
    assert (fanout.expire(), fanout.evict(1), len(fanout)) == (50, 25, 25)
    assert (fanout.check(), fanout.cull(), fanout.clear(), len(fanout)) == ([], 0, 25, 0)


def test_statistics(fanout):
    fanout.stats(enable=True)
    fanout['k'] = 1
    fanout.get('k'), fanout.get('x'), fanout.get('y')
    assert fanout.stats(reset=True) == (1, 2) and fanout.stats(enable=False) == (0, 0)
    fanout.get('k')
    assert fanout.stats() == (0, 0)


def test_settings_are_those_of_each_shard(fanout):
    assert (fanout.cull_limit, fanout.size_limit, fanout.timeout) == (10, 2**30 / SHARDS, 1)
    assert fanout.reset('cull_limit', 3) == 3 == fanout.cull_limit
    assert fanout.reset('size_limit', 2**20) == 2**20 == fanout.size_limit
    assert [shard.reset('size_limit') for shard in fanout._shards] == [2**20] * SHARDS
    assert fanout.reset('size_limit') == 2**20
    fanout.create_tag_index()
    assert fanout.tag_index == 1
    fanout.drop_tag_index()
    assert fanout.tag_index == 0


def test_size_limit_is_divided(package, tmp_path):
    with package.FanoutCache(tmp_path, shards=4, size_limit=2**22) as fanout:
        assert [shard.size_limit for shard in fanout._shards] == [2**20] * 4


def test_shards_that_are_there_stay(package, tmp_path):
    with package.FanoutCache(tmp_path, shards=3) as fanout:
        for number in range(50):
            fanout[number] = number
    with package.FanoutCache(tmp_path, shards=8) as fanout:
        found = sum(fanout.get(number) == number for number in range(50))
        if is_ours(package):
            assert differs('fanout-shards') and (fanout._count, found) == (3, 50)
        else:
            assert (fanout._count, found < 50) == (8, True)


def test_transact_is_all_or_nothing_over_the_shards(fanout):
    with fanout.transact() as nothing:
        for number in range(20):
            fanout[number] = number
        assert nothing is None
    with pytest.raises(LookupError):
        with fanout.transact():
            with fanout.transact():
                fanout.clear()
            fanout['k'] = 1
            raise LookupError
    assert sorted(fanout) == list(range(20))
    with pytest.raises(AssertionError):
        with fanout.transact(retry=False):
            pass


def test_transactions_of_threads_do_not_lock_each_other_for_ever(fanout):
    def work():
        for _ in range(20):
            with fanout.transact():
                for key in range(8):
                    fanout.incr(key)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fanout[key] for key in range(8)] == [80] * 8


def test_a_write_that_cannot_wait_is_dropped(package, tmp_path):
    off = {'memtable_size': 0} if is_ours(package) else {}
    with package.FanoutCache(tmp_path, shards=1, timeout=0.01, **off) as fanout:
        fanout['k'] = 1
        with busy(fanout):
            assert fanout.set('k', 2) is False and fanout.add('x', 2) is False
            assert fanout.incr('k') is None and fanout.decr('k') is None
            assert fanout.delete('k') is False and fanout.touch('k') is False
            assert fanout.pop('k', 'default') == 'default'
            assert fanout.get('k') == 1
        assert fanout['k'] == 1 and list(fanout) == ['k']
        if is_ours(package):
            assert fanout.stats().timeouts == 7


def test_strict_is_kept_when_pickled(ours, tmp_path):
    with ours.FanoutCache(tmp_path, shards=1, timeout=0.01, strict=True) as fanout:
        other = pickle.loads(pickle.dumps(fanout))
        with busy(fanout):
            for cache in (fanout, other):
                for operation in (
                    lambda: cache.set('k', 1), lambda: cache.add('k', 1), lambda: cache.incr('k'),
                    lambda: cache.delete('k'), lambda: cache.pop('k'), lambda: cache.touch('k'),
                    lambda: cache.set_many({'k': 1}),
                ):  # fmt: skip
                    with pytest.raises(ours.Timeout):
                        operation()
        other.close()


def test_pickling_keeps_directory_shards_timeout_and_disk(package, tmp_path):
    with package.FanoutCache(tmp_path, shards=2, timeout=3, disk=package.JSONDisk) as fanout:
        fanout['k'] = {'a': [1]}
        with pickle.loads(pickle.dumps(fanout)) as other:
            assert other['k'] == {'a': [1]} and other.directory == fanout.directory
            assert (other._count, other.timeout, type(other.disk)) == (2, 3, package.JSONDisk)


def test_many_keys_at_once(ours, tmp_path):
    with ours.FanoutCache(tmp_path, shards=SHARDS) as fanout:
        items = {number: str(number) for number in range(50)}
        items.update({('t', 1): None, 'text': b'x' * 50000})
        assert fanout.set_many(items, expire=100, tag='t') is True
        assert fanout.get_many([*items, 'missing']) == items
        assert fanout.evict('t') == len(items)
        fanout.set_many(items.items())
        assert fanout.delete_many([1, 2, 'missing', ('t', 1)]) == 3
        assert len(fanout) == len(items) - 3


def test_iteration_by_key_over_all_shards(ours, tmp_path):
    with ours.FanoutCache(tmp_path, shards=SHARDS) as fanout:
        for key in ['b', 'a2', 3, 'a1', 1, 2]:
            fanout.set(key, key, tag='t' if key in (1, 'b') else None)
        assert list(fanout.iterkeys()) == [1, 2, 3, 'a1', 'a2', 'b']
        assert list(fanout.iterkeys(reverse=True)) == ['b', 'a2', 'a1', 3, 2, 1]
        assert sorted(fanout.keys(prefix='a')) == ['a1', 'a2']
        assert list(fanout.values(start=2, stop='a2')) == [2, 3, 'a1']
        assert set(fanout.items(tag='t')) == {(1, 1), ('b', 'b')}
        assert fanout.delete_prefix('a') == 2 and fanout.ttl('b') == float('inf')


def test_no_queues(fanout):
    for name in ('push', 'pull', 'peek', 'peekitem'):
        with pytest.raises((AttributeError, AssertionError)):
            getattr(fanout, name)


def test_named_caches(package, fanout):
    cache, deque, index = fanout.cache('a/b'), fanout.deque('d', maxlen=2), fanout.index('i')
    assert (type(cache), type(deque), type(index)) == (package.Cache, package.Deque, package.Index)
    cache['k'] = deque.directory
    deque.extend('abc')
    index['k'] = 1
    assert fanout.cache('a/b') is cache and fanout.deque('d') is deque and fanout.index('i') is index
    assert cache.directory == fanout.directory + '/cache/a/b'
    assert (deque.directory, index.directory) == (
        fanout.directory + '/deque/d', fanout.directory + '/index/i',
    )  # fmt: skip
    assert cache.timeout == 60 and index.cache.eviction_policy == 'none'
    fanout.close()
    assert list(fanout.deque('d')) == ['b', 'c'] and fanout.index('i')['k'] == 1
    assert len(fanout) == 0


def test_named_caches_have_settings_of_their_own(ours, tmp_path):
    with ours.FanoutCache(tmp_path, disk=ours.JSONDisk) as fanout:
        cache = fanout.cache('c', timeout=2, disk=ours.Disk, cull_limit=5)
        assert (cache.timeout, type(cache.disk), cache.cull_limit) == (2, ours.Disk, 5)
        assert type(fanout.cache('other').disk) is ours.JSONDisk
        assert type(fanout.index('i').cache.disk) is ours.JSONDisk
        for name in ('', '.', '..', 'a/../b', '/a', 'a//b'):
            for make in (fanout.cache, fanout.deque, fanout.index):
                with pytest.raises(ValueError):
                    make(name)


def test_memoize(fanout):
    calls = []

    @fanout.memoize(name='f', expire=100, tag='f')
    def f(x):
        calls.append(x)
        return x + 1

    assert [f(1), f(1), f(2)] == [2, 2, 3] and calls == [1, 2]
    assert fanout[f.__cache_key__(1)] == 2 and fanout.evict('f') == 2


def test_use_after_close_and_as_context(fanout):
    with fanout as same:
        assert same is fanout
        fanout['k'] = 1
    fanout.close()
    assert fanout['k'] == 1 and bool(fanout)


def disk_with_hooks(package):
    class Hooked(package.Disk):
        """Keys in capitals, values reversed, files counted."""

        removed = 0

        def put(self, key):
            return super().put(key.upper() if isinstance(key, str) else key)

        def store(self, value, read, **kwargs):
            return super().store(value[::-1], read, **kwargs)

        def fetch(self, mode, filename, value, read):
            return super().fetch(mode, filename, value, read)[::-1]

    return Hooked


def test_the_hooks_of_a_disk_are_called_for_the_right_shard(package, tmp_path):
    kind = disk_with_hooks(package)
    with package.FanoutCache(tmp_path, shards=SHARDS, disk=kind, disk_min_file_size=10) as fanout:
        names = ['key-%d' % number for number in range(12)]
        for name in names:
            assert fanout.set(name, 'value of ' + name) is True
            assert fanout[name.upper()] == 'value of ' + name and name in fanout
        files = compare.files(tmp_path)
        assert len(files) == 12 and {file[:3] for file in files} == {'000', '001', '002', '003'}
        for number, shard in enumerate(fanout._shards):
            assert len(shard) == sum(file.startswith('%03d' % number) for file in files)
        assert fanout.pop('key-0') == 'value of key-0' and fanout.delete('key-1')
        fanout['key-2'] = 'a new value'
        assert len(compare.files(tmp_path)) == 10 and fanout.check() == []
        if is_ours(package):
            assert dict(fanout.items())['KEY-3'] == 'value of key-3'
            assert set(fanout.values()) >= {'a new value', 'value of key-11'}
            assert fanout.set_many({name: 'many ' + name for name in names})
            assert fanout.get_many(names) == {name: 'many ' + name for name in names}
            assert fanout.delete_many(names) == 12 and compare.files(tmp_path) == []


def test_a_json_disk(package, tmp_path):
    given = {'memtable_size': 0} if is_ours(package) else {}  # a write that has to wait
    with package.FanoutCache(tmp_path, shards=2, disk=package.JSONDisk, **given) as fanout:
        for number in range(10):
            fanout[[number, 'x']] = {'n': number}
        assert sorted(key[0] for key in fanout) == list(range(10)) and fanout[[3, 'x']] == {'n': 3}
        assert fanout.incr('n', default=5) == 6 and fanout['n'] == 6
        if is_ours(package):
            assert fanout.decr('n') == 5
            with busy(fanout, fanout._hash('n') % 2):
                assert fanout.incr('n') is None


@pytest.mark.parametrize('writer', ['ours', 'oracle'])
def test_directories_of_the_other_package(writer, ours, oracle, tmp_path):
    one, other = (ours, oracle) if writer == 'ours' else (oracle, ours)
    items = {'a': 1, (1, 'b'): [2], 5: 'x' * 40000, b'k': None, 1.5: 2.5, 2**80: 'long', 0.0: -1}
    with one.FanoutCache(tmp_path, shards=3) as first, other.FanoutCache(tmp_path, shards=3) as second:
        for key, value in items.items():
            first[key] = value
        first.deque('d').extend('ab')
        first.index('i')['k'] = 'v'
        first.cache('c/d')['k'] = 'v'
        assert compare.within_50_ms(lambda: len(second) == len(items))
        assert compare.within_50_ms(lambda: len(second.index('i')) == len(second.cache('c/d')) == 1)
        assert {key: second[key] for key in items} == items and set(second) == set(items)
        assert list(second.deque('d')) == ['a', 'b'] and dict(second.index('i')) == {'k': 'v'}
        assert second.cache('c/d')['k'] == 'v' and second.pop('a') == 1
        assert compare.within_50_ms(lambda: 'a' not in first)
        assert second.check() == []
