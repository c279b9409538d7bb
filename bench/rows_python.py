"""What the Python package is measured in: worker.py on ours beside worker.py on 5.6.3, and the compounds
beside bench.c, which does the same from C.

The directory of `open` is closed between two opens, by both; `open, get, close` has all three in it.

SPDX-License-Identifier: Apache-2.0
"""

import statistics

from compare import Comparison, figure, verdict

MODES = {
    'published': (20000, {
        'get': ('get, 100 keys', 2.2), 'get-miss': ('get, a miss', 2),
        'set': ('set, 100 keys', 1.4), 'delete': ('delete, 100 keys', None)}),
    '5000': (3000, {
        'insert': ('insert of 5,000 keys', None), 'set-5000': ('set, 5,000 keys', 1.4),
        'get-5000': ('get, 5,000 keys', 2.2), 'iterate': ('iterate, an item', 3)}),
    'many': (20, {'set-many': ('set_many of 1,000, an item', 8)}),
    'incr': (2000, {'incr': ('incr', None)}),
    'queue': (2000, {'push-pull': ('push and pull', None)}),
    'open': (60, {'open': ('open an existing one', 10)}),
    'session': (60, {'session': ('open, get, close', None)}),
    'large': (10, {
        'get-large': ('get, 10 MB of bytes', None), 'get-large-text': ('get, 10 MB of text', None),
        'set-large': ('set, 10 MB of bytes', None)}),
    'lru': (4000, {'get-policy': ('get, least-recently-used', None)}),
    'statistics': (4000, {'get-policy': ('get, statistics on', None)}),
    'fanout-published': (20000, {
        'get': ('fanout: get', None), 'set': ('fanout: set', None)}),
    'fanout-open': (60, {'open': ('fanout: open an existing one', None)}),
    'transact': (300, {'transact': ('set in a transaction of 10', None)}),
    'lock': (2000, {'lock': ('Lock, acquire and release', None)}),
    'memoize': (3000, {'memoize': ('memoize_stampede, a hit', None)}),
}  # fmt: skip

MEMTABLE = {
    'memtable-published': (20000, {
        'get': ('memtable: get, 100 keys', 15), 'get-miss': ('memtable: get, a miss', 3),
        'set': ('memtable: set, 100 keys', 30), 'delete': ('memtable: delete, 100 keys', 20)}),
    'memtable-incr': (3000, {'incr': ('memtable: incr', 30)}),
    'memtable-queue': (2000, {'push-pull': ('memtable: push and pull', 3)}),
    'memtable-transact': (300, {'transact': ('memtable: set in a transaction of 10', 8)}),
    'memtable-fill': (100000, {'fill': ('memtable: fill with new keys, close', 6)}),
    'memtable-lru': (4000, {'get-policy': ('memtable: get, recently used', 60)}),
    'memtable-lfu': (4000, {'get-policy': ('memtable: get, frequently used', 40)}),
    'memtable-statistics': (4000, {'get-policy': ('memtable: get, statistics on', 25)}),
    'memtable-open': (60, {'open': ('memtable: open an existing one', None)}),
}  # fmt: skip

EIGHT = {'memtable-eight': ('memtable-published', '8 processes, memtable')}
EIGHT_TARGETS = {
    ('memtable-eight', 'set', 'p99'): 50, ('memtable-eight', 'set', 'max'): 10,
}  # fmt: skip

COMPOUNDS = {
    'deque': (2000, {
        'append-popleft': ('deque: append and popleft', None),
        'rotate': ('deque: rotate by one', None),
        'extend': ('deque: extend, an item', None)}),
    'deque-index': (40, {'deque-index': ('deque[i], middle of 100,000', None)}),
    'index': (2000, {
        'set-popitem': ('index: set and popitem', None),
        'setdefault': ('index: setdefault, there', None)}),
}  # fmt: skip


def allowed(c):
    """What a call of a compound may take from Python, in microseconds, if it takes `c` from C."""
    return 1.2 * c + 0.5


class BesideC(Comparison):
    """Theirs is our own C program here: how much the way through Python adds."""

    def _print_single(self):
        print('\n%-28s %12s %12s %12s' % ('1 process: medians (µs)', 'C', 'Python', 'allowed'))
        for mode, (_, rows) in self.modes.items():
            for row, (name, _) in rows.items():
                self._print_row(name, *(self.results[side][mode][row] for side in self.sides))

    def _print_row(self, name, c, python):
        pairs = [
            [statistics.median(rounds[seed]) / 1000 for rounds in (c, python)] for seed in sorted(c)
        ]
        ratio = statistics.median(allowed(one) / other for one, other in pairs)
        one, other = (statistics.median(numbers) for numbers in zip(*pairs))
        print('%-28s %12s %12s %12s  %s' % (
            name, figure(one), figure(other), figure(allowed(one)), verdict(ratio, 1)))  # fmt: skip
        self.report.append({'part': self.name, 'row': name, 'of': 'median', 'c': one, 'ours': other,
                            'ratio': round(ratio, 2), 'target': 1, 'ok': ratio >= 1})  # fmt: skip


def comparisons(program, original, ours):
    return [
        Comparison('python', 'From Python, memtable off', theirs=original, ours=ours, modes=MODES),
        Comparison('memtable', 'From Python, with the memtable', theirs=original, ours=ours,
                   modes=MEMTABLE, eight=EIGHT, targets=EIGHT_TARGETS),
        BesideC('compounds', 'Compounds from Python, beside C', theirs=[program], ours=ours,
                modes=COMPOUNDS),
    ]  # fmt: skip
