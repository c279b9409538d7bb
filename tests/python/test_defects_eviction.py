"""What goes wrong with eviction, sizes and expiry in 5.6.3, one test for each row, named after it.

SPDX-License-Identifier: Apache-2.0
"""

import io
import math
import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest

import compare
import packages
from packages import child_environment, expect, is_ours

POLICIES = ['least-recently-stored', 'least-recently-used', 'least-frequently-used']


def test_with_little_room_the_fourth_set_empties_the_cache(package, tmp_path):
    with package.Cache(tmp_path, size_limit=1_000_000) as cache:
        for number in range(4):
            assert cache.set(number, b'x' * 300_000) is True
        # What is stored last is there, and of the rest what finds room.
        expect(package, list(cache), [1, 2, 3], [])


@pytest.mark.parametrize('policy', POLICIES)
def test_a_write_evicts_the_newcomer(package, tmp_path, policy):
    with package.Cache(tmp_path, size_limit=500_000, eviction_policy=policy) as cache:
        for number in range(20):
            assert cache.set(number, b'x' * 100_000) is True
            if is_ours(package):
                assert number in cache
                assert cache.volume() <= 500_000
        assert (len(cache) > 0) or not is_ours(package)


def test_a_value_larger_than_the_limit_is_said_to_be_stored(package, tmp_path):
    with package.Cache(tmp_path, size_limit=500_000) as cache:
        cache['small'] = 'stays'
        stored = cache.set('large', b'x' * 1_000_000)
        seen = (stored, 'large' in cache, 'small' in cache, len(compare.files(tmp_path)))
        expect(package, seen, (False, False, True, 0), (True, False, False, 0))


def test_a_value_larger_than_the_limit_does_not_replace_the_old_one(ours, tmp_path):
    with ours.Cache(tmp_path, size_limit=500_000) as cache:
        cache['k'] = b'old' * 20000
        assert cache.set('k', b'x' * 1_000_000) is False
        assert cache['k'] == b'old' * 20000


def test_least_frequently_used_gives_new_items_no_chance(package, tmp_path):
    """60 items that were read a few times, then 50 new ones: how many of the new survive?"""
    limit = 70 * 32768
    with package.Cache(tmp_path, size_limit=limit, eviction_policy='least-frequently-used') as cache:
        for number in range(60):
            cache['old-%d' % number] = b'x' * 32768
        for number in range(60):
            for _ in range(3):
                cache.get('old-%d' % number)
        for number in range(50):
            cache['new-%d' % number] = b'x' * 32768
        survivors = sum('new-%d' % number in cache for number in range(50))
        if is_ours(package):
            assert survivors >= 25
        else:
            assert survivors <= 12


def test_of_500_items_with_one_expire_time_100_are_expired(cache, package, clock):
    with cache.transact():
        for number in range(500):
            cache.set(number, number, expire=1)
    clock.advance(2)
    expect(package, (cache.expire(), len(cache)), (500, 0), (100, 400))


def test_touch_without_expire_removes_the_expiry(cache, package, clock):
    cache.set('k', 1, expire=10)
    assert cache.touch('k') is True  # relied upon: kept
    assert cache.get('k', expire_time=True) == (1, None)
    if is_ours(package):  # the way to keep it
        cache.set('k', 1, expire=10)
        assert cache.touch('k', keep_expire=True) is True
        assert cache.get('k', expire_time=True) == (1, clock.now + 10)


def test_an_expire_of_nan_never_expires(cache, package):
    def refused(function, *args, **kwargs):
        return compare.outcome(function, *args, **kwargs) == ('raises', 'ValueError')

    nan = math.nan
    cache['k'] = 1
    seen = [
        refused(cache.set, 'new', 1, expire=nan), refused(cache.add, 'newer', 1, expire=nan),
        refused(cache.touch, 'k', expire=nan), refused(cache.push, 1, expire=nan),
    ]  # fmt: skip
    expect(package, (seen, len(cache)), ([True] * 4, 1), ([False] * 4, 4))


def test_an_item_that_is_stored_expired(cache, package):
    assert cache.set('k', 1, expire=-1) is True
    assert 'k' not in cache and cache.get('k') is None
    expect(package, len(cache), 1, 0)
    cache['other'] = 1
    assert list(cache) == ['other']


def test_the_instant_of_expiry(cache, package, clock):
    cache.set('k', 5, expire=0)
    assert 'k' not in cache and cache.get('k') is None
    expect(package, cache.incr('k'), 1, 6)


def test_expired_items_are_counted_and_listed(cache, package, clock):
    cache.set('expired', 1, expire=1)
    cache.set('live', 2)
    clock.advance(2)
    assert (len(cache), list(cache)) == (2, ['expired', 'live'])  # relied upon: kept
    assert 'expired' not in cache
    if is_ours(package):
        assert list(cache.keys(expired=False)) == ['live']
        assert list(cache.items(expired=False)) == [('live', 2)]
        assert list(cache.values(expired=False)) == [2]


KILLED = """
import os, signal, sys
import packages
package = getattr(packages, sys.argv[1])
class Disk(package.Disk):
    def store(self, value, read, key=package.UNKNOWN):
        result = super().store(value, read, key=key)
        os.kill(os.getpid(), signal.SIGKILL)
cache = package.Cache(sys.argv[2], disk=Disk if sys.argv[3] == 'hook' else package.Disk)
class Stream:
    def read(self, size):
        self.count = getattr(self, 'count', 0) + 1
        if self.count == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return b'x' * size
cache.set('k', Stream() if sys.argv[3] == 'stream' else b'x' * 100000, read=sys.argv[3] == 'stream')
"""


@pytest.mark.parametrize('where', ['hook', 'stream'])
def test_a_process_that_dies_between_file_and_commit_leaves_a_file_for_ever(package, tmp_path, where):
    name = 'ours' if package is packages.ours else 'oracle'
    package.Cache(tmp_path).close()
    status = subprocess.run(
        [sys.executable, '-c', KILLED, name, str(tmp_path), where], env=child_environment()
    ).returncode
    assert status == -9
    for path in tmp_path.rglob('*.val'):
        os.utime(path, (0, 0))  # long ago
    with package.Cache(tmp_path) as cache:
        assert 'k' not in cache
        cache.clear()
        expect(package, len(compare.files(tmp_path)), 0, 1)
        if is_ours(package):
            assert not [path for path in tmp_path.iterdir() if path.name.startswith('cache.db-new')]


def test_a_stream_that_raises_leaves_a_file(cache, package):
    class Broken(io.BytesIO):
        count = 0

        def read(self, size=-1):
            self.count += 1
            if self.count > 2:
                raise ZeroDivisionError
            return b'x' * 100_000

    cache['k'] = 'old'
    for write in (cache.set, cache.add):
        with pytest.raises(ZeroDivisionError):
            write('k', Broken(), read=True)
    with pytest.raises(ZeroDivisionError):
        cache.push(Broken(), read=True)
    assert (cache['k'], len(cache)) == ('old', 1)
    left = [path for path in os.listdir(cache.directory) if path.startswith('cache.db-new')]
    expect(package, len(compare.files(cache.directory)) + len(left), 0, 3)


@pytest.mark.parametrize('value', [b'x' * 40000, 'text', b'bytes', [1], None, 2**70])
def test_incr_of_what_is_no_number(cache, package, value):
    cache['k'] = value
    with pytest.raises(TypeError):
        cache.incr('k')
    with pytest.raises(TypeError):
        cache.decr('k', 0.5)
    assert cache['k'] == value


def test_expire_as_a_timedelta(ours, tmp_path, clock):
    with ours.Cache(tmp_path) as cache:
        cache.set('k', 1, expire=timedelta(minutes=1))
        assert cache.get('k', expire_time=True) == (1, clock.now + 60)
        cache.touch('k', expire=timedelta(seconds=0.5))
        clock.advance(1)
        assert 'k' not in cache


def test_evictions_are_counted(ours, tmp_path):
    with ours.Cache(tmp_path, size_limit=500_000) as cache:
        for number in range(20):
            cache[number] = b'x' * 100_000
        assert cache.stats().evicted == 20 - len(cache) > 0


def test_cull_with_the_policy_none(package, tmp_path, clock):
    with package.Cache(tmp_path, eviction_policy='none') as cache:
        cache.set('k', 1, expire=1)
        clock.advance(2)
        expect(package, cache.cull(), 1, 0)
        assert len(cache) == 0


def test_what_a_policy_notes_of_an_access(package, tmp_path, clock):
    with package.Cache(tmp_path, eviction_policy='least-recently-used') as cache:
        cache['k'] = 1
        clock.advance(2)
        cache.get('k')
    (row,) = compare.rows(tmp_path)
    assert row['access_time'] == clock.now
    expect(package, row['access_count'], 1, 0)


def test_a_culled_cache_is_within_its_limit(cache, package):
    for number in range(20):
        cache[number] = b'x' * 100_000
    cache.reset('size_limit', 500_000)
    removed = cache.cull()
    assert removed == 20 - len(cache) > 0
    assert cache.volume() <= 500_000
    if is_ours(package):  # no more than is needed
        assert cache.volume() > 350_000


def test_a_large_value_evicts_as_many_as_it_needs(ours, tmp_path):
    with ours.Cache(tmp_path, size_limit=2_000_000, cull_limit=10) as cache:
        for number in range(8):
            cache[number] = b'x' * 200_000
        cache['large'] = b'x' * 1_500_000
        assert 'large' in cache and cache.volume() <= 2_000_000
        assert [key for key in cache if key != 'large'] == [6, 7]


def test_times_are_those_of_the_clock(cache, clock):
    cache.set('k', 1, expire=10)
    assert cache.get('k', expire_time=True)[1] == clock.now + 10
    assert abs(clock.now - time.time()) < 1e-3  # the clock of the tests is the one that packages ask
