"""One measurement of diskcache 5.6.3, or of our package, for bench.py: what bench.c does, in Python.

    worker.py MODE DIRECTORY SEED OPERATIONS OUTPUT [START SECONDS]

SPDX-License-Identifier: Apache-2.0
"""

import sys
import time
from array import array
from time import perf_counter_ns as now

# As enum row in bench.h, and what is measured from Python only.
ROWS = (
    'get', 'get-miss', 'set', 'delete', 'insert', 'set-5000', 'get-5000', 'iterate', 'set-many',
    'incr', 'push-pull', 'open', 'get-policy', 'append-popleft', 'extend', 'rotate', 'deque-index',
    'set-popitem', 'setdefault', 'lock', 'rlock', 'semaphore', 'handover', 'average', 'throttle',
    'memoize', 'session', 'get-record', 'get-bytes', 'set-record', 'set-bytes',
    'get-large', 'get-large-text', 'set-large', 'transact', 'fill', 'operations',
    'set-wide', 'get-wide', 'set-any-wide', 'get-any-wide', 'set-waited', 'delete-waited',
)  # fmt: skip
(GET, GET_MISS, SET, DELETE, INSERT, SET_5000, GET_5000, ITERATE, SET_MANY, INCR, QUEUE, OPEN,
 GET_POLICY, APPEND_POPLEFT, EXTEND, ROTATE, DEQUE_INDEX, SET_POPITEM, SETDEFAULT) = range(19)  # fmt: skip
SESSION, GET_LARGE, TRANSACT, FILL = map(ROWS.index, ('session', 'get-large', 'transact', 'fill'))
LARGE = 10_000_000
WIDE_ROWS = [ROWS.index(name) for name in ROWS if name.endswith('wide')]
MEMTABLE, WIDE = 32 << 20, 512 << 20  # bytes
PUBLISHED_KEYS, MANY_KEYS, BATCH, WARM_UP, CYCLE = 100, 5000, 1000, 1000, 20000
MASK = 2**64 - 1

samples = array('Q')


def record(row, ns):
    samples.append(row << 56 | ns)


class Rng:
    """splitmix64, as in tests/torture/support.h."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 32) * limit >> 32


def make_steps(rng, count):
    steps = []
    for n in range(count):
        choice, key, times = rng.below(1000), rng.below(PUBLISHED_KEYS), 1 + rng.below(99)
        row = GET if choice < 900 else SET if choice < 990 else DELETE
        steps.append((row, b'%d' % key, n, times))
    return steps


def one_step(cache, step, recorded):
    row, key, n, times = step
    if row == GET:
        start = now()
        found = cache.get(key)
        ns = now() - start
        if found is None:
            row = GET_MISS
    elif row == SET:
        value = b'%d' % n * times
        start = now()
        cache.set(key, value)
        ns = now() - start
    else:
        start = now()
        cache.delete(key)
        ns = now() - start
    if recorded:
        record(row, ns)


def mode_published(make, rng, operations, start, seconds):
    steps = make_steps(rng, CYCLE if start else operations + WARM_UP)
    cache = make()
    if not start:
        for n, step in enumerate(steps):
            one_step(cache, step, n >= WARM_UP)
    else:
        for step in steps[:100]:
            one_step(cache, step, False)
        end, n = start + int(seconds * 1e9), 0
        while time.monotonic_ns() < start:
            time.sleep(0.0002)
        while time.monotonic_ns() < end:
            one_step(cache, steps[n % CYCLE], True)
            n += 1
    cache.close()


def mode_5000(make, rng, operations):
    cache, value = make(), b'x' * 100
    for n in range(MANY_KEYS):
        key = 'key-%d' % n
        start = now()
        cache.set(key, value)
        record(INSERT, now() - start)
    for n in range(operations):
        key, value = 'key-%d' % rng.below(MANY_KEYS), b'%c' % (97 + n % 26) * 100
        start = now()
        cache.set(key, value)
        record(SET_5000, now() - start)
    for n in range(operations * 2):
        key = 'key-%d' % rng.below(MANY_KEYS)
        start = now()
        cache.get(key)
        record(GET_5000, now() - start)
    for n in range(5):
        start = now()
        count = sum(1 for _ in cache)
        record(ITERATE, (now() - start) // count)
    cache.close()


def mode_many(make, rng, operations):
    cache, value = make(), b'x' * 100
    for n in range(operations):
        items = {'key-%d' % (n % 5 * BATCH + i): value for i in range(BATCH)}
        start = now()
        if hasattr(type(cache), 'set_many'):  # FanoutCache of 5.6.3 asserts for others
            cache.set_many(items)
        else:
            with cache.transact():
                for key in items:
                    cache.set(key, value)
        record(SET_MANY, (now() - start) // BATCH)
    cache.close()


def mode_keys(make, rng, operations, many):
    """As mode_keys() of bench.c."""
    cache, value = make(), b'x' * 100
    for n in range(0, many, BATCH):
        with cache.transact():
            for i in range(BATCH):
                cache.set('key-%d' % (n + i), value)
    use_keys(cache, rng, operations, many, (SET, GET, SET_5000, GET_5000))
    cache.close()
    cache = make(wide=True)
    if hasattr(cache, 'memtable_size'):  # 5.6.3 keeps nothing of what is read
        for n in range(max(2 * many, 200_000)):  # it grows some 20 ms after it came round
            cache.get('key-%d' % (n % many))
    use_keys(cache, rng, operations, many, WIDE_ROWS)
    cache.close()


def use_keys(cache, rng, operations, many, rows):
    value = b'x' * 100
    for n in range(operations):
        for i, row in enumerate(rows):
            key = 'key-%d' % rng.below(many if i >= 2 else BATCH)
            call = cache.get if i % 2 else cache.set
            start = now()
            call(key, value)
            record(row, now() - start)


def mode_incr(make, rng, operations):
    cache = make()
    for _ in range(operations):
        start = now()
        cache.incr('counter')
        record(INCR, now() - start)
    cache.close()


def mode_transact(make, rng, operations):
    cache, value = make(), b'x' * 100
    fill_hundred(cache)
    for n in range(operations):
        with cache.transact():
            for i in range(10):
                key = 'key-%d' % ((10 * n + i) % PUBLISHED_KEYS)
                start = now()
                cache.set(key, value)
                record(TRANSACT, now() - start)
    cache.close()


def mode_fill(make, rng, operations):
    """New keys, one after the other, to the end of close."""
    value, start = b'x' * 100, now()
    cache = make()
    for n in range(operations):
        cache.set('key-%d' % n, value)
    cache.close()
    record(FILL, (now() - start) // operations)


def mode_queue(make, rng, operations):
    cache, value = make(), bytes(100)
    for _ in range(20):
        cache.push(value)
    for _ in range(operations):
        start = now()
        cache.push(value)
        cache.pull()
        record(QUEUE, now() - start)
    cache.close()


def fill_hundred(cache):
    for n in range(PUBLISHED_KEYS):
        cache.set('key-%d' % n, bytes(100))


def mode_open(make, rng, operations):
    cache = make()
    fill_hundred(cache)
    cache.close()
    for _ in range(operations):
        start = now()
        cache = make()
        record(OPEN, now() - start)
        cache.close()


def mode_session(make, rng, operations):
    cache = make()
    fill_hundred(cache)
    cache.close()
    for _ in range(operations):
        start = now()
        cache = make()
        cache.get('key-1')
        cache.close()
        record(SESSION, now() - start)


def mode_large(make, rng, operations):
    """10 MB, each time another file."""
    cache = make()
    for value, row in ((bytes(LARGE), GET_LARGE), ('a' * LARGE, GET_LARGE + 1)):
        for _ in range(operations):
            start = now()
            cache.set('key', value)
            if row == GET_LARGE:
                record(GET_LARGE + 2, now() - start)
            start = now()
            cache.get('key')
            record(row, now() - start)
    cache.close()


def mode_disk(make, rng, operations):
    """With the Disk that the environment names. Turn by turn, so that all see the machine alike."""
    record_of = {'name': 'Alice', 'roles': ['admin', 'user'], 'age': 33, 'score': 1.5, 'active': True}
    values = {'record': record_of, 'bytes': bytes(range(100))}
    cache = make()
    for n in range(operations):
        for key, value in values.items():
            if n % 10 == 0:
                start = now()
                cache.set(key, value)
                record(ROWS.index('set-' + key), now() - start)
            start = now()
            found = cache.get(key)
            record(ROWS.index('get-' + key), now() - start)
            assert found == value
    cache.close()


def mode_policy(make, rng, operations, **settings):
    cache = make(**settings)
    fill_hundred(cache)
    for _ in range(operations):
        key = 'key-%d' % rng.below(PUBLISHED_KEYS)
        start = now()
        cache.get(key)
        record(GET_POLICY, now() - start)
    cache.close()


def mode_deque(directory, operations):
    from diskcache import Deque

    deque, value = Deque(directory=directory), bytes(100)
    for _ in range(20):
        deque.append(value)
    for _ in range(operations):
        start = now()
        deque.append(value)
        deque.popleft()
        record(APPEND_POPLEFT, now() - start)
    for _ in range(operations):
        start = now()
        deque.rotate(1)
        record(ROTATE, now() - start)
    for _ in range(operations // 200 + 1):
        start = now()
        deque.extend(range(BATCH))
        record(EXTEND, (now() - start) // BATCH)
    deque.cache.close()


def mode_deque_index(directory, operations):
    from diskcache import Deque

    deque, many = Deque(directory=directory), 100000
    with deque.transact():
        deque.extend(range(many))
    for n in range(operations):
        start = now()
        value = deque[many // 2 - n]
        record(DEQUE_INDEX, now() - start)
        assert value == many // 2 - n
    deque.cache.close()


def mode_index(directory, operations):
    from diskcache import Index

    index, value = Index(directory), bytes(100)
    for n in range(20):
        index[n] = value
    for _ in range(operations):
        start = now()
        index['key'] = value
        index.popitem()
        record(SET_POPITEM, now() - start)
    for _ in range(operations):
        start = now()
        index.setdefault(7, value)
        record(SETDEFAULT, now() - start)
    index.cache.close()


def main():
    import diskcache
    import worker_recipes

    mode, directory, seed, operations, output = sys.argv[1:6]
    rng, operations, given = Rng(int(seed)), int(operations), {}
    memtable, mode = mode.startswith('memtable-'), mode.removeprefix('memtable-')
    fanout, mode = mode.startswith('fanout-'), mode.removeprefix('fanout-')
    if diskcache.__version__ != '5.6.3':
        given['memtable_size'] = MEMTABLE if memtable else 0

    def make(wide=False, **settings):
        if wide and given:
            given['memtable_size'] = WIDE
        if fanout:  # after its own 10 ms it drops what was to be written
            return diskcache.FanoutCache(directory, shards=8, timeout=60, **given, **settings)
        return diskcache.Cache(directory, **given, **settings)

    if mode == 'published':
        start, seconds = (sys.argv[6:8] + ['0', '0'])[:2]
        mode_published(make, rng, operations, int(start), float(seconds))
    elif mode in ('lru', 'lfu'):
        name = 'recently' if mode == 'lru' else 'frequently'
        mode_policy(make, rng, operations, eviction_policy='least-%s-used' % name)
    elif mode == 'statistics':
        mode_policy(make, rng, operations, statistics=True)
    elif mode in ('deque', 'deque-index', 'index'):
        modes = {'deque': mode_deque, 'deque-index': mode_deque_index, 'index': mode_index}
        modes[mode](directory, operations)
    elif mode.startswith('keys-'):
        mode_keys(make, rng, operations, int(mode.removeprefix('keys-')))
    elif mode in worker_recipes.MODES:
        row = ROWS.index(mode)
        with make() as cache:
            worker_recipes.MODES[mode](cache, operations, lambda ns: record(row, ns))
    else:
        modes = {'5000': mode_5000, 'many': mode_many, 'incr': mode_incr, 'queue': mode_queue,
                 'open': mode_open, 'session': mode_session, 'large': mode_large, 'disk': mode_disk,
                 'transact': mode_transact, 'fill': mode_fill}  # fmt: skip
        modes[mode](make, rng, operations)
    with open(output, 'wb') as writer:
        samples.tofile(writer)


if __name__ == '__main__':
    main()
