"""disk_compress: values are zstd where that is less, and read by whoever has the Disk.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import os
import pickle
import sqlite3

import pytest
from hypothesis import given, settings

import diskcache
from diskcache import MsgpackDisk, SafeDisk, SignedDisk
from test_disks_msgpack import values as packable
from test_disks_safe import same, values

try:
    from diskcache.compress import expand, shorter

    FRAME = shorter(bytes(1000), 3)
except ImportError:
    pytest.skip('neither Python 3.14 nor zstandard', allow_module_level=True)

DISKS = [
    (SafeDisk, {}, values),
    (SignedDisk, {'disk_key': 'a secret of 20 bytes'}, values),
    (MsgpackDisk, {}, packable),
]
each = pytest.mark.parametrize('disk, options, some', DISKS, ids=lambda arg: getattr(arg, '__name__', ''))
LONG = {
    'text': 'text ' * 20_000,
    'bytes': b'bytes ' * 20_000,
    'list': ['list'] * 50_000,
    'short': ['a'] * 3,
    ('key', 'k' * 1000): 'a' * 1000,
}


@each
def test_a_cache_gives_back_what_it_was_given(tmp_path_factory, disk, options, some):
    @settings(max_examples=100, deadline=None)
    @given(some)
    def check(value):
        directory = tmp_path_factory.mktemp('compress')
        with diskcache.Cache(directory, disk=disk, disk_compress=1, **options) as cache:
            cache['k'], cache['more'] = value, [value] * 50
            assert same(cache['k'], value) and same(cache['more'], [value] * 50)

    check()


@each
def test_it_takes_less_and_is_read_without_the_option(tmp_path, disk, options, some):
    volumes = []
    for level in [None, 3]:
        with diskcache.Cache(tmp_path, disk=disk, disk_compress=level, **options) as cache:
            cache.set_many(LONG)
            volumes.append(cache.size)
    assert volumes[0] > 300_000 and volumes[1] < 1000
    with diskcache.Cache(tmp_path, disk=disk, **options) as cache:
        assert dict(cache.items()) == LONG
        assert 'disk_compress' not in cache._settings()


@each
def test_what_does_not_get_shorter_is_kept_as_it_is(tmp_path, disk, options, some):
    noise = os.urandom(100_000)
    sizes = []
    for level in [None, 3]:
        with diskcache.Cache(tmp_path, disk=disk, disk_compress=level, **options) as cache:
            cache['bytes'], cache['list'] = noise, [noise]
            sizes.append(cache.size)
            assert cache['bytes'] == noise and cache['list'] == [noise]
    assert sizes[0] == sizes[1]


def test_disk_reads_what_safe_disk_has_compressed(tmp_path):
    with diskcache.Cache(tmp_path, disk=SafeDisk, disk_compress=3) as cache:
        cache.set_many(LONG)
    with diskcache.Cache(tmp_path) as cache:
        assert dict(cache.items()) == LONG


@pytest.mark.parametrize('disk', [diskcache.Disk, SafeDisk])
def test_frames_that_are_none_or_say_too_much_are_errors(tmp_path, disk):
    with diskcache.Cache(tmp_path, disk=disk) as cache:
        cache['k'] = [1]
    header = b'\x28\xb5\x2f\xfd'
    for frame in [
        header,
        FRAME[:-1],
        header + b'\xe0' + (1 << 40).to_bytes(8, 'little') + b'\1\0\0',  # says that it is 1 TiB
        header + b'\0\x50\1\0\0',  # does not say how much it is
        shorter(b'not a pickle' * 100, 3),
    ]:
        with contextlib.closing(sqlite3.connect(tmp_path / 'cache.db')) as con, con:
            con.execute('UPDATE Cache SET value = ?', [frame])
        with diskcache.Cache(tmp_path, disk=disk) as cache, pytest.raises(Exception) as caught:
            cache['k']
        assert not isinstance(caught.value, (MemoryError, KeyError))


def test_a_compressed_pickle_is_read_as_safely_as_another(tmp_path):
    import attack

    attack.RAN.clear()
    with diskcache.Cache(tmp_path, disk=SafeDisk) as cache:
        cache['k'] = [1]
    frame = shorter(pickle.dumps([attack.Code('planted')] * 100 + [bytes(1000)]), 3)
    with contextlib.closing(sqlite3.connect(tmp_path / 'cache.db')) as con, con:
        con.execute('UPDATE Cache SET value = ?', [frame])
    with diskcache.Cache(tmp_path, disk=SafeDisk) as cache:
        with pytest.raises(pickle.UnpicklingError, match='attack.run is not allowed'):
            cache['k']
    os.chmod(tmp_path, 0o777)
    with diskcache.Cache(tmp_path) as cache, pytest.raises(diskcache.UnsafeDirectoryError):
        cache['k']
    assert attack.RAN == []


def test_a_level_that_is_none_opens_nothing(tmp_path):
    with pytest.raises((ValueError, TypeError)):
        diskcache.Cache(tmp_path, disk=SafeDisk, disk_compress='best')
    assert expand(FRAME) == bytes(1000)
