"""How long a write waits at most while eight processes do nothing but call, with the memtable.

The longest call of a minute says as much about the machine as about the library: so beside it stands the longest
get, which takes no lock and waits for nothing but a processor.

SPDX-License-Identifier: Apache-2.0
"""

from compare import Comparison

MOST = 50  # milliseconds that a write may wait
MINUTE = 60  # seconds
QUICK = 3

EIGHT = {
    'memtable-saturate-%d-%d' % (keys, gets): (
        'memtable-saturate-%d-%d' % (keys, gets),
        '%s, %s keys' % (what, format(keys, ',')),
    )
    for gets, what, keys in (
        (0, 'writes alone', 100), (0, 'writes alone', 100000), (90, '90 % gets', 100000),
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
        waited, rate = max(longest['set'], longest['delete']), sum(found['operations']) / self.seconds
        print('%-28s %s; %.0f operations a second  %s (target %d)' % (
            of, ', '.join('%s %.1f' % item for item in longest.items()), rate,
            'ok' if waited <= MOST else 'MISSED', MOST))  # fmt: skip
        self.report.append({'part': self.name, 'row': of, 'of': 'max', 'ours': waited,
                            'get': longest.get('get'), 'rate': round(rate), 'seconds': self.seconds,
                            'target': MOST, 'ok': waited <= MOST})  # fmt: skip


def saturation(program):
    return Saturation(program)
