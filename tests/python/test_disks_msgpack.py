"""MsgpackDisk: values for other languages, and bytes that are none.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import datetime
import decimal
import json
import pickle
import sqlite3
import subprocess
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diskcache
from diskcache import _core
from packages import ROOT
from test_disks_safe import same

msgpack = pytest.importorskip('msgpack')

MARKER = b'\xc1mp'


def opened(directory, **options):
    return diskcache.Cache(directory, disk=diskcache.MsgpackDisk, **options)


def raw(directory, key='k'):
    with contextlib.closing(sqlite3.connect(directory / 'cache.db')) as con:
        return con.execute('SELECT value FROM Cache WHERE key = ?', [key]).fetchone()[0]


def plant(directory, value, key='k'):
    with contextlib.closing(sqlite3.connect(directory / 'cache.db')) as con, con:
        con.execute('UPDATE Cache SET value = ?, mode = 1 WHERE key = ?', [value, key])


offsets = st.integers(-1439, 1439).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m)))
hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc) | offsets)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids(),
    lambda inner: st.tuples(inner) | st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)
values = st.recursive(
    hashable,
    lambda inner: st.lists(inner)
    | st.dictionaries(hashable, inner, max_size=5)
    | st.sets(hashable, max_size=5),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(hashable, values)
def test_a_cache_gives_back_what_it_was_given(tmp_path_factory, key, value):
    with opened(tmp_path_factory.mktemp('packed')) as cache:
        cache[key] = value
        assert same(cache[key], value) and same(list(cache)[0], key)


def test_every_way_in_and_out(tmp_path):
    items = {'n': 1, 'text': 'a' * 50_000, 'bytes': b'b' * 50_000, 'list': [1], ('a',): {'b': (2,)}, 'none': None,
             'true': True, 'large': list(range(50_000)), MARKER: MARKER, 2**70: -(2**70)}  # fmt: skip
    for kind in [diskcache.Cache, diskcache.FanoutCache]:
        with kind(tmp_path / kind.__name__, disk=diskcache.MsgpackDisk) as cache:
            cache.set_many(items)
            assert cache.get_many(list(items)) == items and dict(cache.items()) == items
            assert {key: cache.pop(key) for key in items} == items and len(cache) == 0
            assert cache.incr('n') == 1 and cache.incr('n', 2) == 3
    with opened(tmp_path / 'q') as cache:
        cache.push([1], prefix='q')
        assert cache.pull('q')[1] == [1]
    index = diskcache.Index.fromcache(opened(tmp_path / 'i'), {('a',): [1]})
    deque = diskcache.Deque.fromcache(opened(tmp_path / 'd'), [[1], (2,)])
    deque.rotate(1)
    assert dict(index) == {('a',): [1]} and list(deque) == [(2,), [1]]
    index.cache.close()
    deque.cache.close()


def test_what_lies_in_the_directory_is_messagepack(tmp_path):
    value = {'a': [1, 2.5, None, True, b'x', 'ü']}
    with opened(tmp_path) as cache:
        cache['k'] = value
        cache['t'] = (1, datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
        cache['text'], cache['bytes'] = 'plain', b'plain'
    assert raw(tmp_path)[:4] == MARKER + b'\0' and msgpack.unpackb(raw(tmp_path)[4:]) == value
    code, data = msgpack.unpackb(raw(tmp_path, 't')[4:])
    number, time = msgpack.unpackb(data)
    assert (code, number, time.seconds) == (1, 1, 1767225600)
    assert raw(tmp_path, 'text') == 'plain' and raw(tmp_path, 'bytes') == b'plain'


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'build/plain/diskcache'
    if not path.exists():
        pytest.skip('the tool was not built')
    return path


def seen_by(tool, directory, key='k'):
    command = [str(tool), '-d', str(directory), '--json', 'get', key]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_the_tool_shows_what_it_is(tmp_path, tool):
    with opened(tmp_path) as cache:
        cache['k'] = {'a': [1, 2.5, None, True, b'x', 'ü'], 'b': (decimal.Decimal('1.10'), 2**64 - 1)}
        cache['set'] = {1: {3, 2, 1}}
        cache['time'] = [datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)]
        cache['large'] = list(range(50_000))
        cache['bytes'] = b'plain'
    assert seen_by(tool, tmp_path)['msgpack'] == {
        'a': [1, 2.5, None, True, {'bytes': 'eA=='}, 'ü'],
        'b': {'tuple': [{'decimal': '1.10'}, 2**64 - 1]},
    }
    assert seen_by(tool, tmp_path, 'set')['msgpack'] == {'map': [[1, {'set': [1, 2, 3]}]]}
    assert seen_by(tool, tmp_path, 'time')['msgpack'] == [{'datetime': '2026-01-02T03:04:05.000006Z'}]
    assert seen_by(tool, tmp_path, 'large')['msgpack'] == list(range(50_000))
    assert 'msgpack' not in seen_by(tool, tmp_path, 'bytes')


@settings(max_examples=50, deadline=None)
@given(values.filter(lambda value: value is not None))
def test_the_tool_reads_all_that_was_packed(tmp_path_factory, tool, value):
    directory = tmp_path_factory.mktemp('tool')
    with opened(directory) as cache:
        cache['k'] = [value]
    assert len(seen_by(tool, directory)['msgpack']) == 1


def test_equal_keys_are_one_key_whatever_the_order_of_a_set(tmp_path):
    with opened(tmp_path) as cache:
        for items in [range(100), reversed(range(100))]:
            cache[(frozenset(str(n) for n in items),)] = 1
        assert len(cache) == 1


def test_5_6_3_and_disk_see_bytes(oracle, tmp_path):
    with opened(tmp_path) as cache:
        cache['k'] = [1]
        cache['large'] = list(range(50_000))
    with oracle.Cache(tmp_path) as cache:
        assert cache['k'][:3] == MARKER and type(cache['large']) is bytes and cache.check() == []


class Number(int):
    pass


@pytest.mark.parametrize('value', [object(), Number(1), {1: Number(2)}, [1j], range(3)])
def test_what_it_does_not_keep_is_an_error_and_stores_nothing(tmp_path, value):
    with opened(tmp_path) as cache:
        with pytest.raises(TypeError, match='does not keep'):
            cache['k'] = value
        assert len(cache) == 0


def test_circles_and_depth_are_an_error_when_storing(tmp_path):
    circle = []
    circle.append(circle)
    deep, deep_tuple = [], ()
    for _ in range(100):
        deep, deep_tuple = [deep], (deep_tuple,)
    with opened(tmp_path) as cache:
        for value in [circle, deep, deep_tuple]:
            with pytest.raises((ValueError, RecursionError)):
                cache['k'] = value
        cache['k'] = deep[0][0]
        assert cache['k'] == deep[0][0] and len(cache) == 1


# ---- bytes that are none ----

HOSTILE = {
    'a pickle': pickle.dumps([1], 4),
    'nothing': b'',
    'no such byte': b'\xc1',
    'two values': b'\x01\x01',
    'a list of four billion': b'\xdd\xff\xff\xff\xff',
    'a map of two billion': b'\xdf\x7f\xff\xff\xff\x01',
    'lists in lists, all long': b'\xdd\x00\x00\xff\xff' * 20_000,
    'a text that is cut off': b'\xdb\xff\xff\xff\xffab',
    'an extension that is cut off': b'\xc9\xff\xff\xff\xff\x01\x90',
    'depth': b'\x91' * 100_000 + b'\x90',
    'depth of maps': b'\x81\x01' * 100_000 + b'\x01',
    'depth of tuples': b'',
    'a tuple that is longer': b'\xc7\x02\x01\x91\x01\x01',
    'a tuple of a number': b'\xc7\x01\x01\x05',
    'a key that is a list': b'\x81\x90\x01',
    'a set of lists': b'\xc7\x02\x02\x91\x90',
    'an unknown extension': b'\xc7\x01\x63a',
    'a date that is none': b'\xc7\x04\x052026',
    'a UUID of 3 bytes': b'\xc7\x03\x09abc',
    'a number of letters': b'\xc7\x03\x0aabc',
    'a number of too many digits': b'\xc9\x00\x01\x00\x00\x0a' + b'9' * 65_536,
    'a time in the year 292 billion': b'\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff',
    'text that is no UTF-8': b'\xa1\xff',
}  # fmt: skip
_deep = b'\x90'
for _ in range(200):
    _deep = b'\xc8' + len(_deep + b'\x91').to_bytes(2, 'big') + b'\x01\x91' + _deep
HOSTILE['depth of tuples'] = _deep


@pytest.mark.parametrize('name', HOSTILE)
@pytest.mark.parametrize('head', [MARKER + b'\0', MARKER + b'\1', MARKER + b'\2', MARKER])
def test_what_is_no_value_is_an_error(tmp_path, name, head):
    with opened(tmp_path) as cache:
        cache['k'] = [1]
    plant(tmp_path, head + HOSTILE[name])
    with opened(tmp_path) as cache:
        with pytest.raises(Exception) as caught:
            cache['k']
        assert not isinstance(caught.value, (MemoryError, RecursionError, KeyError))
    with opened(tmp_path, on_decode_error='miss') as cache:
        assert cache.get('k', 5) == 5


def test_a_pickle_of_another_disk_is_an_error(tmp_path):
    with diskcache.Cache(tmp_path) as cache:
        cache['k'], cache['n'] = [1], 5
    with opened(tmp_path) as cache:
        with pytest.raises(pickle.UnpicklingError, match='not what MsgpackDisk'):
            cache['k']
        assert cache['n'] == 5


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40))
def test_sound_is_what_the_library_reads(data):
    """It may refuse what the library reads, but never the reverse for want of bytes."""
    if _core.packed_is_sound(data):
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            msgpack.unpackb(data, strict_map_key=False)
    else:
        with contextlib.suppress(Exception):
            msgpack.unpackb(data, strict_map_key=False, ext_hook=lambda code, data: nested(code, data))


def nested(code, data):
    assert code not in (1, 2, 3) or not _core.packed_is_sound(data)
    raise ValueError


@settings(max_examples=200, deadline=None)
@given(values)
def test_all_that_is_packed_is_sound(value):
    with contextlib.suppress(TypeError, OverflowError):
        assert _core.packed_is_sound(msgpack.packb(value))


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'msgpack', None)
    with pytest.raises(ImportError, match='needs the package msgpack'):
        diskcache.MsgpackDisk('/nowhere')


def test_types_come_back_exactly(tmp_path):
    zone = datetime.timezone(datetime.timedelta(hours=2))
    for value in [
        decimal.Decimal('1.10'),
        decimal.Decimal('NaN'),
        uuid.UUID(int=5),
        datetime.datetime(1950, 1, 1, 0, 0, 0, 1, tzinfo=datetime.timezone.utc),
        datetime.datetime(1, 1, 1, tzinfo=zone),
        datetime.timedelta(-1, 1, 1),
        (set(), frozenset(), [()], {(): ()}),
        float('inf'),
        -(2**63),
        2**64 - 1,
        2**64,
    ]:
        with opened(tmp_path) as cache:
            cache['k'] = [value]
            assert repr(cache['k']) == repr([value])
