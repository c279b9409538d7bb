"""How long a write waits at most while eight processes do nothing but call, with the memtable.

The longest call of a minute says as much about the machine as about the library: so beside it stand the longest
get, which takes no lock and waits for nothing but a processor, the longest write without the time for which the
process could have run, and how long one waits that does nothing but look at the clock.

SPDX-License-Identifier: Apache-2.0
"""

from compare import Comparison

MOST = 50  # milliseconds that a write may wait
MINUTE = 60  # seconds
QUICK = 3

EIGHT = {
    'memtable-saturate-%d-%d' % (keys, gets): (
        'memtable-saturate-%d-%d' % (keys, gets),
        '%s, %s keys' % (what, format(keys, ',')) if keys else what,
    )
    for gets, what, keys in (
        (0, 'writes alone', 100), (0, 'writes alone', 100000), (90, '90 % gets', 100000),
        (100, 'no calls', 0),
    )
}


class Saturation(Comparison):
    """Of one side."""

    def __init__(self, program):
        super().__init__('saturation', 'Saturation: the longest call of 8 processes (ms)', theirs=None,
                         ours=[program], modes={}, eight=EIGHT, rounds=1)  # fmt: skip
        self.sides, self.results = {'ours': [program]}, {'ours': {}}

    def round(self, folder, seed, scale, seconds):
        super().round(folder, seed, scale, seconds and (MINUTE if scale == 1 else QUICK))

    def _print_several(self, mode, of):
        found = {row: rounds[1] for row, rounds in self.results['ours'][mode].items()}
        longest = {row: max(found[row]) / 1e6 for row in ('get', 'set', 'delete') if row in found}
        write = max(longest.get('set', 0), longest.get('delete', 0))
        waited = max(found['set-waited'] + found['delete-waited']) / 1e6
        rate = sum(found['operations']) / self.seconds
        calls = ', '.join('%s %.1f' % item for item in longest.items())
        judged = {'target': MOST, 'ok': waited <= MOST} if write else {'target': None}
        print('%-28s %s; %.0f operations a second; waited %.1f  %s' % (
            of, calls, rate, waited,
            '%s (target %d)' % ('ok' if waited <= MOST else 'MISSED', MOST) if write else ''))  # fmt: skip
        self.report.append({'part': self.name, 'row': of, 'of': 'max', 'ours': waited, 'write': write,
                            'get': longest.get('get'), 'rate': round(rate), 'seconds': self.seconds,
                            **judged})  # fmt: skip


def saturation(program):
    return Saturation(program)
