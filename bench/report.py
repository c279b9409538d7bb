"""What `make bench` has measured, for readers: report.py build/bench.json [--readme].

Writes docs/PERFORMANCE.md and the pictures in docs/plots; with --readme also the table between the marks
in README.md. Numbers come from the file alone, so a document never has one that was not measured.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import re
import sys

import plots
from backends import OURS
from compare import figure
from peers import COLUMNS, cell, outcome
from peers import row as cells

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

DURABLE = {
    'power': 'there after a power cut',
    'crash': 'there after a kill; after a power cut an earlier state, unharmed',
    'kill': 'there after a kill; a power cut may do damage',
    'server': 'there until the server ends',
    'process': 'there until the process ends',
}
PICTURE = """<picture>
  <source media="(prefers-color-scheme: dark)" srcset="%(folder)s/%(name)s-dark.svg">
  <img alt="%(alt)s" src="%(folder)s/%(name)s-light.svg">
</picture>
"""
ALT = {
    'percentiles': 'Median and 99th percentile of get and set, for each cache',
    'processes': 'Operations a second by number of processes',
    'keys': 'Microseconds a call by number of keys',
}


def picture(name, folder):
    return PICTURE % {'name': name, 'folder': folder, 'alt': ALT[name]}


def table(head, rows, column='---:|'):
    lines = ['| ' + ' | '.join(head) + ' |', '|' + '---|' + column * (len(head) - 1)]
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |' for row in rows])


def machine(report):
    system = report['system']
    return ('%(processor)s, %(cores)d cores, Linux %(kernel)s, SQLite %(sqlite)s, Python %(python)s, '
            'load %(load).1f when it began; commit %(commit)s' % system) + ', `%s`.' % report['command']  # fmt: skip


def measured(report):
    return {name: peer for name, peer in report['peers'].items() if 'missing' not in peer}


def peers_table(report):
    rows = [[peer['title'], *cells(peer)] for peer in measured(report).values()]
    return table(['', *(heading for heading, *_ in COLUMNS)], rows)


def promises_table(report):
    rows = [
        [peer['title'], str(peer.get('version', '')), DURABLE[peer['durability']], *outcome(peer)]
        for peer in measured(report).values()
    ]
    return table(['', 'version', 'a write that has returned is', 'others see it at once',
                  'after kill -9'], rows, '---|')  # fmt: skip


def winners(report, mine):
    """For each column, who is ahead of this library as it is used from Python, `mine`."""
    peers, lines = measured(report), []
    if mine not in peers:
        return 'Not measured.'
    for heading, mode, row, what, _ in COLUMNS:
        ours = cell(peers[mine], mode, row, what)
        better = []
        for name, peer in peers.items():
            value = cell(peer, mode, row, what)
            if name in (*OURS, 'c') or not value or not ours:
                continue
            times = value / ours if row == 'rate' else ours / value
            if times > 1.05:
                better.append((times, peer['title']))
        if better:
            named = ', '.join('%s (%.1f times)' % (title, times) for times, title in sorted(better)[::-1])
            lines.append('- %s: %s' % (heading, named))
    return '\n'.join(lines)


def ratios(report, part):
    rows = []
    for row in report['rows']:
        if row.get('part') != part:
            continue
        if isinstance(row['theirs'], dict):
            name = row['row'] + ('' if row['of'] == 'median' else ', ' + row['of'])
            theirs, ours = figure(row['theirs'][row['of']]), figure(row['ours'][row['of']])
        else:
            name, theirs, ours = row['row'], '%d' % row['theirs'], '%d' % row['ours']
        rows.append([name, theirs, ours, '%.1f' % row['ratio'], str(row.get('target') or '')])
    return table(['', '5.6.3', 'here', 'times', 'target'], rows)


def missing(report):
    lines = []
    for peer in report['peers'].values():
        if 'missing' in peer:
            lines.append('- %s could not be had: %s' % (peer['title'], peer['missing']))
            continue
        for mode, found in peer.items():
            why = found.get('none', 'has none') if isinstance(found, dict) else 'has none'
            if why.startswith(('failed', 'not done', 'its process')):
                lines.append('- %s, %s: %s' % (peer['title'], mode, why))
    return '\n'.join(lines) or 'Nothing.'


def saturation(report):
    rows = [
        [row['row'], '%.0f' % row['write'] if row['write'] else '', '%.0f' % row['get'] if row['get'] else '',
         '%.0f' % row['ours'] if row['write'] else '', str(row['target'] or ''), '%d' % row['rate']]
        for row in report['rows'] if row.get('part') == 'saturation'
    ]  # fmt: skip
    head = ['', 'write', 'get', 'a write but for the processor', 'target of that', 'operations a second']
    return table(head, rows) if rows else 'Not measured.'


def performance(report):
    parts = [row['part'] for row in report['rows'] if 'theirs' in row]  # else: not beside 5.6.3
    text = """# Performance

%(machine)s

Made by `bench/report.py` from what `make bench` has measured: do not edit. A time is in microseconds where nothing
else is said, and contains one reading of the clock, some 0.05 µs.

## Beside other caches

From Python, each with its defaults (the first row: from C). The workload of the first eight columns is 90 %% get, 9 %% set,
1 %% delete over 100 keys by one process and by eight, then values of 100 kB; "lock" is from release in one process
to acquire in another that waits; "cold" is import, open and a get in a new process; the last two columns are bytes on disk
for each of 10,000 items of 100 bytes, and the memory that they took.

%(percentiles)s
%(peers)s

What a write is worth differs, and so the columns above are not all of one kind:

%(promises)s

%(processes)s
%(keys)s
### Who is ahead of us

With its defaults:

%(winners_memtable)s

Without the memtable:

%(winners)s

What they do otherwise: lmdb, dbm.gnu and rocksdict look bytes up in memory of the process or in a mapped file, and know no
types, expiry, sizes or eviction; dbm.gnu and rocksdict have the file to themselves, and rocksdict compresses. A
value of 100 kB is a file of its own here, made and renamed for each set; memcached, redis and lmdb copy it into memory
or pages that are there. What a kill or a power cut leaves is in the table above.

### What could not be measured

%(missing)s
""" % {
        'machine': machine(report), 'peers': peers_table(report), 'promises': promises_table(report),
        'winners': winners(report, 'ours'),
        'winners_memtable': winners(report, 'memtable'), 'missing': missing(report),
        **{name: picture(name, 'plots') for name in plots.PICTURES},
    }  # fmt: skip
    text += """
## The longest call while eight processes do nothing but call, in milliseconds

A get takes no lock: what it waits for is a processor, and so does a write. Of the writes therefore also the longest
without the time for which its process could have run, and another did. Of no calls at all, the longest time
between two looks at the clock.

%s
""" % saturation(report)
    for part in dict.fromkeys(parts):
        text += '\n## Beside 5.6.3: %s\n\n%s\n' % (report['parts'].get(part, part), ratios(report, part))
    return text


# Of the README: who is shown, and which columns.
SHORT = ('ours', 'memtable', '5.6.3', 'sciqlop', 'rust', 'lmdb-fast', 'lmdb-safe', 'sqlitedict', 'rocksdict', 'gdbm',
         'pylibmc', 'redis', 'django-file')  # fmt: skip
SHORT_COLUMNS = (0, 2, 6, 8, 11)


def readme_block(report):
    peers = measured(report)
    rows = []
    for name in SHORT:
        if name in peers:
            every = cells(peers[name])
            rows.append([peers[name]['title'], *(every[n] for n in SHORT_COLUMNS), peers[name]['durability']])
    head = ['µs', 'get', 'set', '8 processes, 1000/s', 'set 100 kB', 'lock hand-over', 'survives']
    return '%s\n%s\n\n%s\n' % (picture('percentiles', 'docs/plots'), table(head, rows), machine(report))


def main():
    with open(sys.argv[1]) as reader:
        report = json.load(reader)
    plots.draw(report, os.path.join(ROOT, 'docs/plots'))
    with open(os.path.join(ROOT, 'docs/PERFORMANCE.md'), 'w') as writer:
        writer.write(performance(report))
    if '--readme' in sys.argv:
        path = os.path.join(ROOT, 'README.md')
        with open(path) as reader:
            text = reader.read()
        text, count = re.subn(r'(<!-- measured -->\n).*?(<!-- end -->)',
                              lambda marks: marks[1] + readme_block(report) + marks[2], text, flags=re.S)  # fmt: skip
        if count != 1:
            sys.exit('README.md has no marks')
        with open(path, 'w') as writer:
            writer.write(text)


if __name__ == '__main__':
    main()
