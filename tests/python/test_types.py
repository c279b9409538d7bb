"""The stubs say what the package has, and a program can be checked by them.

SPDX-License-Identifier: Apache-2.0
"""

import subprocess
import sys
from pathlib import Path

import diskcache
import pytest

HERE = Path(__file__).parent


def run(*arguments):
    done = subprocess.run(
        [sys.executable, '-m', *map(str, arguments)], capture_output=True, text=True, cwd=HERE
    )
    return done.returncode, done.stdout + done.stderr


def test_the_stubs_are_those_of_the_package():
    pytest.importorskip('django', reason='one of the stubs is on its types')
    assert run('mypy.stubtest', 'diskcache', '--concise') == (0, '')


def test_a_strict_checker_finds_the_types_of_a_program():
    code, text = run('mypy', '--strict', '--cache-dir', '/dev/null', 'typed_program.py')
    assert code == 0, text


def test_a_wrong_type_is_found(tmp_path):
    program = tmp_path / 'program.py'
    program.write_text('import diskcache\nx: int = diskcache.Index().keys()\n')
    assert run('mypy', '--strict', '--cache-dir', '/dev/null', program)[0] == 1


def test_the_package_says_that_it_is_typed():
    assert (Path(diskcache.__file__).parent / 'py.typed').is_file()
