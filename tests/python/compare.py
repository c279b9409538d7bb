"""What a call came to, and what lies in a directory, in a form in which two packages compare.

SPDX-License-Identifier: Apache-2.0
"""

import io
import json
import pickle
import sqlite3
import time
import zlib
from contextlib import closing, contextmanager
from pathlib import Path


def plain(value):
    """`value` with its types written out: 1, 1.0 and True differ here, and NaN is equal to itself."""
    kind = type(value).__name__
    if isinstance(value, (tuple, list)):
        return (kind, [plain(item) for item in value])
    if isinstance(value, dict):
        return (kind, [(plain(key), plain(item)) for key, item in value.items()])
    if isinstance(value, (set, frozenset)):
        return (kind, sorted((plain(item) for item in value), key=repr))
    if hasattr(value, 'read'):
        with value:
            return ('file', value.read())
    if isinstance(value, float):
        return (kind, repr(value))
    if isinstance(value, (str, bytes, int, type(None))):
        return (kind, value)
    return (kind, repr(value))


def outcome(function, *args, **kwargs):
    """What `function` returns, or the kind of exception it raises (the texts are not compared)."""
    try:
        return ('returns', plain(function(*args, **kwargs)))
    except Exception as error:
        return ('raises', type(error).__name__)


class Reader(io.BytesIO):
    """A stream that two packages can each be given one of."""


def _unpickled(data):
    return plain(pickle.loads(data))


def _from_json(data):
    return plain(json.loads(zlib.decompress(data)))


def connected(directory):
    """A connection that neither package knows of, to be in their way."""
    return closing(sqlite3.connect(str(Path(directory) / 'cache.db'), timeout=0))


def query(directory, sql, *args):
    """Rows of the database, read past both packages."""
    uri = 'file:%s?mode=ro' % (Path(directory) / 'cache.db')
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return connection.execute(sql, args).fetchall()


def within_50_ms(condition):
    """Whether it comes true in the time in which 5.6.3 and the sqlite3 shell see what was written; with
    some more, since the machine may be busy."""
    end = time.monotonic() + 5
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


COLUMNS = (
    'key', 'raw', 'store_time', 'expire_time', 'access_time',
    'access_count', 'tag', 'size', 'mode', 'filename', 'value',
)  # fmt: skip


def rows(directory, json_disk=False):
    """The rows of table Cache in their order; files are read, pickles loaded."""
    result = []
    for row in query(directory, 'SELECT %s FROM Cache ORDER BY rowid' % ', '.join(COLUMNS)):
        row = dict(zip(COLUMNS, row))
        if row['filename'] is not None:
            row['value'] = (Path(directory) / row['filename']).read_bytes()
            row['filename'] = 'file'
        row['key'] = _from_json(row['key']) if json_disk else plain(row['key'])
        if not row['raw']:
            row['key'] = _unpickled(row['key'][1])
        if row['mode'] == 4:
            row['value'] = _unpickled(row['value'])
        else:
            row['value'] = plain(row['value'])
        result.append(row)
    return result


def settings(directory):
    return dict(query(directory, 'SELECT key, value FROM Settings'))


def files(directory):
    """Names of the value files and of whatever else is in the directory, but for SQLite's."""
    return sorted(
        str(path.relative_to(directory))
        for path in Path(directory).rglob('*')
        if path.is_file() and not path.name.startswith('cache.db')
    )


@contextmanager
def nothing():
    """A context that does nothing, in place of one that a package does not need."""
    yield
