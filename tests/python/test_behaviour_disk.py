"""Disk and its subclasses, and subclasses of Cache, on ours and on 5.6.3.

SPDX-License-Identifier: Apache-2.0
"""

import io
import json
import os
import pickle
import sqlite3
import threading
import zlib

import pytest

import compare
from packages import expect, is_ours


def make_reversing(package):
    """A Disk with every hook of its own: keys and values lie there backwards."""

    class Reversing(package.Disk):
        calls = []

        def put(self, key):
            self.calls.append('put')
            if type(key) is str:
                return super().put(key[::-1])
            return super().put(key)

        def get(self, key, raw):
            self.calls.append('get')
            key = super().get(key, raw)
            return key[::-1] if type(key) is str else key

        def store(self, value, read, key=package.UNKNOWN):
            self.calls.append('store')
            if type(value) is str:
                value = value[::-1]
            return super().store(value, read, key=key)

        def fetch(self, mode, filename, value, read):
            self.calls.append('fetch')
            value = super().fetch(mode, filename, value, read)
            return value[::-1] if type(value) is str else value

        def filename(self, key=package.UNKNOWN, value=package.UNKNOWN):
            self.calls.append('filename')
            return super().filename(key, value)

        def remove(self, file_path):
            self.calls.append('remove')
            super().remove(file_path)

    return Reversing


def test_every_hook_of_a_disk_is_called(package, tmp_path):
    kind = make_reversing(package)
    with package.Cache(tmp_path, disk=kind) as cache:
        kind.calls.clear()
        cache['abc'] = 'value'
        assert kind.calls == ['put', 'store']
        kind.calls.clear()
        assert cache['abc'] == 'value' and kind.calls == ['put', 'fetch']
        kind.calls.clear()
        assert list(cache) == ['abc'] and kind.calls == ['get']
        kind.calls.clear()
        cache['file'] = 'x' * 40_000
        assert kind.calls == ['put', 'store', 'filename']
        kind.calls.clear()
        cache['file'] = 'small'
        assert kind.calls == ['put', 'store', 'remove']
        cache['taken'] = 'x' * 40_000
        kind.calls.clear()
        assert cache.pop('taken') == 'x' * 40_000
        assert kind.calls == ['put', 'fetch', 'remove'] and compare.files(tmp_path) == []
        kind.calls.clear()
        assert cache.pop('abc') == 'value' and kind.calls == ['put', 'fetch']
        assert 'file' in cache and cache.add('file', 1) is False and cache.incr('n') == 1
        assert cache.touch('file') and cache.delete('file')
    rows = compare.rows(tmp_path)
    assert [row['key'] for row in rows] == [('str', 'n')]


def test_a_disk_keeps_its_form_in_queues_and_at_the_ends(package, tmp_path):
    with package.Cache(tmp_path, disk=make_reversing(package)) as cache:
        cache['key'] = 'value'
        assert cache.peekitem() == ('key', 'value')
        cache.push('item')
        assert cache.peek()[1] == 'item' and cache.pull()[1] == 'item'
        cache['gone'] = b'x' * 40_000
        assert cache.pop('gone') == b'x' * 40_000 and compare.files(tmp_path) == []
        assert compare.rows(tmp_path)[0]['value'] == ('str', 'eulav')


def make_json(package):
    """The example of the tutorial of 5.6.3, as people have it in their programs."""

    class CompressedJson(package.Disk):
        def __init__(self, directory, level=1, **kwargs):
            self.level = level
            super().__init__(directory, **kwargs)

        def put(self, key):
            return super().put(zlib.compress(json.dumps(key).encode(), self.level))

        def get(self, key, raw):
            return json.loads(zlib.decompress(super().get(key, raw)))

        def store(self, value, read, key=package.UNKNOWN):
            if not read:
                value = zlib.compress(json.dumps(value).encode(), self.level)
            return super().store(value, read, key=key)

        def fetch(self, mode, filename, value, read):
            data = super().fetch(mode, filename, value, read)
            return data if read else json.loads(zlib.decompress(data))

    return CompressedJson


def test_a_disk_with_settings_of_its_own(package, tmp_path):
    kind = make_json(package)
    with package.Cache(tmp_path, disk=kind, disk_level=6) as cache:
        assert (cache.disk.level, cache.disk_level) == (6, 6)
        cache['k'] = {'a': [1, 2.5, None]}
        cache['large'] = [os.urandom(20_000).hex()]
        assert cache['k'] == {'a': [1, 2.5, None]} and list(cache) == ['k', 'large']
        cache.set('stream', io.BytesIO(b'as it is'), read=True)
        with cache.get('stream', read=True) as reader:
            assert reader.read() == b'as it is'
        cache.reset('disk_level', 2)
        assert cache.disk.level == 2
    with package.Cache(tmp_path, disk=kind) as cache:
        assert cache.disk.level == 2 and len(cache) == 3
    with package.FanoutCache(tmp_path / 'fanout', disk=kind, disk_level=1) as cache:
        for number in range(20):
            cache['key-%d' % number] = [number]
        assert [cache['key-%d' % number] for number in range(20)] == [[n] for n in range(20)]
        assert sorted(cache) == sorted('key-%d' % number for number in range(20))
        assert type(cache.disk) is kind


def test_a_disk_that_encrypts_its_files(package, tmp_path):
    """Writes files in its own way, by filename() and a file of its own."""

    class Encrypting(package.Disk):
        def store(self, value, read, key=package.UNKNOWN):
            data = pickle.dumps(value)
            filename, full_path = self.filename(key, value)
            os.makedirs(os.path.dirname(full_path), exist_ok=True)
            with open(full_path, 'wb') as writer:
                writer.write(bytes(byte ^ 0x55 for byte in data))
            return len(data), package.core.MODE_BINARY, filename, None

        def fetch(self, mode, filename, value, read):
            with open(os.path.join(self._directory, filename), 'rb') as reader:
                return pickle.loads(bytes(byte ^ 0x55 for byte in reader.read()))

    with package.Cache(tmp_path, disk=Encrypting) as cache:
        cache['k'] = [1, 'two']
        cache['k'] = [3]
        cache['other'] = 4
        assert cache['k'] == [3] and len(compare.files(tmp_path)) == 2
        assert cache.check() == []
        assert cache.pop('k') == [3] and len(compare.files(tmp_path)) == 1
        cache.clear()
        assert compare.files(tmp_path) == []


def test_a_hook_that_raises_changes_nothing(package, tmp_path):
    class Refusing(package.Disk):
        def put(self, key):
            if key == 'put':
                raise ZeroDivisionError
            return super().put(key)

        def store(self, value, read, key=package.UNKNOWN):
            if key == 'store':
                raise ZeroDivisionError
            return super().store(value, read, key=key)

        def fetch(self, mode, filename, value, read):
            if value == 'fetch':
                raise ZeroDivisionError
            return super().fetch(mode, filename, value, read)

    with package.Cache(tmp_path, disk=Refusing) as cache:
        cache['k'] = 'fetch'
        for operation in (
            lambda: cache.set('put', 1), lambda: cache.get('put'), lambda: 'put' in cache,
            lambda: cache.set('store', 1), lambda: cache.add('store', 1), lambda: cache.get('k'),
            lambda: cache.peekitem(),
        ):  # fmt: skip
            with pytest.raises(ZeroDivisionError):
                operation()
        assert list(cache) == ['k']


def test_a_fetch_that_raises_an_ioerror_is_a_miss(package, tmp_path):
    class Missing(package.Disk):
        def fetch(self, mode, filename, value, read):
            if value == 'away':
                raise OSError('away')
            return super().fetch(mode, filename, value, read)

    with package.Cache(tmp_path, disk=Missing) as cache:
        cache['k'] = 'away'
        assert cache.get('k', 'default') == 'default'
        with pytest.raises(KeyError):
            cache['k']


def test_disk_alone(package, tmp_path):
    """Disk used by itself, as libraries do that keep its format."""
    disk = package.Disk(str(tmp_path), min_file_size=10, pickle_protocol=4)
    assert (disk.min_file_size, disk.pickle_protocol) == (10, 4)
    for key in (b'a', 'a', 1, 1.5, 2**63, None, (1, 'a'), True):
        db_key, raw = disk.put(key)
        assert compare.plain(disk.get(db_key, raw)) == compare.plain(key)
        assert raw is (type(key) in (bytes, str, float) or key == 1 and key is not True)
    core = package.core
    for value, mode, has_file in (
        (1, core.MODE_RAW, False), ('text', core.MODE_RAW, False), (b'bytes', core.MODE_RAW, False),
        (b'x' * 10, core.MODE_BINARY, True), ('x' * 10, core.MODE_TEXT, True),
        ((), core.MODE_PICKLE, False), (list(range(99)), core.MODE_PICKLE, True),
    ):  # fmt: skip
        size, found, filename, db_value = disk.store(value, False)
        assert found == mode and (filename is not None) == has_file and (db_value is None) == has_file
        assert size == (os.path.getsize(tmp_path / filename) if has_file else 0)
        assert disk.fetch(found, filename, db_value, False) == value
        if has_file:
            disk.remove(filename)
    assert compare.files(tmp_path) == []
    size, mode, filename, db_value = disk.store(io.BytesIO(b'stream'), True, key='k')
    assert (size, mode, db_value) == (6, core.MODE_BINARY, None)
    with disk.fetch(mode, filename, db_value, True) as reader:
        assert reader.read() == b'stream'
    name, full_path = disk.filename('key', 'value')
    assert full_path == os.path.join(str(tmp_path), name)
    disk.remove('00/11/not-there.val')


def test_the_hash_of_keys(oracle, ours):
    theirs, mine = (p.Disk('.', pickle_protocol=5) for p in (oracle, ours))
    for key in (
        0, 1, -1, 2**32 - 1, 2**32, -(2**63), 2**63, 'a', '', 'ключ', b'a', b'', None, True, (1, 'a'),
        0.5, -1.5, float('inf'), 1e300,
    ):  # fmt: skip
        assert mine.hash(key) == theirs.hash(key), key


def test_a_cache_subclass_with_a_connection_of_its_own(package, tmp_path):
    """As programs have it that set pragmas or functions on the connection."""

    class Own(package.Cache):
        made = 0

        @property
        def _con(self):
            connection = getattr(self._local, 'con', None)
            if connection is None:
                connection = super()._con
                connection.create_function('answer', 0, lambda: 42)
                type(self).made += 1
            return connection

    with Own(tmp_path) as cache:
        cache['k'] = 'value'
        assert cache['k'] == 'value' and list(cache) == ['k'] and len(cache) == 1
        assert cache._sql('SELECT answer()').fetchall() == [(42,)]
        assert cache._con.execute('SELECT answer() + COUNT(*) FROM Cache').fetchone() == (43,)
        assert Own.made >= 1


def test_a_cache_subclass_that_overrides_methods(package, tmp_path):
    class Prefixed(package.Cache):
        def __init__(self, *args, prefix='p-', **kwargs):
            self.prefix = prefix
            super().__init__(*args, **kwargs)

        def set(self, key, *args, **kwargs):
            return super().set(self.prefix + key, *args, **kwargs)

        def get(self, key, *args, **kwargs):
            return super().get(self.prefix + key, *args, **kwargs)

    with Prefixed(tmp_path) as cache:
        assert cache.set('k', 1) is True
        assert cache.get('k') == 1 and list(cache) == ['p-k']
        assert cache.prefix == 'p-'
        cache.attribute = 'of the user'
        assert cache.attribute == 'of the user'


def test_own_sql_on_the_connection(cache):
    for number in range(10):
        cache.set('k%d' % number, number, tag='even' if number % 2 == 0 else None)
    rows = cache._sql('SELECT key, value FROM Cache WHERE tag = ? ORDER BY rowid', ('even',)).fetchall()
    assert rows == [('k0', 0), ('k2', 2), ('k4', 4), ('k6', 6), ('k8', 8)]
    cursor = cache._sql('DELETE FROM Cache WHERE tag IS NULL')
    assert cursor.rowcount == 5 and len(cache) == 5 and 'k1' not in cache
    assert isinstance(cache._con, sqlite3.Connection)
    cache._sql("UPDATE Cache SET value = 7 WHERE key = 'k8'")
    assert cache['k8'] == 7


def test_own_sql_inside_a_transaction(package, tmp_path):
    with package.Cache(tmp_path, timeout=0.01) as cache:
        with cache.transact():
            cache['new'] = 1
            count = cache._sql('SELECT COUNT(*) FROM Cache').fetchone()
            expect(package, count, (0,), (1,))
            update = "UPDATE Cache SET value = 7 WHERE key = 'new'"
            if is_ours(package):
                with pytest.raises(sqlite3.OperationalError, match='locked'):
                    cache._sql(update)
            else:
                cache._sql(update)
        expect(package, cache['new'], 1, 7)


def test_each_thread_has_a_connection_of_its_own(cache):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(cache._con))
    thread.start()
    thread.join()
    assert seen[0] is not cache._con and cache._con is cache._con
