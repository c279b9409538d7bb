"""What Cache and FanoutCache have beyond 5.6.3, in the values that come back.

SPDX-License-Identifier: Apache-2.0
"""

import datetime
import io
import math
import os

import pytest

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(params=['Cache', 'FanoutCache'])
def cache(request, ours, tmp_path):
    with getattr(ours, request.param)(tmp_path) as cache:
        yield cache


def test_get_with_touch_is_a_sliding_expiry(cache, clock):
    clock.stop()
    cache.set('k', 1, expire=10)
    cache.set('file', b'x' * 40_000, expire=10)
    clock.advance(9)
    assert cache.get('k', touch=10) == 1 and cache.ttl('k') == 10
    assert cache.get('file', touch=MINUTE, expire_time=True) == (b'x' * 40_000, clock.now + 1)
    assert cache.ttl('file') == 60
    clock.advance(9)
    assert cache.get('k') == 1 and cache.ttl('k') == 1
    clock.advance(2)
    assert cache.get('k', 'gone', touch=10) == 'gone' and cache.ttl('k') is None
    with pytest.raises(ValueError):
        cache.get('file', touch=math.nan)


def test_ttl_and_path(cache, tmp_path):
    cache['small'] = 1
    cache['large'] = b'x' * 40_000
    assert cache.ttl('small') == math.inf and cache.ttl('none', default=-1) == -1
    assert cache.path('small') is None
    with open(cache.path('large'), 'rb') as reader:
        assert reader.read() == b'x' * 40_000
    assert cache.path('large').startswith(str(tmp_path))
    with pytest.raises(KeyError):
        cache.path('none')


def test_many_at_once(cache, clock):
    clock.stop()
    items = {'a': 1, 2: 'two', (3, 'c'): b'x' * 40_000, None: [4]}
    cache.set_many(items, expire=MINUTE, tag='many')
    assert cache.get_many(items) == items
    assert cache.get_many(['a', 'none']) == {'a': 1}
    assert {cache.ttl(key) for key in items} == {60.0}
    assert cache.get('a', tag=True) == (1, 'many')
    assert cache.delete_many(['a', 'none', 2]) == 2 and len(cache) == 2
    cache.set_many([('pair', 1)])
    assert cache['pair'] == 1


def test_many_are_one_transaction_and_fail_as_one(cache):
    with pytest.raises(ZeroDivisionError):
        cache.set_many((n, 1 // (5 - n)) for n in range(9))
    assert len(cache) == 0
    with pytest.raises(Exception, match='local object'):
        cache.set_many({'a': 1, 'b': lambda: None})
    assert len(cache) == 0


def test_delete_by_prefix(cache):
    for n in range(1500):
        cache.set('user:%d' % n, n)
    cache.set_many({'user': 0, 'users': 0, b'user:bytes': 0, 7: 0})
    assert cache.delete_prefix('user:') == 1500
    assert set(cache) == {'user', 'users', b'user:bytes', 7}
    assert cache.delete_prefix(b'user') == 1 and len(cache) == 3


def test_walks_with_filters(cache, clock):
    clock.stop()
    for n, key in enumerate(['b', 'a', 'bb', 10, 2, b'b']):
        cache.set(key, n, tag='even' if n % 2 == 0 else None, expire=10 if key == 'bb' else None)
    assert set(cache.keys(prefix='b')) == {'b', 'bb'} and list(cache.keys(prefix=b'b')) == [b'b']
    assert set(cache.keys(tag='even')) == {'b', 'bb', 2} and set(cache.keys(tag=None)) == {'a', 10, b'b'}
    assert list(cache.keys(start='a', stop='bb')) == ['a', 'b']
    assert list(cache.items(start=2, stop='b', reverse=True)) == [('a', 1), (10, 3), (2, 4)]
    assert list(cache.values(start='bb')) == [2, 5]
    clock.advance(11)
    assert list(cache.keys(expired=True)) == ['bb'] and 'bb' not in set(cache.keys(expired=False))
    assert set(cache.values(prefix='b', expired=None)) == {0, 2}
    with pytest.raises(TypeError):
        cache.keys('b')


def test_expiry_and_tag_where_5_6_3_has_none(cache, clock):
    clock.stop()
    assert cache.incr('n', expire=MINUTE, tag='t') == 1 and cache.ttl('n') == 60
    assert cache.get('n', tag=True) == (1, 't')
    clock.advance(10)
    assert cache.incr('n', expire=MINUTE) == 2 and cache.ttl('n') == 50  # that of a new item only
    assert cache.decr('m', 5, expire=5, tag='t') == -5 and cache.ttl('m') == 5
    cache.set('n', 0, keep_expire=True)
    assert cache.ttl('n') == 50
    assert cache.touch('n', keep_expire=True) and cache.ttl('n') == 50


def test_read_is_a_file_object_whatever_the_value(cache):
    for value, data in ((b'small', b'small'), ('text', b'text'), (b'x' * 40_000, b'x' * 40_000)):
        cache['k'] = value
        with cache.read('k') as reader:
            assert isinstance(reader, io.BufferedIOBase) and reader.read() == data
    with pytest.raises(KeyError):
        cache.read('none')


def test_a_backup_is_a_cache_of_its_own(cache, ours, tmp_path):
    cache.set_many({'a': 1, 'file': b'x' * 40_000})
    cache.backup(str(tmp_path) + '-copy')
    cache['a'] = 2
    with type(cache)(str(tmp_path) + '-copy') as copy:
        assert (copy['a'], copy['file'], copy.check()) == (1, b'x' * 40_000, [])


@pytest.mark.parametrize('size', [0, 1, 7, 8, 9, 65_536, 3_000_001])
def test_values_of_files_are_read_to_where_they_stay(ours, tmp_path, size):
    values = [b'\xff' * size, 'a' * size, 'é' * size, 'a' * size + '\u20ac', bytes(size)]
    for kind in (ours.Cache, ours.FanoutCache):
        with kind(tmp_path / kind.__name__, disk_min_file_size=0) as cache:
            for value in values:
                cache['k'] = value
                assert cache['k'] == value and type(cache['k']) is type(value)
                assert cache.get('k', expire_time=True, tag=True) == (value, None, None)
                assert [cache.path('k') is not None, cache.pop('k')] == [True, value]


def test_a_file_that_is_no_text_or_too_short_is_none(ours, tmp_path):
    with ours.Cache(tmp_path) as cache:
        cache['k'] = 'a' * 50_000
        with open(cache.path('k'), 'r+b') as file:
            file.write(b'\xff')
        with pytest.raises(UnicodeDecodeError):
            cache['k']
        os.truncate(cache.path('k'), 100)
        assert cache.get('k') is None
    with ours.Cache(tmp_path, on_decode_error='miss') as cache:
        cache['k'] = 'a' * 50_000
        with open(cache.path('k'), 'r+b') as file:
            file.write(b'\xff')
        assert cache.get('k') is None
