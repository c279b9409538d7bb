"""The attack of CVE-2025-69872: whoever can write to the directory plants a pickle that runs code.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import pickle
import sqlite3

RAN = []


def run(text):
    RAN.append(text)


class Code:
    """An object whose pickle calls run() when it is loaded."""

    def __init__(self, text):
        self.text = text

    def __reduce__(self):
        return run, (self.text,)


PICKLE = pickle.dumps(Code('planted'), protocol=4)

# Where a pickle may lie, of a row that is there under the key 'k': columns to change.
PLACES = {
    'value': {'mode': 4, 'value': PICKLE, 'filename': None},
    'file': {'mode': 4, 'value': None, 'filename': 'aa/bb/planted.val', 'size': len(PICKLE)},
    'key': {'key': PICKLE, 'raw': 0},
    'bytes': {'mode': 1, 'value': PICKLE, 'filename': None},
}


def plant(directory, place):
    """As another process would: by SQL and files."""
    (directory / 'aa/bb').mkdir(parents=True, exist_ok=True)
    (directory / 'aa/bb/planted.val').write_bytes(PICKLE)
    columns = PLACES[place]
    sets = ', '.join('%s = ?' % name for name in columns)
    with contextlib.closing(sqlite3.connect(directory / 'cache.db')) as con, con:
        con.execute('UPDATE Cache SET ' + sets, list(columns.values()))
    con.close()


def read_everything(cache):
    """Each way in which a value or key gets to the program; what they raise."""
    raised = []
    ways = [
        lambda: cache.get('k'),
        lambda: cache['k'],
        lambda: cache.get_many(['k']),
        lambda: list(cache),
        lambda: list(cache.items()),
        lambda: cache.peekitem(),
        lambda: cache.get('k', read=True),
        lambda: cache.read('k'),
        lambda: cache.pop('k'),
    ]
    for way in ways:
        try:
            way()
        except Exception as error:
            raised.append(type(error))
    return raised
