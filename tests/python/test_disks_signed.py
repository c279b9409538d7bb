"""SignedDisk: what is stored comes back, and nothing else does.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import io
import os
import pickle
import sqlite3

import pytest
from hypothesis import given, settings

import diskcache
from diskcache import SignedDisk
from packages import run
from test_disks_safe import hashable, same, values

SECRET, OTHER = b'a secret of 32 bytes, or of more', 'another secret of enough bytes'
BAD = pickle.UnpicklingError


def opened(directory, key=SECRET, **options):
    return diskcache.Cache(directory, disk=SignedDisk, disk_key=key, **options)


@contextlib.contextmanager
def rows(directory):
    """The database, as somebody else would write it."""
    with contextlib.closing(sqlite3.connect(directory / 'cache.db')) as con, con:
        yield con


def stored(directory, key):
    """The columns of a value."""
    with rows(directory) as con:
        columns = 'size, mode, filename, value'
        return con.execute('SELECT %s FROM Cache WHERE key = ?' % columns, [key]).fetchone()


def store(directory, key, columns):
    with rows(directory) as con:
        sets = 'size = ?, mode = ?, filename = ?, value = ?'
        con.execute('UPDATE Cache SET %s WHERE key = ?' % sets, [*columns, key])


# ---- what is stored comes back ----


@settings(max_examples=150, deadline=None)
@given(hashable, values)
def test_a_cache_gives_back_what_it_was_given(tmp_path_factory, key, value):
    with opened(tmp_path_factory.mktemp('signed')) as cache:
        cache[key] = value
        assert same(cache[key], value) and same(list(cache)[0], key)


ITEMS = {
    'number': 1, 'real': 1.5, 'text': 'a' * 100_000, 'none': None, 'bytes': b'b', 'large': b'c' * 300_000,
    'list': [1, 2], 'large list': list(range(100_000)), ('a', 1): {}, b'key': b'', 2**70: 2**70, 5: (), 1.5: b'',
    None: [None],
}  # fmt: skip


@pytest.mark.parametrize('kind', [diskcache.Cache, diskcache.FanoutCache])
def test_every_way_in_and_out(tmp_path, kind):
    with kind(tmp_path, disk=SignedDisk, disk_key=SECRET) as cache:
        cache.set_many(ITEMS)
        assert cache.get_many(list(ITEMS)) == ITEMS and dict(cache.items()) == ITEMS
    with kind(tmp_path, disk=SignedDisk, disk_key=SECRET) as cache:
        assert all(cache[key] == value and key in cache for key, value in ITEMS.items())
        assert {key: cache.pop(key) for key in ITEMS} == ITEMS and len(cache) == 0
        assert cache.add('k', [1]) and not cache.add('k', [2]) and cache.incr('n', 5) == 5


@pytest.mark.parametrize('size', [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_streams(tmp_path, size):
    data = os.urandom(size)
    with opened(tmp_path) as cache:
        assert cache.set('k', io.BytesIO(data), read=True)
        assert cache['k'] == data
        with cache.read('k') as file:
            assert file.read(7) == data[:7] and file.read() == data[7:]
        with cache.get('k', read=True) as file:
            assert file.read() == data
        cache['pickle'] = list(range(50_000))
        assert cache.get('pickle', read=True) == list(range(50_000))


def test_queues_deques_and_indexes(tmp_path):
    with opened(tmp_path / 'q') as cache:
        for number in range(3):
            cache.push([number], prefix='a')
            cache.push((number,))
        assert [cache.pull('a')[1], cache.peek('a')[1], cache.pull()[1]] == [[0], [1], (0,)]
    deque = diskcache.Deque.fromcache(opened(tmp_path / 'd'), [[1], [2], [3]])
    deque.rotate(1)
    deque[0] = [9]
    deque.reverse()
    assert list(deque) == [[2], [1], [9]] and deque.pop() == [9]
    index = diskcache.Index.fromcache(opened(tmp_path / 'i'), {('a',): [1], 'b': {}})
    assert dict(index) == {('a',): [1], 'b': {}} and index.popitem() == ('b', {})
    deque.cache.close()
    index.cache.close()


def test_kin_of_a_fanout_have_its_secret_and_a_pickle_of_it_has_not(tmp_path, monkeypatch):
    with diskcache.FanoutCache(tmp_path, shards=2, disk=SignedDisk, disk_key=SECRET) as fanout:
        for cache in [fanout.cache('c'), fanout.index('i')]:
            cache['k'] = [1]
            assert cache['k'] == [1]
        pickled = pickle.dumps(fanout)
        assert SECRET not in pickled
        with pytest.raises(ValueError, match='needs disk_key'):
            pickle.loads(pickled)
        monkeypatch.setenv('DISKCACHE_DISK_KEY', OTHER.replace(' ', '-'))
        pickle.loads(pickled).close()


# ---- secrets ----


def test_the_secret_is_nowhere_in_the_directory(tmp_path):
    with opened(tmp_path) as cache:
        cache.set_many({('a',): [1], 'b': b'c' * 50_000})
    for path in tmp_path.rglob('*'):
        assert path.is_dir() or SECRET not in path.read_bytes()


def test_another_secret_reads_nothing_that_is_signed(tmp_path):
    with opened(tmp_path) as cache:
        cache.set_many({'k': [1], 'text': 'plain', ('a',): 1})
    with opened(tmp_path, OTHER) as cache:
        with pytest.raises(BAD, match='unknown key'):
            cache['k']
        assert cache['text'] == 'plain' and ('a',) not in cache


def test_secrets_are_replaced_one_after_the_other(tmp_path):
    with opened(tmp_path) as cache:
        cache.set_many({'k': [1], ('a',): [2], b'b': b'3'})
    with opened(tmp_path, [OTHER, SECRET]) as cache:
        assert cache.get_many(['k', ('a',), b'b']) == {'k': [1], ('a',): [2], b'b': b'3'}
        assert set(cache) == {'k', ('a',), b'b'}
        for key in list(cache):
            value = cache.pop(key)
            cache[key] = value
        assert len(cache) == 3
    with opened(tmp_path, OTHER) as cache:
        assert cache.get_many(['k', ('a',), b'b']) == {'k': [1], ('a',): [2], b'b': b'3'}


def test_under_a_former_secret_a_key_is_there_once(tmp_path):
    with opened(tmp_path) as cache:
        cache['a',] = 1
    with opened(tmp_path, [OTHER, SECRET]) as cache:
        cache['a',] = 2
        assert list(cache.items()) == [(('a',), 2)] and cache.incr(('a',)) == 3
        del cache['a',]
        assert len(cache) == 0


def test_secrets_that_are_none(tmp_path, monkeypatch):
    monkeypatch.delenv('DISKCACHE_DISK_KEY', raising=False)
    for wrong in [None, '', b'short', [SECRET, 'short'], []]:
        with pytest.raises(ValueError):
            opened(tmp_path, wrong)
    monkeypatch.setenv('DISKCACHE_DISK_KEY', 'a-new-secret-of-24-bytes an-old-secret-of-24-bytes')
    with opened(tmp_path, None) as cache:
        cache['k'] = [1]
    with opened(tmp_path, 'a-new-secret-of-24-bytes') as cache:
        assert cache['k'] == [1]


def test_a_secret_that_lies_in_the_directory_is_not_taken(tmp_path):
    opened(tmp_path).close()
    with rows(tmp_path) as con:
        con.execute("INSERT INTO Settings VALUES ('disk_key', 'a secret of somebody else')")
    with opened(tmp_path) as cache:
        cache['k'] = [1]
    with opened(tmp_path) as cache:
        assert cache['k'] == [1]


def test_a_whole_program_by_its_environment(tmp_path, monkeypatch):
    monkeypatch.setenv('DISKCACHE_DISK', 'SignedDisk')
    monkeypatch.setenv('DISKCACHE_DISK_KEY', 'a-secret-of-20-bytes')
    program = 'import diskcache, sys; c = diskcache.Cache(sys.argv[1]); c["k"] = [1]; print(c["k"])'
    assert run(program, tmp_path) == '[1]'
    with opened(tmp_path, 'a-secret-of-20-bytes') as cache:
        assert cache['k'] == [1]


def test_a_subclass_with_hooks_is_refused(tmp_path):
    class Hooked(SignedDisk):
        def fetch(self, mode, filename, value, read):
            return super().fetch(mode, filename, value, read)

    with pytest.raises(TypeError, match='has its hooks in C'):
        diskcache.Cache(tmp_path, disk=Hooked, disk_key=SECRET)


# ---- nothing else does ----


@pytest.mark.parametrize('value', [[1, 2], b'bytes', b'b' * 50_000, list(range(50_000))])
def test_a_value_of_another_key_is_refused(tmp_path, value):
    with opened(tmp_path) as cache:
        cache.set_many({'mine': value, 'yours': [0]})
    store(tmp_path, 'yours', stored(tmp_path, 'mine'))
    with opened(tmp_path) as cache:
        assert cache['mine'] == value
        for read in [lambda: cache['yours'], lambda: list(cache.items()), lambda: cache.read('yours')]:
            with pytest.raises(BAD, match='not that of this value'):
                read()


def test_a_stream_of_another_key_is_refused(tmp_path):
    with opened(tmp_path) as cache:
        for key in ['mine', 'yours']:
            cache.set(key, io.BytesIO(key.encode() * 50_000), read=True)
    store(tmp_path, 'yours', stored(tmp_path, 'mine'))
    with opened(tmp_path) as cache:
        with pytest.raises(BAD):
            cache['yours']
        with pytest.raises(BAD):
            cache.read('yours').read(1)


def test_a_key_is_no_value_and_a_value_no_key(tmp_path):
    with opened(tmp_path) as cache:
        cache.set_many({('a',): [1], 'k': ('a',)})
    with rows(tmp_path) as con:
        ((key,),) = con.execute("SELECT key FROM Cache WHERE typeof(key) = 'blob'").fetchall()
        ((value,),) = con.execute("SELECT value FROM Cache WHERE key = 'k'").fetchall()
        con.execute("UPDATE Cache SET value = ? WHERE key = 'k'", [key])
        con.execute('UPDATE Cache SET key = ? WHERE key = ?', [value, key])
    with opened(tmp_path) as cache:
        for read in [lambda: cache['k'], lambda: list(cache)]:
            with pytest.raises(BAD):
                read()


def test_what_queues_and_deques_move_stays_in_its_queue(tmp_path):
    """They may be put in another order by who can write there, and no more."""
    with opened(tmp_path) as cache:
        for queue in ['a', 'b', None]:
            cache.push([queue], prefix=queue)
        cache['k'] = [0]
    for key in ['b-500000000000000', 500000000000000, 'k']:
        store(tmp_path, key, stored(tmp_path, 'a-500000000000000'))
        with opened(tmp_path) as cache, pytest.raises(BAD):
            cache[key]


@pytest.mark.parametrize('change', [
    lambda data: data[:-1],
    lambda data: data + b'\0',
    lambda data: data[:4],
    lambda data: b'',
    lambda data: pickle.dumps([1]),
    lambda data: data[:4] + b'b' + data[5:],
    lambda data: data[:5] + b'\0\0\0\0' + data[9:],
    lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    lambda data: data[:-1] + bytes([data[-1] ^ 1]),
])  # fmt: skip
@pytest.mark.parametrize('large', [False, True])
def test_what_is_changed_or_cut_off_is_refused(tmp_path, change, large):
    with opened(tmp_path) as cache:
        cache['k'] = list(range(50_000)) if large else [1, 2]
        path = cache.path('k')
    size, mode, filename, value = stored(tmp_path, 'k')
    if large:
        changed = change(open(path, 'rb').read())
        open(path, 'wb').write(changed)
        store(tmp_path, 'k', (len(changed), mode, filename, None))
    else:
        store(tmp_path, 'k', (size, mode, filename, change(value)))
    with opened(tmp_path, on_decode_error='delete') as cache:
        assert cache.get('k') is None and len(cache) == 0


@pytest.mark.parametrize('at', [0, 5, 19, 22, 30, 70_000, 140_000, -1])
def test_a_stream_that_is_changed_gives_nothing_of_the_changed_chunk(tmp_path, at):
    data = os.urandom(150_000)
    with opened(tmp_path) as cache:
        cache.set('k', io.BytesIO(data), read=True)
        with open(cache.path('k'), 'r+b') as file:
            sealed = bytearray(file.read())
            sealed[at] ^= 1
            file.seek(0)
            file.write(sealed)
        with pytest.raises(BAD):
            cache['k']
        got = b''
        with pytest.raises(BAD):
            with cache.read('k') as file:
                while chunk := file.read(10_000):
                    got += chunk
        assert data.startswith(got)


def test_a_stream_is_refused_whose_chunks_are_cut_off_turned_around_or_of_another(tmp_path):
    with opened(tmp_path) as cache:
        cache.set('k', io.BytesIO(os.urandom(200_000)), read=True)
        old = open(cache.path('k'), 'rb').read()
        cache.set('k', io.BytesIO(os.urandom(200_000)), read=True)
        path = cache.path('k')
        sealed = open(path, 'rb').read()
        cut = 20 + 4 + 41 + (1 << 16)  # the head, and the first chunk
        second = cut + 4 + 41 + (1 << 16)
    _, mode, filename, _ = stored(tmp_path, 'k')
    for changed in [
        sealed[:cut],
        sealed[:cut] + old[cut:],
        sealed[:20] + sealed[cut:second] + sealed[20:cut] + sealed[second:],
        sealed[:20] + sealed[cut:],
        sealed[:cut] + sealed[second:],
    ]:
        open(path, 'wb').write(changed)
        store(tmp_path, 'k', (len(changed), mode, filename, None))
        with opened(tmp_path) as cache, pytest.raises(BAD):
            cache.read('k').read()


def test_a_number_or_text_is_not_signed(tmp_path):
    """As docs/SECURITY.md says."""
    with opened(tmp_path) as cache:
        cache.set_many({'k': [1], 'text': 'mine'})
    store(tmp_path, 'text', (0, 1, None, 'yours'))
    with opened(tmp_path) as cache:
        assert cache['text'] == 'yours'


def test_what_5_6_3_sees_are_bytes(oracle, tmp_path):
    with opened(tmp_path) as cache:
        cache.set_many({'k': [1], 'large': b'c' * 50_000})
    with oracle.Cache(tmp_path) as cache:
        assert type(cache['k']) is type(cache['large']) is bytes and cache.check() == []
