"""What one package writes the other reads, both ways, for every kind of object that can be pickled.

SPDX-License-Identifier: Apache-2.0
"""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import ipaddress
import json
import pathlib
import pickle
import re
import sqlite3
import subprocess
import sys
import threading
import types
import uuid

import pytest

import compare
import packages
from differences import differs
from packages import child_environment


class Colour(enum.Enum):
    RED = 1
    BLUE = 'blue'


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: float = 0.5


Pair = collections.namedtuple('Pair', 'first second')


class Words(str):
    """A subclass is no str to either package: it is pickled, and comes back as what it was."""


class Counted(int):
    pass


class Slotted:
    __slots__ = ('value',)

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(other) is Slotted and self.value == other.value

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return 'Slotted(%r)' % self.value


shared = ['shared']
KEYS = {
    'none': None, 'bools': (True, False), 'small int': 7, 'int64': 2**63 - 1, 'beyond int64': 2**63,
    'huge': -(3**400), 'float': 0.1, 'infinity': float('inf'), 'negative zero': -0.0,
    'complex': 1 + 2j, 'text': 'ключ-鍵-\U0001f511', 'empty text': '', 'text with nul': 'a\0b',
    'bytes': b'\0\xff', 'empty bytes': b'', 'tuple': (1, ('a', (2.5, b'c'))), 'empty tuple': (),
    'frozenset': frozenset({1}), 'range': range(3, 30, 4), 'date': datetime.date(2024, 2, 29),
    'datetime': datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc),
    'timedelta': datetime.timedelta(1, 2, 3), 'time': datetime.time(1, 2, 3),
    'decimal': decimal.Decimal('1.10'), 'fraction': fractions.Fraction(1, 3),
    'uuid': uuid.UUID(int=5), 'enum': Colour.BLUE, 'flag': Bits.ONE | Bits.TWO, 'dataclass': Point(1),
    'namedtuple': Pair('a', 1), 'path': pathlib.PurePosixPath('/a/b'), 'type': dict,
    'function': json.dumps, 'builtin': len, 'address': ipaddress.ip_address('127.0.0.1'),
    'ellipsis': Ellipsis, 'pattern': re.compile('a+', re.I), 'str subclass': Words('w'),
    'int subclass': Counted(3), 'slots': Slotted(1), 'twice the same': ('word', 'word'),
}  # fmt: skip
VALUES = {
    **KEYS,
    'list': [1, [2, [3]]], 'dict': {'a': {1: None}}, 'set': {1, 2}, 'bytearray': bytearray(b'ab'),
    'ordered': collections.OrderedDict(b=1, a=2), 'default': collections.defaultdict(list, a=[1]),
    'deque': collections.deque([1, 2], maxlen=3), 'counter': collections.Counter('hello'),
    'array': array.array('d', [1.0, 2.5]), 'namespace': types.SimpleNamespace(a=1),
    'shared twice': [shared, shared], 'large bytes': b'\r\n\0\xff' * 20_000,
    'large text': 'é\n' * 20_000, 'large pickle': list(range(20_000)), 'long tuple': tuple('a' * 99),
    'at the limit': 'x' * 32767, 'over it': 'x' * 32768, 'bytes at the limit': b'x' * 32768,
}  # fmt: skip

BOTH_WAYS = pytest.mark.parametrize(
    'writer, reader',
    [(packages.oracle, packages.ours), (packages.ours, packages.oracle)],
    ids=['5.6.3 to ours', 'ours to 5.6.3'],
)


def same(value, other):
    return type(value) is type(other) and compare.plain(value) == compare.plain(other)


@BOTH_WAYS
@pytest.mark.parametrize('kind', VALUES)
def test_a_value_of_each_kind(writer, reader, tmp_path, kind):
    value = VALUES[kind]
    with writer.Cache(tmp_path) as cache:
        cache.set('k', value, tag='tag', expire=1000)
        cache.push(value)
    with reader.Cache(tmp_path) as cache:
        assert same(cache['k'], value) and same(cache.peek()[1], value)
        assert cache.get('k', tag=True)[1] == 'tag'
        assert cache.check() == []
        assert same(cache.pop('k'), value) and same(cache.pull()[1], value)
        assert (len(cache), compare.files(tmp_path)) == (0, [])


def lost_on(reader, key):
    """Keys of ours that 5.6.3 does not find: it makes another pickle of this tuple."""
    return reader is packages.oracle and key == ('word', 'word') and differs('tuple-keys')


@BOTH_WAYS
@pytest.mark.parametrize('kind', KEYS)
def test_a_key_of_each_kind(writer, reader, tmp_path, kind):
    key = KEYS[kind]
    if lost_on(reader, key):
        return
    with writer.Cache(tmp_path) as cache:
        cache[key] = 1
    with reader.Cache(tmp_path) as cache:
        assert cache[key] == 1 and key in cache
        (listed,) = cache
        assert same(listed, key)
        assert cache.incr(key) == 2 and cache.add(key, 5) is False
        cache[key] = 'new'
    with writer.Cache(tmp_path) as cache:
        assert len(cache) == 1 and cache.pop(key) == 'new'


@BOTH_WAYS
@pytest.mark.parametrize('protocol', range(6))
def test_each_pickle_protocol(writer, reader, tmp_path, protocol):
    with writer.Cache(tmp_path, disk_pickle_protocol=protocol) as cache:
        cache[(1, 'a', b'b')] = [1, 'zwei', {3: 4.0}]
        cache[2**70] = list(range(20_000))
    with reader.Cache(tmp_path) as cache:
        assert cache.disk_pickle_protocol == protocol
        assert cache[(1, 'a', b'b')] == [1, 'zwei', {3: 4.0}]
        assert cache[2**70] == list(range(20_000))


@BOTH_WAYS
def test_rows_are_the_same_whoever_wrote_them(writer, reader, tmp_path, clock):
    for package, name in ((writer, 'writer'), (reader, 'reader')):
        with package.Cache(tmp_path / name) as cache:
            for kind, value in VALUES.items():
                cache.set(kind, value, tag=kind, expire=5)
            cache.set('stream', io.BytesIO(b'streamed' * 9000), read=True)
    assert compare.rows(tmp_path / 'writer') == compare.rows(tmp_path / 'reader')


@BOTH_WAYS
@pytest.mark.parametrize('shards', [1, 3, 8])
def test_a_fanout(writer, reader, tmp_path, shards):
    keys = [key for key in KEYS.values() if not lost_on(reader, key)] + list(range(100, 140))
    if reader is packages.oracle and differs('fanout-equal-numbers'):
        keys.remove(-0.0)  # it looks for it where it would put a float
    with writer.FanoutCache(tmp_path, shards=shards) as cache:
        for number, key in enumerate(keys):
            cache.set(key, number, retry=True)
        cache.cache('named')['k'] = 'v'
        cache.deque('named').extend('abc')
        cache.index('named/deeper')['k'] = 'v'
        order = list(cache)
    with reader.FanoutCache(tmp_path, shards=shards) as cache:
        assert [cache[key] for key in keys] == list(range(len(keys)))
        assert [compare.plain(key) for key in cache] == [compare.plain(key) for key in order]
        assert cache.cache('named')['k'] == cache.index('named/deeper')['k'] == 'v'
        assert list(cache.deque('named')) == ['a', 'b', 'c']
        assert cache.check() == []


@BOTH_WAYS
def test_a_deque_and_an_index(writer, reader, tmp_path):
    deque = writer.Deque(VALUES.values(), directory=tmp_path / 'deque')
    deque.appendleft('first')
    deque.rotate(3)
    wanted = list(deque)
    index = writer.Index(str(tmp_path / 'index'), {key: kind for kind, key in KEYS.items()})
    items = list(index.items())
    deque.cache.close()
    index.cache.close()
    deque = reader.Deque(directory=tmp_path / 'deque')
    assert [compare.plain(v) for v in deque] == [compare.plain(v) for v in wanted]
    deque.append('last')
    assert (deque.pop(), deque[-1], deque[0]) == ('last', wanted[-1], wanted[0])
    index = reader.Index(str(tmp_path / 'index'))
    assert compare.plain(list(index.items())) == compare.plain(items)
    assert index == dict(items)
    deque.cache.close()
    index.cache.close()


@BOTH_WAYS
def test_memoized_results_are_shared(writer, reader, tmp_path):
    def f(x, y=2, *more, **options):
        return (x, y, more, options)

    calls = [((1,), {}), ((1, 2, 3), {}), (('a',), {'y': 3, 'z': None}), ((2.5, (1, 'b')), {})]
    for settings in ({}, {'typed': True}, {'name': 'name'}, {'ignore': {0, 'z'}}):
        with writer.Cache(tmp_path / 'cache') as cache:
            written = cache.memoize(**settings)(f)
            keys = [written.__cache_key__(*args, **kwargs) for args, kwargs in calls]
            results = [written(*args, **kwargs) for args, kwargs in calls]
        with reader.Cache(tmp_path / 'cache') as cache:
            read = cache.memoize(**settings)(f)
            assert [read.__cache_key__(*args, **kwargs) for args, kwargs in calls] == keys
            before = len(cache)
            assert [read(*args, **kwargs) for args, kwargs in calls] == results
            assert len(cache) == before


@BOTH_WAYS
def test_json_disk(writer, reader, tmp_path):
    values = [None, 1, 2.5, 'text', [1, [2]], {'k': 'v'}, 'x' * 100_000]
    with writer.Cache(tmp_path, disk=writer.JSONDisk) as cache:
        for number, value in enumerate(values):
            cache['key-%d' % number] = value
    with reader.Cache(tmp_path, disk=reader.JSONDisk) as cache:
        assert [cache[key] for key in cache] == values


@BOTH_WAYS
def test_a_lock_held_by_one_keeps_the_other_out(writer, reader, tmp_path):
    with writer.Cache(tmp_path) as mine, reader.Cache(tmp_path) as other:
        for kind in ('Lock', 'RLock', 'BoundedSemaphore'):
            holder = getattr(writer, kind)(mine, kind)
            entered = threading.Event()

            def wait(kind=kind, entered=entered):
                lock = getattr(reader, kind)(other, kind)
                lock.acquire()
                entered.set()
                lock.release()

            holder.acquire()
            waiter = threading.Thread(target=wait)
            waiter.start()
            assert not entered.wait(0.1), kind
            holder.release()
            assert entered.wait(5), kind
            waiter.join()


@BOTH_WAYS
def test_averages_and_throttles_go_on(writer, reader, tmp_path):
    now = [1000.0]
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    with writer.Cache(tmp_path) as mine, reader.Cache(tmp_path) as other:
        for package, cache in ((writer, mine), (reader, other), (writer, mine)):
            average = package.Averager(cache, 'average')
            average.add(3)
            average.add(6)
        assert average.get() == 4.5
        limits = {'name': 'f', 'time_func': lambda: now[0], 'sleep_func': sleep}
        mine_f = writer.throttle(mine, 2, 1, **limits)(lambda: 1)
        other_f = reader.throttle(other, 2, 1, **limits)(lambda: 2)
        assert [mine_f(), other_f(), mine_f(), other_f()] == [1, 2, 1, 2]
        assert slept == [0.5, 0.5]


@pytest.mark.parametrize('kind', ['Cache', 'FanoutCache'])
def test_checksums_are_nothing_to_5_6_3(ours, tmp_path, kind):
    with getattr(ours, kind)(tmp_path, checksums=1) as cache:
        cache['a'], cache['b'], cache['c'] = b'a' * 50_000, 'b' * 50_000, list(range(20_000))
    with getattr(packages.oracle, kind)(tmp_path) as cache:
        assert (cache['a'], cache['b']) == (b'a' * 50_000, 'b' * 50_000)
        assert cache.check(fix=True) == []
        cache['b'], cache['d'] = 'B' * 60_000, b'd' * 50_000
        del cache['a']
        assert cache.check() == []
    with getattr(ours, kind)(tmp_path) as cache:
        assert (cache['b'], cache['c']) == ('B' * 60_000, list(range(20_000)))
        assert (cache['d'], 'a' in cache) == (b'd' * 50_000, False)
        assert (cache.check(), cache.stats().damaged) == ([], 0)


def test_an_altered_value_with_a_checksum_is_missing(ours, tmp_path):
    with ours.Cache(tmp_path, checksums=1) as cache:
        cache['k'] = list(range(20_000))
        (path,) = tmp_path.glob('*/*/*.val')
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert cache.get('k') is None and cache.stats().damaged == 1
        (warning,) = cache.check(fix=True)
        assert str(warning.message) == 'damaged file: %s' % path
        assert len(cache) == 0


def test_checksums_of_rows_are_nothing_to_5_6_3(ours, tmp_path):
    keys = [1, 2.5, 'text', b'bytes', (1, 'a')]
    with ours.Cache(tmp_path, checksums=1) as cache:
        for key in keys:
            cache[key] = [key]
        cache['n'], cache['gone'] = 1, 'x'
        cache.push('first', prefix='q')
    with packages.oracle.Cache(tmp_path, eviction_policy='least-frequently-used') as cache:
        for key in keys:
            assert cache[key] == [key]
            cache[key] = [key, 'other']
        cache['new'] = 'new'
        assert (cache.incr('n'), cache.incr('m'), cache.pop('gone')) == (2, 1, 'x')
        cache.touch('n', expire=1000)
        cache.push('second', prefix='q')
        assert cache.pull(prefix='q')[1] == 'first'
        assert cache.check() == []
    with ours.Cache(tmp_path) as cache:
        for key in keys:
            assert cache[key] == [key, 'other']
        assert (cache['new'], cache['n'], cache['m'], cache.peek(prefix='q')[1]) == ('new', 2, 1, 'second')
        assert (cache.check(), cache.stats().damaged) == ([], 0)
        assert cache.incr('n') == 3
    with packages.oracle.Cache(tmp_path) as cache:
        assert cache['n'] == 3


def test_an_altered_row_with_a_checksum_is_missing(ours, tmp_path):
    with ours.Cache(tmp_path, checksums=1) as cache:
        cache['k'] = {'a': [1, 2]}
        assert len(cache) == 1  # in SQLite
        with sqlite3.connect(tmp_path / 'cache.db') as database:
            database.execute('UPDATE Cache SET value = ?', (pickle.dumps({'a': [1, 3]}),))
        assert cache.get('k') is None and cache.stats().damaged == 1
        (warning,) = cache.check(fix=True)
        assert str(warning.message) == 'damaged value: row 1'
        assert len(cache) == 0


def test_deques_and_indexes_with_checksums(ours, tmp_path):
    large = 'x' * 50_000
    for name, package in [('Deque', ours), ('Deque', packages.oracle)] * 2:
        deque = package.Deque(directory=str(tmp_path / 'deque'))
        if package is ours:
            deque.cache.reset('checksums', 1)
        deque.append(len(deque))
        deque.append(large)
        deque.rotate(1)
    assert [len(deque), deque.count(large), sum(v for v in deque if v != large)] == [8, 4, 0 + 2 + 4 + 6]
    for number, package in enumerate([ours, packages.oracle] * 2):
        index = package.Index(str(tmp_path / 'index'))
        if package is ours:
            index.cache.reset('checksums', 1)
        index[number], index['same'], index['large'] = [number], number, large
    for package in (ours, packages.oracle):
        index = package.Index(str(tmp_path / 'index'))
        assert list(index.items()) == [
            (0, [0]), ('same', 3), ('large', large), (1, [1]), (2, [2]), (3, [3])]  # fmt: skip
        assert list(package.Deque(directory=str(tmp_path / 'deque'))) == list(deque)
    for part in ('deque', 'index'):
        with ours.Cache(tmp_path / part) as cache:
            assert (cache.check(), cache.stats().damaged) == ([], 0)


WORKER = """
import os, random, sys
import packages
package, directory, rounds = getattr(packages, sys.argv[1]), sys.argv[2], int(sys.argv[3])
rng = random.Random(os.getpid())
cache = package.Cache(directory, timeout=60)
print('ready', flush=True)
sys.stdin.readline()
taken = 0
for number in range(rounds):
    cache.incr('counter', retry=True)
    key = rng.randrange(20)
    content = bytes([key]) * (50_000 if number % 4 == 0 else 50)
    cache.set(key, content, retry=True)
    found = cache.get(rng.randrange(20))
    assert found is None or (len(set(found)) == 1 and len(found) in (50, 50_000)), found[:9]
    cache.push((os.getpid(), number), prefix='q', retry=True)
    if cache.pull(prefix='q', retry=True) != (None, None):
        taken += 1
    with cache.transact(retry=True):
        a, b = cache.get('a', 0), cache.get('b', 0)
        assert a + b == 0
        cache['a'], cache['b'] = a + 1, b - 1
cache.close()
print(taken)
"""


def test_both_packages_in_two_processes_at_once(ours, tmp_path):
    rounds = 150
    with ours.Cache(tmp_path) as cache:
        workers = [
            subprocess.Popen(
                [sys.executable, '-c', WORKER, name, str(tmp_path), str(rounds)],
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in ('ours', 'oracle', 'ours', 'oracle')
        ]
        for worker in workers:
            assert worker.stdout.readline() == 'ready\n'
        taken = [int(worker.communicate('go\n', timeout=100)[0]) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * 4
        assert cache['counter'] == 4 * rounds
        left = 0
        while cache.pull(prefix='q') != (None, None):
            left += 1
        assert sum(taken) + left == 4 * rounds
        assert (cache['a'], cache['b']) == (4 * rounds, -4 * rounds)
        assert cache.check() == []
