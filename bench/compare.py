"""Two programs that do the same operations in turn, and how many times faster one is.

A program is called with MODE DIRECTORY SEED OPERATIONS OUTPUT [START SECONDS] and leaves one 8-byte
number for each call that it timed: bench.c and worker.py do. What is compared is a Comparison, of which
each rows_*.py makes one.

SPDX-License-Identifier: Apache-2.0
"""

import os
import shutil
import statistics
import subprocess
import time
from array import array

from worker import ROWS

COLUMNS = ('median', 'p90', 'p99', 'max')
PROCESSES = 8


def read_samples(path, into, seed):
    """Add a worker's numbers to the lists of `into`, by row and round."""
    numbers = array('Q')
    with open(path, 'rb') as reader:
        numbers.frombytes(reader.read())
    for number in numbers:
        rounds = into.setdefault(ROWS[number >> 56], {})
        rounds.setdefault(seed, []).append(number & (2**56 - 1))


def quantiles(numbers):
    """Median and so on in microseconds."""
    numbers = sorted(numbers)

    def at(share):
        return numbers[min(len(numbers) - 1, int(len(numbers) * share))] / 1000

    return {'median': at(0.5), 'p90': at(0.9), 'p99': at(0.99), 'p999': at(0.999),
            'max': numbers[-1] / 1000, 'count': len(numbers)}  # fmt: skip


def summary(rounds):
    """Of all rounds together, and of each: a machine that changes its pace in the middle changes
    both sides of a round."""
    result = quantiles([number for numbers in rounds.values() for number in numbers])
    result['rounds'] = [quantiles(rounds[seed]) for seed in sorted(rounds)]
    return result


def figure(us):
    return '%.2f' % us if us < 10 else '%.1f' % us if us < 100 else '%.0f' % us


def verdict(ratio, target):
    if target is None:
        return ''
    return '%s (target %g)' % ('ok' if ratio >= target else 'MISSED', target)


def line(name, theirs, ours, ratio, target):
    cells = [figure(side[what]) for side in (theirs, ours) for what in COLUMNS]
    print('%-28s %s | %s  %7.1fx  %s' % (
        name, ' '.join('%9s' % c for c in cells[:4]), ' '.join('%9s' % c for c in cells[4:]),
        ratio, verdict(ratio, target)))  # fmt: skip


def heading(text):
    print('\n%-28s %-39s | %-39s  %8s' % (text, '5.6.3: median, p90, p99, max (µs)',
                                          'ours', 'ratio'))  # fmt: skip


class Comparison:
    """`modes` has for each mode its operations in the long run, and for each row that it gives a name
    and the target of the ratio of medians, None if the project has none. `eight` has what eight
    processes do at once: a mode, and what its rows are called; `targets`, by name, row and quantile,
    theirs. `title` distinguishes the rows in the report; of what takes long there are fewer `rounds`."""

    def __init__(self, name, title, theirs, ours, modes, eight=None, targets=None, rounds=None):
        self.name, self.title, self.rounds = name, title, rounds
        self.sides = {'theirs': theirs, 'ours': ours}
        self.modes, self.eight, self.targets = modes, eight or {}, targets or {}
        self.results = {side: {} for side in self.sides}
        self.seconds = 0  # that eight processes have worked, all rounds together
        self.report = []

    def choose(self, wanted):
        """Only these modes; whether there are any."""
        self.modes = {mode: self.modes[mode] for mode in self.modes if mode in wanted}
        self.eight = {mode: self.eight[mode] for mode in self.eight if mode in wanted}
        return bool(self.modes or self.eight)

    def round(self, folder, seed, scale, seconds):
        """One more round; with `seconds` 0, nothing of eight processes."""
        if self.rounds and seed > self.rounds:
            return
        for mode, (operations, _) in self.modes.items():
            self._single(folder, mode, max(1, operations // scale), seed)
        if not seconds:
            return
        for mode in self.eight:
            self._several(folder, mode, seconds, seed)
        self.seconds += seconds

    def print(self):
        """The table; the rows of the report."""
        print('\n%s' % self.title)
        if self.modes:
            self._print_single()
        for mode, (_, of) in self.eight.items():
            self._print_several(mode, of)
        return self.report

    def _turns(self, seed):
        """One begins in one round, the other in the next."""
        sides = list(self.sides.items())
        return sides if seed % 2 else sides[::-1]

    def _single(self, folder, mode, operations, seed):
        for side, command in self._turns(seed):
            cache, output = os.path.join(folder, 'cache'), os.path.join(folder, 'out')
            subprocess.run(command + [mode, cache, str(seed), str(operations), output], check=True)
            read_samples(output, self.results[side].setdefault(mode, {}), seed)
            shutil.rmtree(cache)

    def _several(self, folder, mode, seconds, seed):
        for side, command in self._turns(seed):
            outputs, lead = [], 1.5
            while not any(map(os.path.getsize, outputs)):  # on a busy machine nobody may be there in time
                outputs = self._at_once(command, folder, mode, seed, lead, seconds)
                lead *= 2
            for output in outputs:
                read_samples(output, self.results[side].setdefault(mode, {}), seed)

    def _at_once(self, command, folder, mode, seed, lead, seconds):
        """Eight processes that begin to work in `lead` seconds; the files of their samples."""
        cache = os.path.join(folder, 'cache')
        start = time.monotonic_ns() + int(lead * 1e9)
        outputs = [os.path.join(folder, 'out-%d' % n) for n in range(PROCESSES)]
        workers = [
            subprocess.Popen(command + [self.eight[mode][0], cache, str(seed * 100 + n), '0',
                                        output, str(start), str(seconds)])
            for n, output in enumerate(outputs)
        ]  # fmt: skip
        statuses = [worker.wait() for worker in workers]
        if any(statuses):
            raise RuntimeError('%s: workers ended with %s' % (command, statuses))
        shutil.rmtree(cache)
        return outputs

    def _ratio(self, name, theirs, ours, what, target):
        """The median, over the rounds, of how many times theirs is ours; of the longest call, that of all rounds:
        of one round it depends on which of the two had the bad luck."""
        rounds = [(theirs, ours)] if what == 'max' else zip(theirs['rounds'], ours['rounds'])
        ratio = statistics.median(one[what] / max(other[what], 0.001) for one, other in rounds)
        self.report.append({'part': self.name, 'row': name, 'of': what, 'theirs': theirs,
                            'ours': ours, 'ratio': round(ratio, 2), 'target': target,
                            'ok': None if target is None else ratio >= target})  # fmt: skip
        return ratio

    def _print_single(self):
        heading('1 process')
        for mode, (_, rows) in self.modes.items():
            for row, (name, target) in rows.items():
                sides = [self.results[side][mode].get(row) for side in self.sides]
                if not all(sides):
                    continue
                theirs, ours = map(summary, sides)
                ratio = self._ratio(name, theirs, ours, 'median', target)
                line(name, theirs, ours, ratio, target)

    def _print_several(self, mode, of):
        heading(of)
        notes = []
        for row in ('get', 'set', 'delete'):
            theirs, ours = (summary(self.results[side][mode][row]) for side in self.sides)
            ratio = self._ratio('%s, %s' % (row, of), theirs, ours, 'median', None)
            line(row + ', published workload', theirs, ours, ratio, None)
            for what in ('p99', 'p999', 'max'):
                target = self.targets.get((mode, row, what))
                ratio = self._ratio('%s, %s' % (row, of), theirs, ours, what, target)
                if row != 'delete':
                    notes.append('  %-4s %-4s %9s against %9s: %7.1fx  %s' % (
                        row, what, figure(ours[what]), figure(theirs[what]), ratio,
                        verdict(ratio, target)))  # fmt: skip
        print('\n'.join(notes))
        theirs, ours = (
            sum(len(n) for rounds in self.results[side][mode].values() for n in rounds.values())
            / self.seconds
            for side in self.sides
        )
        print('  operations a second: %.0f against %.0f: %.1fx' % (ours, theirs, ours / theirs))
        self.report.append({'part': self.name, 'row': 'operations a second, ' + of,
                            'theirs': round(theirs), 'ours': round(ours),
                            'ratio': round(ours / theirs, 2)})  # fmt: skip
