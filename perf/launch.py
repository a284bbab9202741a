"""Runs a command and tells what it took: python3 -I -S perf/launch.py FD COMMAND…

A process of its own, with few modules: the kernel counts the memory that a process has when it becomes another program as that
program's, so whoever starts it should be small. common.run reads from FD: wall, user and system time in seconds, peak in KiB,
minor page faults, exit code.
"""

import os
import sys
import time


def main():
    told = int(sys.argv[1])
    os.set_inheritable(told, False)
    started = time.perf_counter()
    child = os.fork()  # and not posix_spawn, which shares memory with this process until the command begins
    if child == 0:
        try:
            os.execvp(sys.argv[2], sys.argv[2:])
        except OSError as error:
            os.write(2, f"{sys.argv[2]}: {error.strerror}\n".encode())
            os._exit(127)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    os.write(told, f"{wall} {usage.ru_utime} {usage.ru_stime} {usage.ru_maxrss} {usage.ru_minflt} {code}".encode())


main()
