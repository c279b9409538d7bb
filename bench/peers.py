"""libdiskcache from Python beside what else is in use, each with its defaults.

Each peer runs in the environment that has it: this package in that of scripts/python.sh, all others in that
of scripts/peers.sh. What cannot be had is named, with the reason.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import shutil
import subprocess
import sys
import time

from backends import BACKENDS, OURS
from compare import figure, quantiles, read_samples
from servers import Servers

HERE = os.path.dirname(os.path.abspath(__file__))

PLANS = {
    'quick': {'seconds': 0.1, 'limit': 6, 'starts': 1, 'processes': [1, 8], 'keys': [1000, 10000],
              'values': [100000]},
    'full': {'seconds': 0.6, 'limit': 20, 'starts': 5, 'processes': [1, 2, 4, 8],
             'keys': [1000, 10000, 100000, 1000000], 'values': [100, 4096, 100000, 10000000]},
}  # fmt: skip


def measure(folder, quick, program, ours, others):
    """All peers, by name. `program` is made of bench.c; `ours` and `others` are Pythons."""
    plan, results = PLANS['quick' if quick else 'full'], {}
    results['c'] = from_c(folder, plan, program)
    with Servers(folder) as servers:
        for name, backend in BACKENDS.items():
            print('\r\033[K%s ...' % backend.title, end='', file=sys.stderr, flush=True)
            results[name] = one(name, backend, folder, plan, servers, ours if name in OURS else others)
    print('\r\033[K', end='', file=sys.stderr)
    return {'plan': plan, 'peers': results}


def one(name, backend, folder, plan, servers, python):
    address = servers.address(backend.server) if backend.server else None
    result = {'title': backend.title, 'durability': backend.durability}
    if backend.server and address is None:
        return dict(result, missing='%s is not installed' % backend.server)
    plan = dict(plan, folder=os.path.join(folder, name), address=address,
                server_pid=servers.pid(backend.server) if address else None)  # fmt: skip
    worker = subprocess.run([python, os.path.join(HERE, 'peer_worker.py'), name], input=json.dumps(plan),
                            capture_output=True, text=True)  # fmt: skip
    if worker.returncode:
        return dict(result, missing=(worker.stderr.strip().splitlines() or ['it died'])[-1])
    result.update(json.loads(worker.stdout))
    if address:
        result['version'] = '%s with %s' % (servers.version(backend.server), result.get('version'))
    return result


def from_c(folder, plan, program):
    """The published workload without Python."""
    result = {'title': 'diskcache 6, from C', 'durability': 'crash', 'shared': {'seen': 1, 'of': 1},
              'kept': {'kept': 1, 'of': 1}}  # fmt: skip
    for count in plan['processes']:
        cache, start = os.path.join(folder, 'c'), time.monotonic_ns() + 300000000 + count * 20000000
        outputs = [os.path.join(folder, 'out-%d' % n) for n in range(count)]
        workers = [subprocess.Popen([program, 'published', cache, str(n), '0', output, str(start),
                                     str(plan['seconds'])]) for n, output in enumerate(outputs)]  # fmt: skip
        if any([worker.wait() for worker in workers]):
            raise RuntimeError('%s failed' % program)
        rows = {}
        for output in outputs:
            read_samples(output, rows, 0)
        rows = {row: numbers for row, rounds in rows.items() for numbers in rounds.values()}
        found = {row: quantiles(numbers) for row, numbers in rows.items() if row != 'get-miss'}
        rate = sum(map(len, rows.values())) / plan['seconds']
        result['published-%d' % count] = dict(found, rate=round(rate))
        shutil.rmtree(cache)
    return result


def cell(peer, mode, row, what='median'):
    found = peer.get(mode, {}).get(row)
    return found.get(what) if isinstance(found, dict) else found


# Heading, mode, row, quantile, what to divide by.
COLUMNS = (
    ('get', 'published-1', 'get', 'median', 1),
    ('p99', 'published-1', 'get', 'p99', 1),
    ('set', 'published-1', 'set', 'median', 1),
    ('p99', 'published-1', 'set', 'p99', 1),
    ('8: get p99', 'published-8', 'get', 'p99', 1),
    ('8: set p99', 'published-8', 'set', 'p99', 1),
    ('8: 1000/s', 'published-8', 'rate', None, 1000),
    ('get 100k', 'values-100000', 'get', 'median', 1),
    ('set 100k', 'values-100000', 'set', 'median', 1),
    ('memoize', 'memoize', 'hit', 'median', 1),
    ('queue', 'queue', 'push and pull', 'median', 1),
    ('lock', 'lock', 'hand-over', 'median', 1),
    ('cold, ms', 'cold', 'first get', 'median', 1000),
    ('B/item', 'keys-10000', 'disk', None, 10000),
    ('MB', 'keys-10000', 'memory', None, 1e6),
)


def row(peer):
    """The cells of the table, as text."""
    values = [cell(peer, mode, name, what) for _, mode, name, what, _ in COLUMNS]
    return ['-' if value is None else figure(value / by) for value, (*_, by) in zip(values, COLUMNS)]


def outcome(peer):
    """What others see, and what a kill leaves, in a word each."""
    shared, kept = peer['shared'], peer['kept']
    alone = BACKENDS_ALONE.get(peer['title'])
    return (
        'no' if alone else '?' if 'none' in shared else share(shared['seen'], shared['of']),
        '-' if 'none' in kept else share(kept['kept'], kept['of']),
    )


def share(count, of):
    return 'yes' if count == of else '%d of %d' % (count, of)


def show(results):
    print('\nPeers, from Python, each with its defaults; microseconds where nothing else is said')
    print('%-22s %s  durable  shared  kill' % ('', ' '.join('%10s' % c[0] for c in COLUMNS)))
    for peer in results['peers'].values():
        if 'missing' in peer:
            print('%-22s could not be had: %s' % (peer['title'], peer['missing']))
            continue
        print('%-22s %s  %-7s  %-6s  %s' % (
            peer['title'], ' '.join('%10s' % text for text in row(peer)), peer['durability'],
            *outcome(peer)))  # fmt: skip
    for peer in results['peers'].values():
        expected = ('has none', 'the server has it', BACKENDS_ALONE.get(peer['title']))
        for mode, found in peer.items():
            if isinstance(found, dict) and found.get('none', 'has none') not in expected:
                print('  %s, %s: %s' % (peer['title'], mode, found['none']))


BACKENDS_ALONE = {backend.title: backend.alone for backend in BACKENDS.values()}
