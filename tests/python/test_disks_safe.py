"""SafeDisk: what it reads, and what a pickle cannot make it do.

SPDX-License-Identifier: Apache-2.0
"""

import collections
import contextlib
import copyreg
import datetime
import decimal
import enum
import io
import pathlib
import pickle
import sqlite3
import uuid
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attack
import diskcache

PROTOCOLS = range(6)


def reader(*allow, protocol=5):
    return diskcache.SafeDisk('/nowhere', allow=allow, pickle_protocol=protocol)._loads


# ---- what it reads ----

hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.builds(pathlib.PurePosixPath, st.text('ab/', min_size=1))
    | st.builds(range, st.integers(), st.integers(), st.integers(1)),
    lambda inner: st.tuples(inner) | st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)
values = st.recursive(
    hashable | st.builds(bytearray, st.binary()),
    lambda inner: st.lists(inner)
    | st.dictionaries(hashable, inner, max_size=5)
    | st.sets(hashable, max_size=5)
    | st.builds(collections.deque, st.lists(inner), st.none() | st.integers(0, 9))
    | st.builds(collections.OrderedDict, st.dictionaries(st.text(), inner, max_size=5))
    | st.builds(collections.Counter, st.text()),
    max_leaves=30,
)


def same(one, other):
    """Equal, and so are the types of all parts whose order is certain."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple, collections.deque)):
        return all(map(same, one, other))
    return True


@settings(max_examples=500, deadline=None)
@given(values, st.sampled_from(PROTOCOLS))
def test_it_reads_what_a_pickler_wrote(value, protocol):
    assert same(reader()(pickle.dumps(value, protocol)), value)


@settings(max_examples=100, deadline=None)
@given(hashable, values)
def test_a_cache_gives_back_what_it_was_given(tmp_path_factory, key, value):
    with diskcache.Cache(tmp_path_factory.mktemp('safe'), disk=diskcache.SafeDisk) as cache:
        cache[key] = value
        assert same(cache[key], value) and same(list(cache)[0], key)


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_it_reads_directories_of_5_6_3(oracle, tmp_path, protocol):
    items = {('a', 1): [1, 2], None: None, 'large': list(range(50_000)), 2**70: -(2**70)}
    with oracle.Cache(tmp_path, disk_pickle_protocol=protocol) as cache:
        for key, value in items.items():
            cache[key] = value
    with diskcache.Cache(tmp_path, disk=diskcache.SafeDisk) as cache:
        assert all(cache[key] == value for key, value in items.items())
        assert set(cache) == set(items)


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_further_types_of_the_standard_library(protocol):
    for value in [
        datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo('UTC')),
        decimal.Decimal('NaN'),
        uuid.UUID(int=7),
        pathlib.Path('/a/b'),
        pathlib.PureWindowsPath('c:/a'),
        collections.defaultdict(list, a=[1]),
        collections.defaultdict(collections.deque),
        slice(1, None),
        ...,
        NotImplemented,
    ]:
        assert repr(reader()(pickle.dumps(value, protocol))) == repr(value)


def test_what_is_met_twice_is_one_object_and_a_circle_is_a_circle():
    shared, circle = [1], {}
    circle['me'] = circle
    one, other, again = reader()(pickle.dumps([shared, shared, circle]))
    assert one is other and again['me'] is again


def test_pickles_of_python_2():
    assert reader()(b"\x80\x02}q\x01U\x01aq\x02c__builtin__\nset\nq\x03]q\x04K\x01a\x85Rs.") == {'a': {1}}
    assert reader()(b'(dp0\nVa\np1\nI01\nsVb\nL5L\nsVc\nF1.5\ns.') == {'a': True, 'b': 5, 'c': 1.5}


# ---- what the user allows ----


class Point:
    def __init__(self, x):
        self.x = x


class Slotted:
    __slots__ = ('_Slotted__x', 'y')


class Stateful:
    def __setstate__(self, state):
        self.got = state

    def __reduce__(self):
        return Stateful, (), ('state', 1)


class Color(enum.Enum):
    RED = 1


class Outer:
    class Inner:
        pass


class Many(list):
    pass


ALLOWED = [Point, Slotted, Stateful, Color, Many, 'test_disks_safe:Outer.Inner']


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_allowed_classes_come_back(protocol):
    load = reader(*ALLOWED)
    assert load(pickle.dumps(Point([1]), protocol)).x == [1]
    assert load(pickle.dumps(Stateful(), protocol)).got == ('state', 1)
    assert load(pickle.dumps(Color.RED, protocol)) is Color.RED
    assert type(load(pickle.dumps(Outer.Inner(), protocol))) is Outer.Inner
    assert load(pickle.dumps(Point, protocol)) is Point
    if protocol >= 2:
        slotted = Slotted()
        slotted.y = 5
        assert load(pickle.dumps(slotted, protocol)).y == 5
        assert load(pickle.dumps(Many([1, 2]), protocol)) == Many([1, 2])


def test_forms_of_an_entry(tmp_path, monkeypatch):
    entry = ('test_disks_safe', 'Point')
    for allow in ['test_disks_safe.Point', [Point], [entry], 'test_disks_safe:Point']:
        assert diskcache.SafeDisk('/nowhere', allow=allow).allow == {entry}
    for wrong in ['Point', ':Point', [('a',)], [5]]:
        with pytest.raises((ValueError, AttributeError)):
            diskcache.SafeDisk('/nowhere', allow=wrong)
    monkeypatch.setenv('DISKCACHE_DISK_ALLOW', 'test_disks_safe:Point decimal.Decimal')
    assert diskcache.SafeDisk('/nowhere').allow == {entry, ('decimal', 'Decimal')}


def test_the_list_is_the_openers_and_never_the_directorys(tmp_path):
    with diskcache.Cache(tmp_path, disk=diskcache.SafeDisk, disk_allow=[Point]) as cache:
        cache['k'] = Point(1)
        assert cache['k'].x == 1
        with pickle.loads(pickle.dumps(cache)) as copy:
            assert copy['k'].x == 1
    with contextlib.closing(sqlite3.connect(tmp_path / 'cache.db')) as con, con:
        assert con.execute("SELECT * FROM Settings WHERE key = 'disk_allow'").fetchall() == []
        con.execute("INSERT INTO Settings VALUES ('disk_allow', 'test_disks_safe:Point')")
    with diskcache.Cache(tmp_path, disk=diskcache.SafeDisk) as cache:
        with pytest.raises(pickle.UnpicklingError, match='test_disks_safe.Point is not allowed'):
            cache['k']


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('level', [None, 3])
def test_what_it_could_not_read_again_is_not_stored(tmp_path, protocol, level):
    options = {'disk': diskcache.SafeDisk, 'disk_pickle_protocol': protocol, 'disk_compress': level}
    with diskcache.Cache(tmp_path, **options) as cache:
        cache['k'] = before = [1, {'a': (2.5, None)}, {b'x'}]
        deep = ()
        for _ in range(401):
            deep = (deep,)
        for value in (Point(1), [Color.RED], print, deep):
            with pytest.raises(pickle.PicklingError, match='could not be read'):
                cache['k'] = value
            with pytest.raises(pickle.PicklingError):
                cache.set_many({'l': 1, 'k': value})
            with pytest.raises(pickle.PicklingError):
                cache.push(value)
        assert (cache['k'], len(cache)) == (before, 1)
    with diskcache.Cache(tmp_path, disk_allow=[Point, Color], **options) as cache:
        cache['k'] = [Point(1), Color.RED]
        assert cache['k'][0].__dict__ == Point(1).__dict__ and cache['k'][1] is Color.RED


def test_kin_of_a_cache_have_its_list(tmp_path):
    options = {'disk': diskcache.SafeDisk, 'disk_allow': [Point]}
    with diskcache.FanoutCache(tmp_path, shards=2, **options) as fanout:
        fanout['k'] = Point(1)
        kin = [fanout, fanout.cache('c'), fanout.index('i'), pickle.loads(pickle.dumps(fanout))]
        for cache in kin:
            cache['k'] = Point(1)
            assert cache['k'].x == 1
        deque = fanout.deque('d')
        deque.append(Point(1))
        assert deque[0].x == 1
        kin[3].close()


# ---- what a pickle cannot make it do ----


def op(text):
    return text.encode()


def glob(module, name):
    return ('c%s\n%s\n' % (module, name)).encode()


INT5 = b'K\x05'
CALLS = {
    'os.system': glob('os', 'system') + b"X\x04\0\0\0true\x85R.",
    'a function of the tests': attack.PICKLE,
    'eval': glob('builtins', 'eval') + b'X\x01\0\0\x001\x85R.',
    'eval of Python 2': glob('__builtin__', 'eval') + b'X\x01\0\0\x001\x85R.',
    'getattr of an instance': glob('builtins', 'getattr') + b'(X\x01\0\0\0aX\x05\0\0\0upperttR.',
    'getattr of a class': glob('builtins', 'getattr') + b'(' + glob('decimal', 'Decimal') + b'X\x09\0\0\0from_floattR.',
    'a nested name': glob('datetime', 'datetime.now') + b')R.',
    'globals by a nested name': glob('pathlib', 'PosixPath.exists.__globals__') + b'.',
    'globals of the stand-ins': glob('diskcache.safe', '_encode.__globals__') + b'.',
    'a stand-in by its own name': glob('diskcache.safe', '_attribute') + b'.',
    'STACK_GLOBAL': b'\x8c\x02os\x8c\x06system\x93)R.',
    'STACK_GLOBAL of no text': INT5 + INT5 + b'\x93.',
    'INST': b'(ios\nsystem\n.',
    'OBJ': b'(' + glob('decimal', 'Decimal') + b'o.',
    'a persistent id': b'Pid\n.',
    'a binary persistent id': INT5 + b'Q.',
    'an extension': b'\x82\xf0.',
    'a wide extension': b'\x84\xf0\0\0\0.',
    'a buffer out of band': b'\x97.',
    'STRING': b"S'a'\n.",
    'a call of a value': INT5 + b')R.',
    'a call of what a call gave': glob('decimal', 'Decimal') + b'X\x01\0\0\x001\x85R)R.',
    'a call of a type that is only a value': glob('builtins', 'str') + INT5 + b'\x85R.',
    'an object of such a type': glob('builtins', 'bytes') + b'J\0\0\0\x40\x85\x81.',
    'bytes of a number': glob('builtins', 'bytes') + b'J\0\0\0\x40\x85R.',
    'a bytearray of a number': glob('builtins', 'bytearray') + b'J\0\0\0\x40\x85R.',
    'a set of a range': glob('builtins', 'set') + glob('builtins', 'range') + b'J\0\0\0\x40\x85R\x85R.',
    'a deque of a range': glob('collections', 'deque') + glob('builtins', 'range') + b'J\0\0\0\x40\x85R\x85R.',
    'a state for a class': glob('decimal', 'Decimal') + b'}X\x01\0\0\0aK\x01sb.',
    'a state for a list': b']}b.',
    'an item for a class': glob('collections', 'OrderedDict') + INT5 + INT5 + b's.',
    'an item for a number': INT5 + INT5 + b'a.',
    'a set of a list in place': b'](K\x01\x90.',
    'reconstruct by another base': glob('copyreg', '_reconstructor') + b'(' + glob('decimal', 'Decimal') + glob('builtins', 'int') + INT5 + b'tR.',
    'reconstruct of no class': glob('copyreg', '_reconstructor') + b'(' + INT5 + glob('builtins', 'object') + b'NtR.',
}  # fmt: skip


@pytest.mark.parametrize('name', CALLS)
def test_refused(name):
    attack.RAN.clear()
    copyreg.add_extension('os', 'getpid', 0xF0)
    try:
        with contextlib.suppress(Exception):
            pickle.loads(b'\x82\xf0.')  # its cache would be asked before any find_class()
        with pytest.raises((pickle.UnpicklingError, TypeError)):
            reader()(CALLS[name])
    finally:
        copyreg.remove_extension('os', 'getpid', 0xF0)
    assert attack.RAN == []




@pytest.mark.parametrize('state', [b'}X\x01\0\0\0xK\x01sb.', b'N}X\x01\0\0\0xK\x01s\x86b.'])
def test_a_class_a_function_and_a_shared_instance_are_never_changed(state):
    load = reader(Point, Color, 'test_disks_safe:op')
    member = glob('test_disks_safe', 'Color') + b'K\x01\x85R'
    for target in [glob('test_disks_safe', 'Point'), glob('test_disks_safe', 'op'), member]:
        with pytest.raises(pickle.UnpicklingError, match='a state for'):
            load(target + state)
    assert not hasattr(Point, 'x') and not hasattr(Color.RED, 'x')


def test_a_state_cannot_change_the_class_or_put_a_method_in_the_way():
    load = reader(Point, Slotted, Stateful)
    new = glob('test_disks_safe', 'Point') + b')\x81'
    dunder = b'N}X\x09\0\0\0__class__' + glob('test_disks_safe', 'Stateful') + b's\x86b.'
    with pytest.raises(pickle.UnpicklingError, match='an attribute'):
        load(new + dunder)
    # A __setstate__ in the instance is an attribute like others: the second state does not call it.
    first = b'}X\x0c\0\0\0__setstate__' + glob('builtins', 'list') + b'sb'
    assert load(new + first + b'}X\x01\0\0\0xK\x05sb.').x == 5


@pytest.mark.parametrize('data', [
    b'', b'\x80', b'K', b'X\x05\0\0\0ab', b'X\xff\xff\xff\xff', b'\x8d' + b'\xff' * 8, b'.', b'(.', b'0.',
    b']a.', b'(e.', b'e.', b'h\0.', b'j\xff\xff\xff\xff.', b'Nr\xff\xff\xff\x7f.', b'Np99999999999\n.',
    b'\x8b\xff\xff\xff\xff.', b'\x8b\xff\xff\xff\x7f.', b'\x95' + b'\xff' * 8, b'\x80\x09N.', b'\xff.',
    b'I' + b'9' * 5000 + b'\n.', b'Ix\n.', b'(NNNd.', b'](NNNu.', b'}(Nu.', b'K\x01K\x02\x87.', b'\x85.',
    b'c', b'cos', b'cos\n\xff\n.', b'F\n.', b'V\\u12\n.', b'X\x01\0\0\0\xff.', b'L' + b'9' * 99999 + b'L\n.',
])  # fmt: skip
def test_what_is_cut_off_or_absurd_is_an_error(data):
    with pytest.raises((pickle.UnpicklingError, ValueError, OverflowError, TypeError)):
        reader()(data)


def test_tuples_nested_too_deep_are_refused_lists_are_not():
    with pytest.raises(pickle.UnpicklingError, match='deep'):  # their hash would overflow the C stack
        reader()(b'}' + b')' + b'\x85' * 200_000 + b'Ns.')
    nested = reader()(b']' * 50_000 + b'a' * 49_999 + b'.')
    for _ in range(49_999):
        (nested,) = nested
    assert nested == []


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_an_error(data):
    with contextlib.suppress(Exception):
        reader(*ALLOWED)(data)


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_any_change_of_a_pickle_is_a_value_or_an_error(data):
    pickled = bytearray(pickle.dumps([Point(1), {'a': (1, b'2', 3.5)}, {1, 2}, Color.RED, 2**70]))
    for _ in range(data.draw(st.integers(1, 4))):
        pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Exception):
        reader(*ALLOWED)(pickled)


def test_plain_data_is_read_as_by_pickle_itself():
    """No second parser with an opinion of its own: where both read, they read the same."""
    for protocol in PROTOCOLS:
        data = pickle.dumps([None, True, 255, 65535, -1, 2**31, 2**63, -(2**63), 2**64, 'ü', b'\xff'], protocol)
        assert reader()(data) == pickle.Unpickler(io.BytesIO(data)).load()
