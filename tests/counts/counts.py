"""Counts that do not wobble: system calls and instructions of one operation, and that opening writes
nothing.

    counts.py COUNTS_PROGRAM

COUNTS_PROGRAM is made of counts.c. Needs strace; exits with 77 (skipped) where there is none or it
may not trace. The last line is `N passed, N failed`.

SPDX-License-Identifier: Apache-2.0
"""

import collections
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

TIMES = 200
ATTEMPTS = 8
MEMTABLE = {'TEST_MEMTABLE': str(32 << 20)}
OFF = {'TEST_MEMTABLE': '0'}
# With a memtable; a set now and then finds that a tick of the clock has passed, and looks around.
LIMITS_MEMTABLE = {'get': 0.1, 'miss': 0.1, 'contains': 0.1, 'set': 1, 'incr': 1, 'delete': 1}
# Of a hot get and a set with a memtable, as measured by callgrind where the library was compiled by
# GCC 12 for x86-64; more or fewer by a tenth is a change to be looked at, and to be recorded here.
INSTRUCTIONS = {'get': (837, 'dcache_get'), 'set': (1723, 'dcache_set')}
LIMITS = {'get': 4, 'miss': 4, 'contains': 4, 'set': 8, 'incr': 8, 'delete': 8}
CALL = re.compile(r'^(?:\[pid\s+\d+\] |\d+ +)?(\w+)\((.*)$')
WRITES = ('write', 'pwrite64', 'pwritev', 'pwritev2', 'writev', 'ftruncate', 'truncate',
          'fallocate', 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat')  # fmt: skip
passed = failed = 0


def check(holds, what):
    global passed, failed
    passed += bool(holds)
    failed += not holds
    print('%-6s %s' % ('ok' if holds else 'FAILED', what), flush=True)


def strace(folder, *command, environment=None):
    """The calls of a program in order, with descriptors as paths: (name, arguments) each. With a
    memtable those of the program's own thread, not of the one that drains."""
    log = os.path.join(folder, 'strace.log')
    done = subprocess.run(
        ['strace', *([] if environment is MEMTABLE else ['-f']), '-y', '-s', '16', '-o', log, *command],
        stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError('%s: %s' % (' '.join(command[1:]), done.stderr[-600:]))
    with open(log, errors='replace') as lines:
        return [match.groups() for match in map(CALL.match, lines) if match]


def between_marks(calls):
    marks = [number for number, (name, _) in enumerate(calls) if name == 'getppid']
    if len(marks) != 2:
        raise RuntimeError('%d marks in the trace' % len(marks))
    return calls[marks[0] + 1 : marks[1]]


def per_operation(program, folder, limits=None, environment=OFF):
    for operation, limit in (limits or LIMITS).items():
        cache = os.path.join(folder, ('memtable-' if environment is MEMTABLE else 'per-') + operation)
        times = 100 if operation == 'delete' else TIMES
        calls = between_marks(
            strace(folder, program, cache, operation, str(times), environment=environment)
        )
        names = collections.Counter(name for name, _ in calls)
        detail = ', '.join('%s %.2f' % (n, c / times) for n, c in names.most_common(8))
        mean = len(calls) / times
        check(mean <= limit, '%-8s %5.2f system calls (limit %g%s): %s' % (
            operation, mean, limit, ', memtable' if environment is MEMTABLE else '', detail or 'none'))  # fmt: skip


def with_memtable(program, folder):
    per_operation(program, folder, LIMITS_MEMTABLE, MEMTABLE)


def compiled_as_recorded(program):
    """Other compilers make other instructions."""
    with open(program, 'rb') as reader:
        return platform.machine() == 'x86_64' and b'GCC: (Debian 12' in reader.read()


def instructions_of(program, folder, operation, function):
    """Of one call of a function, from two runs that differ in nothing but how often it is called."""
    totals = []
    for times in (200, 1200): # few enough that no writer has to drain
        cache = os.path.join(folder, 'instructions-%s-%d' % (operation, times))
        shutil.rmtree(cache, ignore_errors=True)
        done = subprocess.run(
            ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
             '--toggle-collect=' + function, program, cache, operation, str(times)],
            stderr=subprocess.PIPE, text=True, check=True, env={**os.environ, **MEMTABLE},
        )  # fmt: skip
        totals.append(int(re.search(r'Collected : (\d+)', done.stderr).group(1)))
    return (totals[1] - totals[0]) / 1000


def instructions(program, folder):
    if shutil.which('valgrind') is None or not compiled_as_recorded(program):
        print('skipped: instructions, which want valgrind and GCC 12 on x86-64')
        return
    for operation, (recorded, function) in INSTRUCTIONS.items():
        # On a busy machine, what is done now and then comes into one of the two runs: then once more.
        for _ in range(ATTEMPTS):
            found = instructions_of(program, folder, operation, function)
            if abs(found - recorded) <= recorded / 10:
                break
        check(abs(found - recorded) <= recorded / 10, '%-8s %d instructions (recorded: %d)' % (
            operation, found, recorded))  # fmt: skip


def state(cache):
    """Contents and times of what the cache consists of; -shm is no data."""
    result = {}
    for name in sorted(os.listdir(cache)):
        path = os.path.join(cache, name)
        if os.path.isfile(path) and not name.endswith(('-shm', '-shared')):
            with open(path, 'rb') as reader:
                digest = hashlib.sha256(reader.read()).hexdigest()
            result[name] = digest, os.stat(path).st_mtime_ns
    return result


def written(calls):
    """Calls that change cache.db or its log."""
    result = []
    for name, arguments in calls:
        first = arguments.split(',')[0] if not name.startswith(('rename', 'unlink')) else arguments
        if name in WRITES and re.search(r'cache\.db(-wal|-journal)?[>"]', first):
            result.append((name, arguments[:90]))
    return result


def write_locks(calls):
    """Attempts to become SQLite's writer: byte 120 of the WAL index, exclusively."""
    pattern = re.compile(r'cache\.db-shm.*F_WRLCK.*l_start=120\b')
    return [a[:120] for name, a in calls if name == 'fcntl' and pattern.search(a)]


def begin_immediate(calls):
    """The same for a rollback journal: the reserved byte of the database. (The byte before it is
    locked by whoever closes, to see whether it is the last one.)"""
    pattern = re.compile(r'cache\.db>.*F_WRLCK.*l_start=1073741825\b')
    return [a[:120] for name, a in calls if name == 'fcntl' and pattern.search(a)]


def opening(program, folder):
    for operation in ('open', 'read-all'):
        cache = os.path.join(folder, 'opened-' + operation)
        subprocess.run([program, cache, 'fill'], check=True)
        before = state(cache)
        calls = between_marks(strace(folder, program, cache, operation, '3'))
        check(state(cache) == before, operation + ': cache.db has the same bytes and time')
        found = [c for c in written(calls) if not c[0].startswith('unlink')]
        check(not found, operation + ': no write to cache.db or its log %s' % found[:3])
        found = begin_immediate(calls)
        check(not found, operation + ': no lock for writing %s' % found[:2])
        print('       %s: %d system calls, for opening and closing, the only process' % (
            operation, len(calls) // 3))  # fmt: skip


def opening_beside_another(program, folder):
    """Somebody else has it open: no recovery of the log, no checkpoint at the end."""
    cache = os.path.join(folder, 'beside')
    subprocess.run([program, cache, 'fill'], check=True)
    holder = subprocess.Popen(
        [program, cache, 'hold'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if holder.stdout.readline() != 'held\n':
            raise RuntimeError('the holder did not come up')
        for operation in ('open', 'read-all'):
            before = state(cache)
            calls = between_marks(strace(folder, program, cache, operation, '3'))
            check(state(cache) == before, operation + ' beside another: the same bytes and times')
            found = written(calls) + write_locks(calls) + begin_immediate(calls)
            check(not found, operation + ' beside another: 0 write transactions %s' % found[:3])
            print('       %s: %d system calls, for opening and closing' % (
                operation, len(calls) // 3))  # fmt: skip
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()


def can_trace():
    if shutil.which('strace') is None:
        return False
    probe = subprocess.run(['strace', '-o', os.devnull, 'true'], stderr=subprocess.DEVNULL)
    return probe.returncode == 0


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not can_trace():
        print('skipped: strace is missing or may not trace')
        return 77
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix='counts-') as folder:
        for part in (
            per_operation, with_memtable, instructions, opening, opening_beside_another,
        ):  # fmt: skip
            try:
                part(program, folder)
            except (RuntimeError, subprocess.CalledProcessError) as error:
                check(False, '%s: %s' % (part.__name__, error))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
