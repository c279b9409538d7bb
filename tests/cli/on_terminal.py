"""Run a command on a terminal of its own: on_terminal.py ROWS COLUMNS [TEXT KEYS]... -- COMMAND...

Each time TEXT has appeared, KEYS are typed. Prints what the command has written (the escape character as ^[), its
exit status, and whether the terminal is as it was before.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def main():
    rows, columns = map(int, sys.argv[1:3])
    cut = sys.argv.index('--')
    steps = list(zip(sys.argv[3:cut:2], sys.argv[4:cut:2]))
    # The other end stays open here, so that the terminal can be looked at when the command has ended.
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(slave, number)
        os.closerange(3, 100)
        os.execvp(sys.argv[cut + 1], sys.argv[cut + 1:])
    output, seen, status, give_up = '', 0, None, time.monotonic() + 30
    while status is None or select.select([master], [], [], 0)[0]:
        if time.monotonic() > give_up:
            os.kill(pid, 9)
        if select.select([master], [], [], 0.02)[0]:
            output += os.read(master, 65536).decode(errors='replace')
        if steps and steps[0][0] in output[seen:]:
            seen = output.index(steps[0][0], seen) + len(steps[0][0])
            os.write(master, steps.pop(0)[1].encode())
        if status is None:
            done, how = os.waitpid(pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(how) if done else None
    print(output.replace('\r\n', '\n').replace('\033', '^['))
    print('exit status %d, the terminal is %s' % (
        status, 'as before' if termios.tcgetattr(slave) == before else 'changed'))  # fmt: skip


main()
