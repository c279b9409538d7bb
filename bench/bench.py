"""libdiskcache beside diskcache 5.6.3, and beside other caches: bench.py BENCH_PROGRAM [--quick] ...

Run by the Python of scripts/peers.sh. BENCH_PROGRAM is made of bench.c. Against 5.6.3, both sides do the
same operations with the same keys and values in fresh directories of the same file system, in turn, a
few rounds each; each call is timed inside its own process. What is compared is in the rows_*.py; the
other caches are in peers.py. Exit status 1 if a target is missed and --strict is given.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile

import peers
import rows_c
import rows_disks
import rows_python
import rows_saturation

HERE = os.path.dirname(os.path.abspath(__file__))


def comparisons(program, ours, quick):
    """All of them, in the order of the report. Another one is another rows_*.py, and a line here."""
    original, worker = sys.executable, os.path.join(HERE, 'worker.py')
    found = [rows_c.comparison(program, [original, worker]), rows_saturation.saturation(program)]
    if not quick:
        found.append(rows_c.by_keys('keys', 'From C, by number of keys', [original, worker],
                                    [program], 100, 60))  # fmt: skip
    if ours:
        found += rows_python.comparisons(program, [original, worker], [ours, worker])
        found.append(rows_disks.comparison([ours, worker]))
    if ours and not quick:
        found.append(rows_c.by_keys('python-keys', 'From Python, by number of keys',
                                    [original, worker], [ours, worker], 30, 15))  # fmt: skip
    return found


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
        'commit': revision(),
        'program': program,
    }


def revision():
    try:
        return subprocess.check_output(['git', 'describe', '--always', '--dirty'], cwd=HERE, text=True,
                                       stderr=subprocess.DEVNULL).strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('program')
    parser.add_argument('--quick', action='store_true', help='an eighth of the work, in two minutes')
    parser.add_argument('--rounds', type=int, help='five; two if quick')
    parser.add_argument('--seconds', type=float, default=4,
                        help='a round with eight processes, beside 5.6.3')  # fmt: skip
    parser.add_argument('--parts', help='with commas, of: c, saturation, keys, python, python-keys, '
                        'memtable, compounds, disks, peers')  # fmt: skip
    parser.add_argument('--only', help='names of modes of comparisons, with commas')
    parser.add_argument('--ours', metavar='PYTHON', help='that has the package of this clone')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--plots', metavar='DIRECTORY', help='for pictures of the peers')
    parser.add_argument('--strict', action='store_true')
    return parser.parse_args()


def main():
    args = arguments()
    program = os.path.abspath(args.program)
    report = {'system': about(program), 'command': 'make bench' + ' BENCH_ARGS=--quick' * args.quick}
    scale, seconds = (8, args.seconds / 5) if args.quick else (1, args.seconds)
    chosen = args.parts.split(',') if args.parts else None
    parts = [part for part in comparisons(program, args.ours, args.quick) if not chosen or part.name in chosen]
    if args.only:
        parts = [part for part in parts if part.choose(args.only.split(','))]
    print('%(processor)s, %(cores)d cores, load %(load).1f; Linux %(kernel)s, SQLite %(sqlite)s, '
          'Python %(python)s' % report['system'])  # fmt: skip
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        for seed in range(1, (args.rounds or (2 if args.quick else 5)) + 1):
            for part in parts:  # if quick, eight processes once
                part.round(folder, seed, scale, 0 if args.quick and seed > 1 else seconds)
        report['parts'] = {part.name: part.title for part in parts}
        report['rows'] = [row for part in parts for row in part.print()]
        if args.ours and not args.only and (not chosen or 'peers' in chosen):
            report.update(peers.measure(folder, args.quick, program, args.ours, sys.executable))
            peers.show(report)
    missed = [row for row in report['rows'] if row.get('ok') is False]
    met = sum(row.get('ok') is True for row in report['rows'])
    print('\n%d targets met, %d missed' % (met, len(missed)))
    if args.json:
        with open(args.json, 'w') as writer:
            json.dump(report, writer, indent=1)
    if args.plots and 'peers' in report:
        import plots

        plots.draw(report, args.plots)
    return 1 if missed and args.strict else 0


if __name__ == '__main__':
    sys.exit(main())
