"""What the library, from C, is measured in beside 5.6.3, from Python: bench.c against worker.py.

SPDX-License-Identifier: Apache-2.0
"""

from compare import Comparison

MODES = {
    'published': (40000, {
        'get': ('get, 100 keys', 2.5), 'get-miss': ('get, a miss', None),
        'set': ('set, 100 keys', 3), 'delete': ('delete, 100 keys', None)}),
    '5000': (5000, {
        'insert': ('insert of 5,000 keys', 1.5), 'set-5000': ('set, 5,000 keys', 1.8),
        'get-5000': ('get, 5,000 keys', None), 'iterate': ('iterate, an item', None)}),
    'many': (20, {'set-many': ('set_many of 1,000, a row', 8)}),
    'incr': (4000, {'incr': ('incr', None)}),
    'queue': (3000, {'push-pull': ('push and pull', None)}),
    'open': (60, {'open': ('open an existing one', 10)}),
    'lru': (4000, {'get-policy': ('get, least-recently-used', None)}),
    'lfu': (4000, {'get-policy': ('get, least-frequently-used', None)}),
    'statistics': (4000, {'get-policy': ('get, statistics on', None)}),
    'fanout-published': (40000, {
        'get': ('fanout: get', None), 'set': ('fanout: set', None)}),
    'fanout-many': (20, {'set-many': ('fanout: set_many of 1,000, a row', None)}),
    'fanout-open': (60, {'open': ('fanout: open an existing one', None)}),
    'memtable-published': (40000, {
        'get': ('memtable: get, 100 keys', 60), 'get-miss': ('memtable: get, a miss', None),
        'set': ('memtable: set, 100 keys', 100), 'delete': ('memtable: delete', None)}),
    'memtable-5000': (5000, {
        'insert': ('memtable: insert of 5,000 keys', None),
        'set-5000': ('memtable: set, 5,000 keys', None),
        'get-5000': ('memtable: get, 5,000 keys', None)}),
    'memtable-incr': (4000, {'incr': ('memtable: incr', None)}),
    'memtable-queue': (3000, {'push-pull': ('memtable: push and pull', None)}),
    'memtable-lru': (4000, {'get-policy': ('memtable: get, recently used', None)}),
    'memtable-lfu': (4000, {'get-policy': ('memtable: get, frequently used', None)}),
    'memtable-statistics': (4000, {'get-policy': ('memtable: get, statistics', None)}),
    'deque': (9000, {
        'append-popleft': ('deque: append and popleft', 2),
        'rotate': ('deque: rotate by one', None),
        'extend': ('deque: extend, an item', None)}),
    'deque-index': (40, {'deque-index': ('deque[i], middle of 100,000', 50)}),
    'index': (9000, {
        'set-popitem': ('index: set and popitem', None),
        'setdefault': ('index: setdefault, there', None)}),
    'lock': (9000, {'lock': ('Lock, acquire and release', 2)}),
    'rlock': (9000, {'rlock': ('RLock, acquire and release', None)}),
    'semaphore': (9000, {'semaphore': ('BoundedSemaphore, likewise', None)}),
    'handover': (150, {'handover': ('Lock, to who waits for it', 10)}),
    'average': (3000, {'average': ('Averager, add', None)}),
    'throttle': (3000, {'throttle': ('throttle, a token', None)}),
    'memoize': (3000, {'memoize': ('memoize_stampede, a hit', None)}),
}  # fmt: skip
# What eight processes do at once, and what they are called.
EIGHT = {
    'eight': ('published', '8 processes'),
    'fanout-eight': ('fanout-published', '8 processes on a fanout'),
    'memtable-eight': ('memtable-published', '8 processes, memtable'),
}
# Of the rows of eight processes.
EIGHT_TARGETS = {
    ('eight', 'set', 'p99'): 5, ('eight', 'set', 'max'): 10,
    ('memtable-eight', 'set', 'p99'): 50, ('memtable-eight', 'set', 'max'): 10,
}  # fmt: skip


def keys(name, set_target, get_target):
    return {
        'set': ('set, a hot thousand of ' + name, None), 'get': ('get, a hot thousand of ' + name, None),
        'set-5000': ('set, any of ' + name, None), 'get-5000': ('get, any of ' + name, None),
        'set-wide': ('512 MiB: set, a hot thousand of ' + name, set_target),
        'get-wide': ('512 MiB: get, a hot thousand of ' + name, get_target),
        'set-any-wide': ('512 MiB: set, any of ' + name, set_target),
        'get-any-wide': ('512 MiB: get, any of ' + name, get_target),
    }  # fmt: skip


KEYS = {10000: '10,000', 100000: '100,000', 1000000: '1,000,000'}


def by_keys(name, title, original, ours, set_target, get_target):
    """What an operation costs when there are more and more keys of 100 bytes: with the memtable as it is, and with
    one that they fit into."""
    modes = {'memtable-keys-%d' % many: (5000, keys(of, set_target, get_target))
             for many, of in KEYS.items()}  # fmt: skip
    return Comparison(name, title, theirs=original, ours=ours, modes=modes, rounds=1)


def comparison(program, original):
    return Comparison('c', 'From C', theirs=original, ours=[program], modes=MODES, eight=EIGHT,
                      targets=EIGHT_TARGETS)  # fmt: skip
