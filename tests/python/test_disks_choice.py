"""Which Disk stands where a program asks for Disk, or for none.

SPDX-License-Identifier: Apache-2.0
"""

import pytest

import diskcache
from diskcache import Cache, Deque, FanoutCache, Index, JSONDisk, SafeDisk
from packages import run


class Own(diskcache.Disk):
    pass


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv('DISKCACHE_DISK', raising=False)
    yield
    diskcache.set_default_disk()


def kinds(directory):
    """The Disks of all that a program opens without saying which."""
    caches = [
        Cache(directory / 'a'),
        Cache(directory / 'b', disk=diskcache.Disk),
        FanoutCache(directory / 'c', shards=1),
        Deque(directory=directory / 'd').cache,
        Index(str(directory / 'e')).cache,
    ]
    found = {type(cache.disk) for cache in caches}
    for cache in caches:
        cache.close()
    return found


def test_without_a_choice_it_is_disk(tmp_path):
    assert diskcache.default_disk() is diskcache.Disk and kinds(tmp_path) == {diskcache.Disk}


def test_a_call_chooses_for_all_that_is_opened_from_then_on(tmp_path):
    for disk in [SafeDisk, 'SafeDisk', 'diskcache.safe:SafeDisk']:
        diskcache.set_default_disk(disk)
        assert diskcache.default_disk() is SafeDisk and kinds(tmp_path) == {SafeDisk}
    diskcache.set_default_disk()
    assert kinds(tmp_path) == {diskcache.Disk}


def test_the_environment_chooses_and_a_call_overrides_it(tmp_path, monkeypatch):
    monkeypatch.setenv('DISKCACHE_DISK', 'SafeDisk')
    assert kinds(tmp_path) == {SafeDisk}
    diskcache.set_default_disk(JSONDisk)
    assert kinds(tmp_path) == {JSONDisk}
    diskcache.set_default_disk()
    monkeypatch.setenv('DISKCACHE_DISK', 'test_disks_choice:Own')
    assert diskcache.default_disk().__name__ == 'Own'


def test_a_program_as_it_is_becomes_safe(tmp_path, monkeypatch):
    monkeypatch.setenv('DISKCACHE_DISK', 'SafeDisk')
    program = 'import diskcache, sys; print(type(diskcache.Cache(sys.argv[1]).disk).__name__)'
    assert run(program, tmp_path) == 'SafeDisk'


def test_a_disk_that_a_program_names_stays(tmp_path):
    diskcache.set_default_disk(SafeDisk)
    for disk in [JSONDisk, Own]:
        with Cache(tmp_path / disk.__name__, disk=disk) as cache:
            assert type(cache.disk) is disk


def test_options_go_with_the_choice_and_those_of_a_cache_go_first(tmp_path):
    diskcache.set_default_disk(SafeDisk, disk_allow=['decimal.Decimal'], disk_min_file_size=5)
    with Cache(tmp_path, disk_min_file_size=7) as cache:
        assert cache.disk.allow == {('decimal', 'Decimal')} and cache.disk.min_file_size == 7


@pytest.mark.parametrize('name', ['NoDisk', 'SafeDisk2', 'diskcache.safe', 'no.such:Disk'])
def test_a_choice_that_is_none_opens_nothing(tmp_path, monkeypatch, name):
    monkeypatch.setenv('DISKCACHE_DISK', name)
    with pytest.raises((ValueError, ImportError)):
        Cache(tmp_path / 'c')
    assert not (tmp_path / 'c').exists()
    with pytest.raises((ValueError, ImportError)):
        diskcache.set_default_disk(name)


def test_what_is_no_disk_is_refused():
    for wrong in [int, 'diskcache.core:Cache']:
        with pytest.raises(ValueError, match='must subclass'):
            diskcache.set_default_disk(wrong)
    with pytest.raises(ValueError, match='not an option'):
        diskcache.set_default_disk(SafeDisk, size_limit=5)
