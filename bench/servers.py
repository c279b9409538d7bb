"""memcached and redis, started for a benchmark on a Unix socket of their own, and stopped with it.

SPDX-License-Identifier: Apache-2.0
"""

import os
import shutil
import subprocess
import time

# Room for the largest workload; nothing is written to a disk.
COMMANDS = {
    'memcached': ['memcached', '-u', 'root', '-m', '2048', '-I', '64m', '-t', '2', '-s', '{socket}'],
    'redis': ['redis-server', '--port', '0', '--unixsocket', '{socket}', '--save', '',
              '--appendonly', 'no', '--dir', '{folder}'],
}  # fmt: skip
PROGRAMS = {'memcached': 'memcached', 'redis': 'redis-server'}


class Servers:
    def __init__(self, folder):
        self.folder, self.running = folder, {}

    def address(self, name):
        """The socket of a server, which is started if need be. None: it is not installed."""
        if name not in self.running:
            if shutil.which(PROGRAMS[name]) is None:
                return None
            socket = os.path.join(self.folder, name + '.socket')
            command = [word.format(socket=socket, folder=self.folder) for word in COMMANDS[name]]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.running[name] = process, socket
            give_up = time.monotonic() + 10
            while not os.path.exists(socket):
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError('%s does not start' % PROGRAMS[name])
                time.sleep(0.02)
        return self.running[name][1]

    def pid(self, name):
        return self.running[name][0].pid

    def version(self, name):
        text = subprocess.run([PROGRAMS[name], '--version'], capture_output=True, text=True).stdout
        return text.split('v=')[1].split()[0] if 'v=' in text else text.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process, _ in self.running.values():
            process.terminate()
        for process, _ in self.running.values():
            process.wait()
