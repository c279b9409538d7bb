"""A pickle planted in the directory, against each Disk: the table in docs/SECURITY.md.

SPDX-License-Identifier: Apache-2.0
"""

import os

import pytest

import attack
import diskcache
from differences import differs
from packages import is_ours

DISKS = [diskcache.SafeDisk, diskcache.JSONDisk, diskcache.SignedDisk, diskcache.MsgpackDisk]


@pytest.fixture(autouse=True)
def ran(monkeypatch):
    monkeypatch.setenv('DISKCACHE_DISK_KEY', 'a-secret-of-20-bytes')
    attack.RAN.clear()
    return attack.RAN


def planted(directory, place, disk=diskcache.Disk, **options):
    with diskcache.Cache(directory, disk=disk, **options) as cache:
        cache['k'] = [1, 2]
    attack.plant(directory, place)
    return diskcache.Cache(directory, disk=disk, **options)


@pytest.mark.parametrize('place', ['value', 'file', 'key'])
def test_5_6_3_and_disk_in_a_directory_of_ones_own_run_it(package, tmp_path, place, ran):
    with package.Cache(tmp_path) as cache:
        cache['k'] = [1, 2]
    attack.plant(tmp_path, place)
    with package.Cache(tmp_path) as cache:
        attack.read_everything(cache)
    assert 'planted' in ran


@pytest.mark.parametrize('place', attack.PLACES)
@pytest.mark.parametrize('mode', [0o777, 0o1777, 0o707])
def test_disk_runs_nothing_from_a_directory_that_others_may_write(tmp_path, place, mode, ran):
    with planted(tmp_path, place) as cache:
        os.chmod(tmp_path, mode)
        raised = attack.read_everything(cache)
    assert ran == [] and differs('unsafe-directory')
    if place != 'bytes':  # which are bytes
        assert diskcache.UnsafeDirectoryError in raised


@pytest.mark.parametrize('place', attack.PLACES)
@pytest.mark.parametrize('disk', DISKS)
def test_other_disks_run_nothing_anywhere(tmp_path, disk, place, ran):
    if disk is diskcache.MsgpackDisk:
        pytest.importorskip('msgpack')
    with planted(tmp_path, place, disk) as cache:
        attack.read_everything(cache)
        assert ran == []


@pytest.mark.parametrize('place', ['value', 'file', 'key'])
def test_a_subclass_of_disk_that_calls_its_hooks_is_held_back_too(tmp_path, place, ran):
    class Hooked(diskcache.Disk):
        def fetch(self, mode, filename, value, read):
            return super().fetch(mode, filename, value, read)

    with planted(tmp_path, place, Hooked) as cache:
        os.chmod(tmp_path, 0o777)
        assert diskcache.UnsafeDirectoryError in attack.read_everything(cache)
    assert ran == []


@pytest.mark.parametrize('place', ['value', 'file'])
def test_fanout_deque_and_index_are_held_back_too(tmp_path, place, ran):
    with diskcache.FanoutCache(tmp_path / 'f', shards=1) as cache:
        cache['k'] = [1]
    attack.plant(tmp_path / 'f/000', place)
    os.chmod(tmp_path / 'f', 0o777)
    with diskcache.FanoutCache(tmp_path / 'f') as cache, pytest.raises(diskcache.UnsafeDirectoryError):
        cache['k']
    deque = diskcache.Deque([[1]], tmp_path / 'd')
    index = diskcache.Index(str(tmp_path / 'i'), k=[1])
    for kind, read in [(deque, lambda: deque[0]), (index, lambda: index['k'])]:
        attack.plant(tmp_path / os.path.basename(kind.directory), place)
        os.chmod(kind.directory, 0o777)
        with pytest.raises(diskcache.UnsafeDirectoryError):
            read()
        kind.cache.close()
    assert ran == []


def test_the_refusal_is_no_miss_and_deletes_nothing(tmp_path):
    with diskcache.Cache(tmp_path, on_decode_error='delete') as cache:
        cache['k'] = [1]
        os.chmod(tmp_path, 0o777)
        for read in [lambda: cache.get('k'), lambda: cache.get_many(['k'])]:
            with pytest.raises(diskcache.UnsafeDirectoryError, match='other users may write'):
                read()
        os.chmod(tmp_path, 0o700)
        assert cache['k'] == [1]


def test_told_otherwise_disk_reads_from_such_a_directory(tmp_path, monkeypatch):
    os.chmod(tmp_path, 0o777)
    with diskcache.Cache(tmp_path, trust_directory=True) as cache:
        cache['k'] = [1]
        assert cache['k'] == [1]
    with diskcache.Cache(tmp_path) as cache:
        with pytest.raises(diskcache.UnsafeDirectoryError):
            cache['k']
    monkeypatch.setenv('DISKCACHE_TRUST_DIRECTORY', '1')
    with diskcache.Cache(tmp_path) as cache:
        assert cache['k'] == [1]


def test_plain_values_are_read_from_such_a_directory(tmp_path):
    os.chmod(tmp_path, 0o777)
    plain = {'text': 'a' * 50_000, 'number': 1, 'real': 1.5, 'bytes': b'b' * 50_000, 'none': None}
    with diskcache.Cache(tmp_path) as cache:
        for key, value in plain.items():
            cache[key] = value
        assert dict(cache.items()) == plain


@pytest.mark.parametrize('place', ['value', 'file', 'key'])
def test_json_disk_loads_no_pickle(package, tmp_path, place, ran):
    with package.Cache(tmp_path, disk=package.JSONDisk) as cache:
        cache['k'] = [1, 2]
    attack.plant(tmp_path, place)
    with package.Cache(tmp_path, disk=package.JSONDisk) as cache:
        attack.read_everything(cache)
    assert (ran == []) == (is_ours(package) and differs('json-pickle'))
