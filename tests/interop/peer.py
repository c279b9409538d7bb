"""What interop.py stands on: the driver as an object, values as words, counted checks.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import math
import os
import pickle
import pickletools
import shutil
import sqlite3
import struct
import subprocess
import tempfile

# A key that is bytes and a value in a file come back as DCACHE_BYTES, and so on: the words that
# the driver prints are the whole value, type included.
RAW_INTS = range(-(2**63), 2**63)


class Failed(Exception):
    """The driver answered with an error."""

    def __init__(self, line):
        super().__init__(line)
        self.status = int(line.split()[1]) if line.startswith('err ') else None


def word(value, key=False):
    """The driver's word for a Python value, as 5.6.3 would store it. (None has a word of its own,
    but its pickle is as good.)"""
    kind = type(value)
    if kind is int and value in RAW_INTS:
        return 'i%d' % value
    if kind is float:
        return 'd' + struct.pack('>d', value).hex()
    if kind is str:
        return 't' + value.encode().hex()
    if kind is bytes:
        return 'b' + value.hex()
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return 'p' + (pickletools.optimize(data) if key else data).hex()


def unword(text):
    """A Python value from the driver's word."""
    letter, rest = text[0], text[1:]
    if letter == 'n':
        return None
    if letter == 'i':
        return int(rest)
    if letter == 'd':
        return struct.unpack('>d', bytes.fromhex(rest))[0]
    data = bytes.fromhex(rest)
    return data.decode() if letter == 't' else pickle.loads(data) if letter == 'p' else data


def tag_word(tag):
    return 'n' if tag is None else word(tag)


def same(left, right):
    """Equal, of one type, bit for bit; one NaN is as good as another."""
    if type(left) is not type(right):
        return False
    if type(left) is float:
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return struct.pack('>d', left) == struct.pack('>d', right)
    return left == right


class Driver:
    """A process of ours."""

    path = None

    def __init__(self, env=None):
        self.process = subprocess.Popen(
            [self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ, **(env or {})),
            text=True,
        )

    def send(self, *words):
        self.process.stdin.write(' '.join(map(str, words)) + '\n')
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline().rstrip('\n')
        if not line.startswith('ok'):
            raise Failed(line or 'the driver died, status %s' % self.process.wait())
        return line.split()[1:]

    def __call__(self, *words):
        self.send(*words)
        return self.receive()

    def entry(self, *words):
        """Fields of an entry by name."""
        names = 'key value tag expire kind size filename stored accessed count'.split()
        return dict(zip(names, self(*words)))

    def open(self, directory, flags=0, timeout=0, shards=None, **settings):
        words = [w for name, value in settings.items() for w in (name, tag_word(value))]
        verb = ['open'] if shards is None else ['fanout', shards]
        return self(*verb, directory, flags, timeout, *words)

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(60)
        self.process.stdout.close()
        return status


@contextlib.contextmanager
def ours(directory, env=None, **options):
    """A driver with an open directory."""
    driver = Driver(env)
    try:
        driver.open(directory, **options)
        yield driver
    finally:
        status = driver.end()
    if status != 0:
        raise Failed('the driver ended with status %s' % status)


@contextlib.contextmanager
def directory():
    """A path for a cache that does not exist yet; removed afterwards."""
    base = tempfile.mkdtemp(prefix='interop-')
    try:
        yield os.path.join(base, 'cache')
    finally:
        shutil.rmtree(base, ignore_errors=True)


def query(path, sql, *args):
    """Rows from the closed directory's database, through the sqlite3 module alone."""
    con = sqlite3.connect(os.path.join(path, 'cache.db'), isolation_level=None)
    try:
        return con.execute(sql, args).fetchall()
    finally:
        con.close()


class Checks:
    """Counts what holds and what does not."""

    passed = 0
    failed = 0
    section = ''

    def begin(self, section):
        self.section = section
        print('- ' + section, flush=True)

    def __call__(self, holds, what, detail=''):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print('  FAILED %s: %s %s' % (self.section, what, str(detail)[:400]), flush=True)
        return bool(holds)

    def equal(self, got, wanted, what):
        detail = '' if got == wanted else 'got %.150r, wanted %.150r' % (got, wanted)
        return self(got == wanted, what, detail)
