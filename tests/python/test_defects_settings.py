"""What goes wrong with settings and opening in 5.6.3, one test for each row, named after it.

SPDX-License-Identifier: Apache-2.0
"""

import os
import sqlite3
import warnings

import pytest

import compare
from compare import connected
from packages import expect, is_ours, run


def test_opening_an_existing_cache_writes(package, tmp_path):
    package.Cache(tmp_path).close()
    with connected(tmp_path) as watcher:
        (before,) = watcher.execute('PRAGMA data_version').fetchone()
        package.Cache(tmp_path).close()
        (after,) = watcher.execute('PRAGMA data_version').fetchone()
    expect(package, after == before, True, False)


def test_opening_while_somebody_writes(package, tmp_path):
    """Kin of the above: 5.6.3 waits for the other's transaction, 60 seconds if need be."""
    package.Cache(tmp_path).close()
    with connected(tmp_path) as writer:
        writer.execute('BEGIN IMMEDIATE')
        if is_ours(package):
            with package.Cache(tmp_path, timeout=0.05) as cache:
                assert cache.get('k') is None
        writer.rollback()


def test_fanout_opened_again_without_its_limit(package, tmp_path):
    package.FanoutCache(tmp_path, shards=4, size_limit=2**34).close()
    with package.FanoutCache(tmp_path, shards=4) as cache:
        limits = [shard.reset('size_limit') for shard in cache._shards]
        expect(package, limits, [2**32] * 4, [2**28] * 4)


def test_a_cache_opened_again_keeps_its_settings(package, tmp_path):
    """Kin: what a cache was given it keeps, and what the next opener names it changes."""
    with package.Cache(tmp_path, size_limit=12345, cull_limit=3, sqlite_cache_size=99):
        pass
    with package.Cache(tmp_path, cull_limit=4) as cache:
        assert (cache.size_limit, cache.cull_limit, cache.sqlite_cache_size) == (12345, 4, 99)
    assert compare.settings(tmp_path)['cull_limit'] == 4


REFUSED = """
import resource, sys
import packages
package = packages.ours
files = len(__import__('os').listdir('/proc/self/fd'))
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
try:
    package.Cache(sys.argv[1])
except Exception as error:
    print(type(error).__name__)
"""


def test_a_passing_error_at_open_resets_all_settings(ours, tmp_path):
    ours.Cache(tmp_path, size_limit=12345, eviction_policy='none').close()
    before = compare.settings(tmp_path)
    assert run(REFUSED, tmp_path) in ('OperationalError', 'OSError')
    assert compare.settings(tmp_path) == before


def test_a_policy_that_is_none_shuts_the_directory_for_ever(package, tmp_path):
    package.Cache(tmp_path).close()
    with pytest.raises((KeyError, ValueError)):
        package.Cache(tmp_path, eviction_policy='lru')
    if is_ours(package):
        with package.Cache(tmp_path) as cache:
            assert cache.eviction_policy == 'least-recently-stored'
            with pytest.raises((KeyError, ValueError)):
                cache.reset('eviction_policy', 'lru')
    else:
        with pytest.raises(KeyError):
            package.Cache(tmp_path)


@pytest.mark.parametrize(
    'name, value', [('cull_limit', 'many'), ('size_limit', None), ('disk_min_file_size', 'x')]
)
def test_a_setting_of_the_wrong_type_is_refused(ours, tmp_path, name, value):
    """Kin: nothing is stored that a later opener could not use."""
    ours.Cache(tmp_path).close()
    with pytest.raises((TypeError, ValueError)):
        ours.Cache(tmp_path, **{name: value})
    ours.Cache(tmp_path).close()


def test_an_unknown_setting_is_accepted_in_silence(package, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        with package.Cache(tmp_path, my_setting=7) as cache:
            assert cache.my_setting == 7  # relied upon: kept
            assert cache.reset('my_setting') == 7
    expect(package, any('my_setting' in str(w.message) for w in caught), True, False)
    with package.Cache(tmp_path) as cache:
        assert cache.my_setting == 7


def test_fanout_cache_with_a_disk_of_its_own_uses_disk(package, tmp_path):
    with package.FanoutCache(tmp_path) as fanout:
        named = fanout.cache('x', disk=package.JSONDisk)
        expect(package, type(named.disk).__name__, 'JSONDisk', 'Disk')


def test_json_disk_opened_with_another_level_misses_every_key(package, tmp_path):
    with package.Cache(tmp_path, disk=package.JSONDisk, disk_compress_level=1) as cache:
        cache['a' * 50] = 'value'
        cache[7] = 'number'
    with package.Cache(tmp_path, disk=package.JSONDisk, disk_compress_level=9) as cache:
        seen = (cache.get('a' * 50), cache.get(7), cache.add(7, 'again'))
        expect(package, seen, ('value', 'number', False), (None, None, True))


@pytest.mark.parametrize('level', [0, 1, 6, 9])
def test_json_disk_finds_what_5_6_3_stored(oracle, ours, tmp_path, level):
    keys = ['text', 1, 2.5, None, True, ['a', 1], {'k': [1]}, 'long' * 100]
    with oracle.Cache(tmp_path, disk=oracle.JSONDisk, disk_compress_level=level) as cache:
        for number, key in enumerate(keys):
            cache[key] = [number]
    for other in (level, 3):
        with ours.Cache(tmp_path, disk=ours.JSONDisk, disk_compress_level=other) as cache:
            assert [cache[key] for key in keys] == [[number] for number in range(len(keys))]
            assert list(cache) == keys


def test_json_disk_cannot_count(package, tmp_path):
    with package.Cache(tmp_path, disk=package.JSONDisk) as cache:
        assert cache.incr('k') == 1
        second = compare.outcome(cache.incr, 'k', 10)
        expect(package, second, ('returns', ('int', 11)), ('raises', 'TypeError'))
        if is_ours(package):
            assert cache['k'] == 11
            cache['set'] = 5
            assert cache.decr('set', 2) == 3


def test_json_disk_queues(package, tmp_path):
    """Kin: a queue's keys are plain numbers, which JSONDisk of 5.6.3 cannot read back."""
    with package.Cache(tmp_path, disk=package.JSONDisk) as cache:
        key = cache.push(['value'])
        seen = compare.outcome(lambda: list(cache))
        expect(package, seen, ('returns', compare.plain([key])), ('raises', 'TypeError'))
        assert cache.pull() == (key, ['value'])


def test_settings_are_attributes_and_reset_stores_them(package, tmp_path):
    with package.Cache(tmp_path) as cache, package.Cache(tmp_path) as other:
        assert cache.reset('cull_limit', 3) == 3 and cache.cull_limit == 3
        assert other.reset('cull_limit') == 3 and other.cull_limit == 3
        assert cache.reset('cull_limit', 5, update=False) == 5 and cache.cull_limit == 5
        assert other.reset('cull_limit') == 3
        assert cache.reset('sqlite_mmap_size', 0) == 0 and cache.sqlite_mmap_size == 0
        cache.reset('disk_min_file_size', 4)
        cache['k'] = b'four'
        assert len(compare.files(tmp_path)) == 1


def test_an_open_that_fails_leaves_nothing_open(ours, tmp_path):
    (tmp_path / 'cache.db').write_bytes(b'this is no database, but it is long enough' * 100)
    before = len(os.listdir('/proc/self/fd'))
    for _ in range(3):
        with pytest.raises(sqlite3.DatabaseError):
            ours.Cache(tmp_path)
    assert len(os.listdir('/proc/self/fd')) == before
