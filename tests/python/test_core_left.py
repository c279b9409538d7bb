"""What writes leave behind: files for a Disk with its own remove(), keys for on_evict().

SPDX-License-Identifier: Apache-2.0
"""

import pickle
import sqlite3
import sys

import pytest

import diskcache

BIG = b'x' * 100_000


class Removing(diskcache.Disk):
    removed = []

    def remove(self, file_path):
        self.removed.append((self._directory, file_path))
        super().remove(file_path)


@pytest.fixture(autouse=True)
def nothing_removed():
    Removing.removed.clear()


def files(path):
    return [file for file in path.rglob('*.val')]


@pytest.mark.parametrize('kind', [diskcache.Cache, diskcache.FanoutCache])
def test_a_disk_removes_every_file_itself(tmp_path, kind):
    with kind(tmp_path, disk=Removing) as cache:
        cache['a'] = BIG
        (file,) = files(tmp_path)
        cache['a'] = 1
        ((directory, name),) = Removing.removed
        assert str(file) == directory + '/' + name
        cache['b'], cache['c'] = BIG, BIG
        assert cache.pop('b') == BIG
        del cache['c']
        cache['d'] = BIG
        cache.clear()
        assert len(Removing.removed) == 4
    assert files(tmp_path) == []


def test_a_transaction_removes_after_its_commit(tmp_path):
    with diskcache.Cache(tmp_path, disk=Removing) as cache:
        cache['a'] = BIG
        with pytest.raises(ValueError):
            with cache.transact():
                del cache['a']
                raise ValueError
        assert Removing.removed == [] and cache['a'] == BIG
        with cache.transact():
            del cache['a']
            assert Removing.removed == []
        assert len(Removing.removed) == 1 and files(tmp_path) == []


def test_keys_that_a_policy_takes_are_told(tmp_path):
    keys = []
    with diskcache.Cache(tmp_path, size_limit=350_000) as cache:
        cache.on_evict(keys.append)
        for number in range(5):
            cache['tuple', number] = BIG
        assert keys == [('tuple', 0), ('tuple', 1)]
        assert cache.stats().evicted == 2
        cache.on_evict(None)
        cache['more'] = BIG
        assert len(keys) == 2


def test_what_on_evict_raises_harms_no_write(tmp_path, monkeypatch):
    errors = []
    monkeypatch.setattr(sys, 'unraisablehook', lambda error: errors.append(error.exc_type))
    with diskcache.FanoutCache(tmp_path, shards=1, size_limit=150_000) as cache:
        cache.on_evict(lambda key: 1 / 0)
        assert cache.set(1, BIG) and cache.set(2, BIG)
        assert list(cache) == [2] and errors == [ZeroDivisionError]


@pytest.mark.parametrize('kind', [diskcache.Cache, diskcache.FanoutCache])
@pytest.mark.parametrize('choice, stays', [('miss', 1), ('delete', 0)])
def test_what_cannot_be_unpickled_is_missing_by_choice(tmp_path, kind, choice, stays):
    with kind(tmp_path, on_decode_error=choice) as cache:
        cache = pickle.loads(pickle.dumps(cache))
        cache['k'] = Broken()
        assert cache.get('k', 5) == 5 and len(cache) == stays
        cache['k'] = Broken()
        assert cache.get_many(['k']) == {}
        assert cache.get('k', 5) == 5 and len(cache) == stays
        with pytest.raises(KeyError):
            cache['k']
        cache.close()


def test_the_choice_is_checked(tmp_path):
    with pytest.raises(ValueError):
        diskcache.Cache(tmp_path, on_decode_error='ignore')


def fail():
    raise ImportError


class Broken:
    def __reduce__(self):
        return fail, ()


@pytest.mark.parametrize('kind, given', [(diskcache.Cache, {}), (diskcache.FanoutCache, {'shards': 1})])
def test_a_damaged_database_is_an_error_or_by_choice_made_anew(tmp_path, kind, given):
    with kind(tmp_path, on_corruption='rebuild', **given) as cache:
        cache['k'] = 1
        cache = pickle.loads(pickle.dumps(cache))
    cache.close()
    (path,) = tmp_path.rglob('cache.db')
    content = path.read_bytes()
    path.write_bytes(content[:100] + b'damage' * 100 + content[700:])
    with pytest.raises(sqlite3.DatabaseError):
        kind(tmp_path)
    assert cache.get('k') is None
    cache['k'] = 2
    assert cache['k'] == 2 and cache.check() == []
    assert path.with_name('cache.db-damaged-1').exists()
    cache.close()
    with pytest.raises(ValueError):
        kind(tmp_path, on_corruption='ignore')
