"""What each Disk of the Python package costs beside the default: a dict of plain data, and 100 bytes.

SPDX-License-Identifier: Apache-2.0
"""

import statistics

from compare import Comparison, figure, verdict

# Names, and what is in the environment of the worker. The first is what the others are beside.
SIDES = {
    'Disk': {},
    'SafeDisk': {},
    'SignedDisk': {'DISKCACHE_DISK_KEY': 'a-secret-of-20-bytes'},
    'MsgpackDisk': {},
}
MODES = {
    'disk': (20000, {
        'get-record': 'get, a dict', 'get-bytes': 'get, 100 bytes',
        'set-record': 'set, a dict', 'set-bytes': 'set, 100 bytes'}),
}  # fmt: skip

# At most so many times the time of Disk, or so many microseconds more.
TIMES = {('SafeDisk', 'get-record'): 1.3}
MORE = {('SignedDisk', 'get-bytes'): 2}


def allowed(side, row, default):
    """The most that a call may take, in microseconds, where it takes `default` with Disk; or None."""
    if (side, row) in TIMES:
        return TIMES[side, row] * default
    return default + MORE[side, row] if (side, row) in MORE else None


class BesideDisk(Comparison):
    """Several sides, of which the first is the measure."""

    def __init__(self, ours):
        super().__init__('disks', 'Disks: medians (µs)', theirs=ours, ours=ours, modes=MODES)
        self.sides = {
            side: ['env', 'DISKCACHE_DISK=' + side, *map('='.join, more.items()), *ours]
            for side, more in SIDES.items()
        }
        self.results = {side: {} for side in self.sides}

    def _print_single(self):
        for mode, (_, rows) in self.modes.items():
            for row, name in rows.items():
                default = self._medians('Disk', mode, row)
                for side in self.sides:
                    self._print_row(side, row, name, default, self._medians(side, mode, row))

    def _medians(self, side, mode, row):
        rounds = self.results[side][mode][row]
        return [statistics.median(rounds[seed]) / 1000 for seed in sorted(rounds)]

    def _print_row(self, side, row, name, default, medians):
        limits = [allowed(side, row, one) for one in default]
        ratio = None
        if None not in limits:
            ratio = statistics.median(limit / one for limit, one in zip(limits, medians))
        of_disk = statistics.median(one / measure for one, measure in zip(medians, default))
        print('%-20s %-12s %9s %8.2f of Disk  %s' % (
            name, side, figure(statistics.median(medians)), of_disk,
            '' if ratio is None else verdict(ratio, 1)))  # fmt: skip
        self.report.append({'part': self.name, 'row': '%s, %s' % (name, side), 'of': 'median',
                            'ours': medians, 'of_disk': round(of_disk, 2),
                            'ratio': None if ratio is None else round(ratio, 2), 'target': 1,
                            'ok': None if ratio is None else ratio >= 1})  # fmt: skip


def comparison(ours):
    return BesideDisk(ours)
