"""The peers: how each is opened and used, in the form that its own documentation shows.

Each is imported only when it is asked for. After open(), get, set and delete are the peer's own methods where
its keys and values allow that, so that no frame of ours is measured. What a peer has no form of (a queue, a
lock, memoize) is left None.

Durability, as far as it can be known from settings and documentation (what a kill leaves is measured):

    power   a write that has returned is there after a power cut
    crash   it is there after the process is killed; after a power cut, an unharmed earlier state
    kill    it is there after the process is killed; after a power cut it may be damaged
    server  it is there until the server ends
    process it is there until the process ends

SPDX-License-Identifier: Apache-2.0
"""

import os
import shutil


class Backend:
    title = durability = None
    package = None  # for importlib.metadata; the version is of what is measured
    server = None  # of servers.py
    alone = None  # why only one process can use it
    memoize = queue = lock = set_many = None

    def open(self, folder, address):
        raise NotImplementedError

    def close(self):
        pass

    def wipe(self, folder, address):
        shutil.rmtree(folder, ignore_errors=True)

    def key(self, n):
        return 'key-%d' % n


class Family(Backend):
    """diskcache and what has its interface."""

    durability = 'crash'
    module = 'diskcache'
    settings = {}

    def open(self, folder, address):
        self.lib = __import__(self.module)
        self.cache = cache = self.lib.Cache(folder, **self.settings)
        self.get, self.set, self.delete = cache.get, cache.set, cache.delete
        self.close = cache.close

    def set_many(self, pairs):
        with self.cache.transact():
            for key, value in pairs:
                self.cache.set(key, value)

    def memoize(self, function):
        return self.cache.memoize()(function)

    def queue(self):
        return self.cache.push, self.cache.pull

    def lock(self):
        return self.lib.Lock(self.cache, 'lock')


class Ours(Family):
    title, package = 'diskcache 6, no memtable', 'diskcache'
    settings = {'memtable_size': 0}


class Memtable(Ours):
    title, settings = 'diskcache 6', {}


class Original(Family):
    title, package = 'diskcache 5.6.3', 'diskcache'


class Community(Family):
    title = package = 'diskcache-community'
    module = 'diskcache_community'


class Rust(Family):
    title = package = 'diskcache-rs'
    module, queue = 'diskcache_rs', None

    def set_many(self, pairs):
        for key, value in pairs:
            self.cache.set(key, value)


class Sciqlop(Family):
    title = package = 'pysciqlop-cache'
    module, queue = 'pysciqlop_cache', None


class LmdbFast(Backend):
    title, package, durability = 'lmdb, sync=False', 'lmdb', 'kill'
    sync = False

    def open(self, folder, address):
        import lmdb

        os.makedirs(folder, exist_ok=True)
        self.env = env = lmdb.open(folder, map_size=4 << 30, sync=self.sync)
        begin = env.begin

        def get(key):
            with begin() as txn:
                return txn.get(key)

        def set(key, value):
            with begin(write=True) as txn:
                txn.put(key, value)

        def delete(key):
            with begin(write=True) as txn:
                txn.delete(key)

        self.get, self.set, self.delete, self.close = get, set, delete, env.close

    def set_many(self, pairs):
        with self.env.begin(write=True) as txn:
            for key, value in pairs:
                txn.put(key, value)

    def key(self, n):
        return b'key-%d' % n


class LmdbSafe(LmdbFast):
    title, sync, durability = 'lmdb, sync=True', True, 'power'


class SqliteDict(Backend):
    title = package = 'sqlitedict'
    durability = 'process'  # a write is handed to a thread, and is stored some time after it has returned

    def open(self, folder, address):
        from sqlitedict import SqliteDict

        os.makedirs(folder, exist_ok=True)
        self.db = db = SqliteDict(os.path.join(folder, 'db'), autocommit=True)
        self.get, self.set, self.close = db.get, db.__setitem__, db.close

    def delete(self, key):
        self.db.pop(key, None)

    def set_many(self, pairs):
        self.db.update(pairs)


class Rocks(Backend):
    title = package = 'rocksdict'
    durability, alone = 'crash', 'the database belongs to one process'

    def open(self, folder, address):
        from rocksdict import Rdict

        self.db = db = Rdict(folder)
        self.get, self.set, self.delete, self.close = db.get, db.put, db.delete, db.close


class Gdbm(Backend):
    title, durability = 'dbm.gnu', 'kill'
    alone = 'the file belongs to one writer'

    def open(self, folder, address):
        import dbm.gnu

        os.makedirs(folder, exist_ok=True)
        self.db = db = dbm.gnu.open(os.path.join(folder, 'db'), 'c')
        self.get, self.set, self.close = db.get, db.__setitem__, db.close

    def delete(self, key):
        if key in self.db:
            del self.db[key]

    def key(self, n):
        return b'key-%d' % n


class Pylibmc(Backend):
    title, package = 'memcached, pylibmc', 'pylibmc'
    server, durability = 'memcached', 'server'

    def open(self, folder, address):
        import pylibmc

        self.client = client = pylibmc.Client([address], binary=True, behaviors={'tcp_nodelay': True})
        self.get, self.set, self.delete = client.get, client.set, client.delete

    def set_many(self, pairs):
        self.client.set_multi(dict(pairs))

    def wipe(self, folder, address):
        import pylibmc

        pylibmc.Client([address], binary=True).flush_all()


class Pymemcache(Backend):
    title, package = 'memcached, pymemcache', 'pymemcache'
    server, durability = 'memcached', 'server'

    def open(self, folder, address):
        from pymemcache.client.base import Client

        self.client = client = Client('unix:' + address, default_noreply=False)
        self.get, self.set, self.delete, self.close = (
            client.get, client.set, client.delete, client.close)  # fmt: skip

    def set_many(self, pairs):
        self.client.set_many(dict(pairs))

    def wipe(self, folder, address):
        self.open(folder, address)
        self.client.flush_all()
        self.close()


class Redis(Backend):
    title, package = 'redis', 'redis'
    server, durability = 'redis', 'server'

    def open(self, folder, address):
        import redis

        self.client = client = redis.Redis(unix_socket_path=address)
        self.get, self.set, self.delete, self.close = (
            client.get, client.set, client.delete, client.close)  # fmt: skip

    def set_many(self, pairs):
        self.client.mset(dict(pairs))

    def queue(self):
        return (lambda value: self.client.lpush('queue', value)), (lambda: self.client.rpop('queue'))

    def lock(self):
        return self.client.lock('lock')

    def wipe(self, folder, address):
        self.open(folder, address)
        self.client.flushall()
        self.close()


class Django(Backend):
    """Through Django's cache framework, as a view has it."""

    package = 'django'
    backend = None

    def open(self, folder, address):
        import django
        from django.conf import settings
        from django.core.cache import caches

        if not settings.configured:
            settings.configure(CACHES={'default': {
                'BACKEND': self.backend, 'LOCATION': folder,
                'OPTIONS': {} if 'diskcache' in self.backend else {'MAX_ENTRIES': 1 << 30},
            }})  # fmt: skip
            django.setup()
        self.cache = cache = caches['default']
        self.get, self.set, self.delete, self.close = (
            cache.get, cache.set, cache.delete, cache.close)  # fmt: skip

    def set_many(self, pairs):
        self.cache.set_many(dict(pairs))


class Locmem(Django):
    title, durability = 'Django locmem', 'process'
    backend, alone = 'django.core.cache.backends.locmem.LocMemCache', 'each process has its own'


class FileBased(Django):
    title, durability = 'Django file-based', 'kill'
    backend = 'django.core.cache.backends.filebased.FileBasedCache'


class DjangoOurs(Django):
    title, durability, package = 'DjangoCache of 6', 'crash', 'diskcache'
    backend = 'diskcache.DjangoCache'

    def open(self, folder, address):
        super().open(folder, address)
        self.close = self.cache._cache.close  # its own leaves the shards open for the next request


class DjangoOriginal(DjangoOurs):
    title = 'DjangoCache of 5.6.3'


# By name, in the order of the table.
BACKENDS = {
    'ours': Ours, 'memtable': Memtable, '5.6.3': Original, 'community': Community, 'rust': Rust, 'sciqlop': Sciqlop,
    'lmdb-fast': LmdbFast, 'lmdb-safe': LmdbSafe, 'sqlitedict': SqliteDict, 'rocksdict': Rocks,
    'gdbm': Gdbm, 'pylibmc': Pylibmc, 'pymemcache': Pymemcache, 'redis': Redis,
    'django-ours': DjangoOurs, 'django-5.6.3': DjangoOriginal, 'django-locmem': Locmem,
    'django-file': FileBased,
}  # fmt: skip
OURS = ('ours', 'memtable', 'django-ours')  # by the Python that has this package
