"""libdiskcache beside diskcache 5.6.3, in one run: bench.py BENCH_PROGRAM [--quick] [--json FILE].

Run by a Python that has diskcache 5.6.3. BENCH_PROGRAM is made of bench.c. Both sides do the same
operations with the same keys and values in fresh directories of the same file system, in turn, a
few rounds each; each call is timed inside its own process. Exit status 1 if a target is missed and
--strict is given.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from array import array

from worker import ROWS

HERE = os.path.dirname(os.path.abspath(__file__))

# Mode, its operations in the long run, and what the rows it gives are called; then the target of
# the ratio of medians, if the project has one.
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
    'deque': (3000, {
        'append-popleft': ('deque: append and popleft', 2),
        'rotate': ('deque: rotate by one', None),
        'extend': ('deque: extend, an item', None)}),
    'deque-index': (40, {'deque-index': ('deque[i], middle of 100,000', 50)}),
    'index': (3000, {
        'set-popitem': ('index: set and popitem', None),
        'setdefault': ('index: setdefault, there', None)}),
    'lock': (3000, {'lock': ('Lock, acquire and release', 2)}),
    'rlock': (3000, {'rlock': ('RLock, acquire and release', None)}),
    'semaphore': (3000, {'semaphore': ('BoundedSemaphore, likewise', None)}),
    'handover': (150, {'handover': ('Lock, to who waits for it', 10)}),
    'average': (3000, {'average': ('Averager, add', None)}),
    'throttle': (3000, {'throttle': ('throttle, a token', None)}),
    'memoize': (3000, {'memoize': ('memoize_stampede, a hit', None)}),
}  # fmt: skip
SIDES = ('5.6.3', 'ours')
PROCESSES = 8
# What eight processes do at once.
EIGHT = {'eight': 'published', 'fanout-eight': 'fanout-published'}


def command(side, program):
    return [program] if side == 'ours' else [sys.executable, os.path.join(HERE, 'worker.py')]


def read_samples(path, into, seed):
    """Add a worker's numbers to the lists of `into`, by row and round."""
    numbers = array('Q')
    with open(path, 'rb') as reader:
        numbers.frombytes(reader.read())
    for number in numbers:
        rounds = into.setdefault(ROWS[number >> 56], {})
        rounds.setdefault(seed, []).append(number & (2**56 - 1))


def single(program, folder, mode, operations, seed, results):
    """One round of a mode on both sides."""
    for side in SIDES if seed % 2 else SIDES[::-1]:
        cache, output = os.path.join(folder, 'cache'), os.path.join(folder, 'out')
        arguments = [mode, cache, str(seed), str(operations), output]
        subprocess.run(command(side, program) + arguments, check=True)
        read_samples(output, results[side].setdefault(mode, {}), seed)
        shutil.rmtree(cache)


def several(program, folder, mode, seconds, seed, results):
    """One round of eight processes on both sides, the published workload for some seconds."""
    for side in SIDES if seed % 2 else SIDES[::-1]:
        cache = os.path.join(folder, 'cache')
        start = time.monotonic_ns() + 1500000000
        outputs = [os.path.join(folder, 'out-%d' % n) for n in range(PROCESSES)]
        workers = [
            subprocess.Popen(command(side, program) + [
                EIGHT[mode], cache, str(seed * 100 + n), '0', output, str(start), str(seconds)])
            for n, output in enumerate(outputs)
        ]  # fmt: skip
        statuses = [worker.wait() for worker in workers]
        if any(statuses):
            raise RuntimeError('%s: workers ended with %s' % (side, statuses))
        for output in outputs:
            read_samples(output, results[side].setdefault(mode, {}), seed)
        shutil.rmtree(cache)


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


COLUMNS = ('median', 'p90', 'p99', 'max')


def heading(text):
    print('\n%-28s %-39s | %-39s  %8s' % (text, '5.6.3: median, p90, p99, max (µs)',
                                          'ours', 'ratio'))  # fmt: skip


def ratio_row(report, name, theirs, ours, what, target):
    """The median, over the rounds, of how many times theirs is ours."""
    rounds = zip(theirs['rounds'], ours['rounds'])
    ratio = statistics.median(one[what] / max(other[what], 0.001) for one, other in rounds)
    report.append({'row': name, 'of': what, 'theirs': theirs, 'ours': ours,
                   'ratio': round(ratio, 2), 'target': target,
                   'ok': None if target is None else ratio >= target})  # fmt: skip
    return ratio


def print_single(results, report):
    heading('1 process')
    for mode, (_, rows) in MODES.items():
        for row, (name, target) in rows.items():
            sides = [results[side][mode].get(row) for side in SIDES]
            if not all(sides):
                continue
            theirs, ours = map(summary, sides)
            ratio = ratio_row(report, name, theirs, ours, 'median', target)
            line(name, theirs, ours, ratio, target)


def print_several(results, report, mode, seconds):
    of = '%d processes%s' % (PROCESSES, ' on a fanout' if mode != 'eight' else '')
    heading(of)
    targets = {('set', 'p99'): 5, ('set', 'max'): 10} if mode == 'eight' else {}
    notes = []
    for row in ('get', 'set', 'delete'):
        theirs, ours = (summary(results[side][mode][row]) for side in SIDES)
        ratio = ratio_row(report, '%s, %s' % (row, of), theirs, ours, 'median', None)
        line(row + ', published workload', theirs, ours, ratio, None)
        for what in ('p99', 'p999', 'max'):
            target = targets.get((row, what))
            ratio = ratio_row(report, '%s, %s' % (row, of), theirs, ours, what, target)
            if row != 'delete':
                notes.append('  %-4s %-4s %9s against %9s: %7.1fx  %s' % (
                    row, what, figure(ours[what]), figure(theirs[what]), ratio,
                    verdict(ratio, target)))  # fmt: skip
    print('\n'.join(notes))
    rates = [
        sum(len(n) for rounds in results[side][mode].values() for n in rounds.values()) / seconds
        for side in SIDES
    ]
    print('  operations a second: %.0f against %.0f: %.1fx' % (
        rates[1], rates[0], rates[1] / rates[0]))  # fmt: skip
    report.append({'row': 'operations a second, ' + of, 'theirs': round(rates[0]),
                   'ours': round(rates[1]), 'ratio': round(rates[1] / rates[0], 2)})  # fmt: skip


def about(program):
    import diskcache

    if diskcache.__version__ != '5.6.3':
        sys.exit('this Python has diskcache %s, not 5.6.3' % diskcache.__version__)
    with open('/proc/cpuinfo') as lines:
        models = [text.split(':')[1].strip() for text in lines if text.startswith('model name')]
    return {
        'python': platform.python_version(),
        'sqlite': sqlite3.sqlite_version,
        'kernel': platform.release(),
        'processor': models[0] if models else platform.machine(),
        'cores': os.cpu_count(),
        'load': os.getloadavg()[0],
        'program': program,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('program')
    parser.add_argument('--quick', action='store_true', help='a third of the work')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=4, help='a round with eight processes')
    parser.add_argument('--only', help='names of modes with commas; also %s' % ', '.join(EIGHT))
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--strict', action='store_true')
    args = parser.parse_args()
    program = os.path.abspath(args.program)
    system, report = about(program), []
    scale, seconds = (3, args.seconds / 2) if args.quick else (1, args.seconds)
    results = {side: {} for side in SIDES}
    wanted = args.only.split(',') if args.only else list(MODES) + list(EIGHT)
    print('%(processor)s, %(cores)d cores, load %(load).1f; Linux %(kernel)s, SQLite %(sqlite)s, '
          'Python %(python)s' % system)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        for seed in range(1, args.rounds + 1):
            for mode, (operations, _) in MODES.items():
                if mode in wanted:
                    single(program, folder, mode, max(1, operations // scale), seed, results)
            for mode in EIGHT:
                if mode in wanted:
                    several(program, folder, mode, seconds, seed, results)
    for mode in list(MODES):
        if mode not in wanted:
            del MODES[mode]
    if MODES:
        print_single(results, report)
    for mode in EIGHT:
        if mode in wanted:
            print_several(results, report, mode, args.rounds * seconds)
    missed = [r for r in report if r.get('ok') is False]
    print('\n%d targets met, %d missed' % (sum(r.get('ok') is True for r in report), len(missed)))
    if args.json:
        with open(args.json, 'w') as writer:
            json.dump({'system': system, 'rows': report}, writer, indent=1)
    return 1 if missed and args.strict else 0


if __name__ == '__main__':
    sys.exit(main())
