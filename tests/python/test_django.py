"""DjangoCache in a small site (django_project), with the newest Django that this Python runs, and with 4.2.

SPDX-License-Identifier: Apache-2.0
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import packages
from differences import differs

HERE = Path(__file__).parent
DJANGO_42 = packages.ROOT / 'build/django-4.2'
RUN = """
import os, sys
sys.path[:0] = [path for path in os.environ['FIRST'].split(os.pathsep) if path]
import django
from django.core.management import execute_from_command_line
print('Django', django.get_version())
execute_from_command_line(['-', 'test', 'django_project', '-v', '1'] + sys.argv[1:])
"""


def test_close_of_a_django_cache_closes_nothing(package, tmp_path):
    pytest.importorskip('django')
    cache = package.DjangoCache(str(tmp_path), {'SHARDS': 1})
    cache.set('k', 1)
    cache.close()
    links = [os.readlink(link) for link in Path('/proc/self/fd').iterdir() if link.is_symlink()]
    still_open = any(link.startswith(str(tmp_path)) for link in links)
    assert still_open == (packages.is_ours(package) and differs('django-close'))
    assert cache.get('k') == 1


@pytest.mark.parametrize('version', ['newest', '4.2'])
def test_the_site(package, version, tmp_path):
    first = [HERE]
    more = []
    if version == '4.2':
        if sys.version_info >= (3, 13):
            pytest.skip('Django 4.2 is for Python 3.12 at most')
        assert DJANGO_42.is_dir(), 'scripts/python.sh puts it there'
        first.append(DJANGO_42)
    if not packages.is_ours(package):
        first.append(Path(package.__file__).parent.parent)
        more = ['--exclude-tag', 'threads']  # opening at once it may say 'database is locked'
    environment = dict(
        os.environ,
        FIRST=os.pathsep.join(map(str, first)),
        CACHE_DIRECTORY=str(tmp_path),
        DJANGO_SETTINGS_MODULE='django_project.settings',
        PYTHONWARNINGS='error::ResourceWarning',
    )
    done = subprocess.run(
        [sys.executable, '-c', RUN, *more], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r'Ran (\d+) tests', done.stderr)[1]) >= 20
    assert done.stdout.startswith('Django 4.2') == (version == '4.2')
