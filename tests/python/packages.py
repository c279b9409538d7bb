"""The two packages side by side: ours, and 5.6.3 under another name in the same process.

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORACLE_NAME = 'diskcache563'


def _oracle_directory():
    """Where 5.6.3 lies: its own environment, whose Python need not be ours (it is pure Python)."""
    python = (
        os.environ.get('DISKCACHE_ORACLE')
        or subprocess.run(
            [str(ROOT / 'scripts/oracle.sh')], check=True, capture_output=True, text=True
        ).stdout.strip()
    )
    os.environ['DISKCACHE_ORACLE'] = python  # for child processes
    (directory,) = Path(python).parents[1].glob('lib/python3*/site-packages/diskcache')
    return directory


def _load(name, directory):
    spec = importlib.util.spec_from_file_location(
        name, directory / '__init__.py', submodule_search_locations=[str(directory)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


oracle = _load(ORACLE_NAME, _oracle_directory())
assert oracle.__version__ == '5.6.3'
if os.environ.get('DISKCACHE_OURS') == 'oracle':  # do the tests say what 5.6.3 does?
    ours = _load('diskcache', _oracle_directory())
else:
    ours = importlib.import_module('diskcache')


def is_ours(package):
    return package is ours and ours.__version__ != '5.6.3'


def memtable(package):
    """The setting with which the comparisons are made once more: see scripts/check.sh."""
    size = os.environ.get('TEST_MEMTABLE')
    return {'memtable_size': int(size)} if size and is_ours(package) else {}


def expect(package, result, wanted, seen):
    """`wanted` is what ours does, `seen` what 5.6.3 was seen to do."""
    assert result == (wanted if is_ours(package) else seen)


def child_environment():
    """For a Python of its own that imports this module."""
    return dict(os.environ, PYTHONPATH=str(Path(__file__).parent))


def run(program, *arguments, options=()):
    """Run a program text in a process of its own; what it printed."""
    result = subprocess.run(
        [sys.executable, *options, '-c', program, *map(str, arguments)],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (result.returncode, result.stderr[-500:]) == (0, '')
    return result.stdout.strip()


class Clock:
    """The wall clock of this process, which clock.c lets us stop."""

    def __init__(self):
        try:
            self._stand_still = ctypes.CDLL(None).clock_stand_still
        except AttributeError:
            raise RuntimeError('run the tests with scripts/test_python.sh: clock.c is missing') from None
        self._stand_still.argtypes = [ctypes.c_double]
        self._stand_still.restype = None
        self.now = None

    def stop(self, now=1_700_000_000.0):
        self.now = now
        self._stand_still(now)

    def advance(self, seconds):
        self.stop(self.now + seconds)

    def run(self):
        self.now = None
        self._stand_still(0.0)
