"""libdiskcache beside diskcache 5.6.3, in one run: bench.py BENCH_PROGRAM [--quick] [--json FILE].

Run by a Python that has diskcache 5.6.3. BENCH_PROGRAM is made of bench.c. Both sides do the same
operations with the same keys and values in fresh directories of the same file system, in turn, a
few rounds each; each call is timed inside its own process. What is compared is in the rows_*.py. Exit
status 1 if a target is missed and --strict is given.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile

import rows_c

HERE = os.path.dirname(os.path.abspath(__file__))


def comparisons(program):
    """All of them, in the order of the report. Another one is another rows_*.py, and a line here."""
    original = [sys.executable, os.path.join(HERE, 'worker.py')]
    return [rows_c.comparison(program, original)]


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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('program')
    parser.add_argument('--quick', action='store_true', help='a third of the work')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=4, help='a round with eight processes')
    parser.add_argument('--parts', help='of the comparisons, with commas; all of them: c')
    parser.add_argument('--only', help='names of modes, with commas')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--strict', action='store_true')
    return parser.parse_args()


def main():
    args = arguments()
    program = os.path.abspath(args.program)
    system, report = about(program), []
    scale, seconds = (3, args.seconds / 2) if args.quick else (1, args.seconds)
    parts = comparisons(program)
    if args.parts:
        parts = [part for part in parts if part.name in args.parts.split(',')]
    if args.only:
        parts = [part for part in parts if part.choose(args.only.split(','))]
    print('%(processor)s, %(cores)d cores, load %(load).1f; Linux %(kernel)s, SQLite %(sqlite)s, '
          'Python %(python)s' % system)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        for seed in range(1, args.rounds + 1):
            for part in parts:
                part.round(folder, seed, scale, seconds)
    for part in parts:
        report += part.print()
    missed = [r for r in report if r.get('ok') is False]
    print('\n%d targets met, %d missed' % (sum(r.get('ok') is True for r in report), len(missed)))
    if args.json:
        with open(args.json, 'w') as writer:
            json.dump({'system': system, 'rows': report}, writer, indent=1)
    return 1 if missed and args.strict else 0


if __name__ == '__main__':
    sys.exit(main())
