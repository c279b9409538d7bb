"""Directories and connections where "x" is never a string (SQLITE_DBCONFIG_DQS_* off).

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import ctypes.util
import os
import subprocess
import tempfile

from diskcache import Cache

from peer import directory, ours, query, word

DQS_DML, DQS_DDL = 1013, 1014
HERE = os.path.dirname(os.path.abspath(__file__))


def execute_with_dqs_off(path, statements):
    """Run SQL on a directory through such a connection; None, or the text of the error."""
    lib = ctypes.CDLL(ctypes.util.find_library('sqlite3') or 'libsqlite3.so.0')
    lib.sqlite3_errmsg.restype = ctypes.c_char_p
    db, zero = ctypes.c_void_p(), ctypes.c_int(0)
    name = os.path.join(path, 'cache.db').encode()
    try:
        if lib.sqlite3_open(name, ctypes.byref(db)):
            return 'open failed'
        for option in (DQS_DML, DQS_DDL):
            lib.sqlite3_db_config(db, ctypes.c_int(option), zero, ctypes.c_void_p())
        for sql in statements:
            if lib.sqlite3_exec(db, sql.encode(), None, None, None):
                return lib.sqlite3_errmsg(db).decode()
        return None
    finally:
        lib.sqlite3_close(db)


STATEMENTS = [
    "INSERT INTO Cache(key, raw, size, mode, value) VALUES ('dqs', 1, 0, 1, 'v')",
    "UPDATE Cache SET value = 'w' WHERE key = 'dqs'",
    "DELETE FROM Cache WHERE key = 'dqs'",
    "INSERT INTO Cache(key, raw, size, mode, value) VALUES ('dqs', 1, 0, 1, 'v')",
]


def make_shim(folder):
    shim = os.path.join(folder, 'dqs_off.so')
    source = os.path.join(HERE, 'dqs_off.c')
    subprocess.run(
        [os.environ.get('CC', 'cc'), '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', shim, source,
         '-lsqlite3'], check=True)  # fmt: skip
    return shim


def ours_under_dqs_off(check, shim):
    """A directory of 5.6.3 and one of ours, used by a driver whose SQLite has DQS off."""
    env = {'LD_PRELOAD': shim, 'ASAN_OPTIONS': 'verify_asan_link_order=0'}
    for maker in ('5.6.3', 'us'):
        with directory() as path:
            if maker == '5.6.3':
                with Cache(path, tag_index=True) as cache:
                    cache['old'], cache['file'] = 'theirs', b'x' * 40000
            else:
                with ours(path, env=env) as driver:
                    driver('set', word('old'), word('theirs'))
                    driver('set', word('file'), word(b'x' * 40000))
            with ours(path, env=env, eviction_policy='least-recently-used') as driver:
                driver('set', word('new'), word('ours'))
                driver('set', word('old'), word('changed'))
                driver('incr', word('n'), 'i1')
                driver('push', 'q', 1, word(b'q' * 40000))
                driver('delete', word('file'))
                driver('begin')
                driver('set', word('more'), word('x'))
                driver('commit')
                check.equal(driver('check', 1)[0], '0', 'check(fix), directory by %s' % maker)
                driver('clear')
                driver('set', word('last'), 'i1')
            rows = query(path, "SELECT key, value FROM Settings WHERE key IN ('count', 'size')")
            check.equal(dict(rows), {'count': 1, 'size': 0}, 'counters, directory by %s' % maker)


def run(check, shim):
    check.begin('double-quoted strings switched off')
    with directory() as path:
        Cache(path).close()
        error = execute_with_dqs_off(path, STATEMENTS)
        check(error and 'no such column' in error, 'the simulation shows the trouble', error)
    with directory() as path:
        with ours(path):
            pass
        triggers = query(path, "SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        check.equal(len(triggers), 5, 'five triggers')
        check(not any('"' in sql for (sql,) in triggers), 'ours are single-quoted', triggers)
        error = execute_with_dqs_off(path, STATEMENTS)
        check(error is None, 'our directory is writable for such a connection', error)
        rows = query(path, "SELECT value FROM Settings WHERE key = 'count'")
        check.equal(rows, [(1,)], 'and our triggers count')
    with tempfile.TemporaryDirectory(prefix='interop-') as folder:
        ours_under_dqs_off(check, os.path.abspath(shim) if shim else make_shim(folder))
