"""Runs one command and writes its seconds, CPU seconds, peak KiB and exit code to a descriptor.

It stands between the benchmark and the measured command because Linux hands the peak of the
process that forks on to the one that is started: a large parent would set a floor under every
figure. This one imports nothing beyond the built-in modules, so its floor is under 10 MB.
Used by `measure.measure_command`: python -I -S launch.py DESCRIPTOR COMMAND [ARGUMENT...]
"""

import os
import signal
import sys
import time


def main() -> int:
    report = int(sys.argv[1])
    command = sys.argv[2:]
    os.set_inheritable(report, False)
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.kill(pid, signal.SIGTERM))
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - started
    returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    os.write(report, f"{seconds} {cpu_seconds} {usage.ru_maxrss} {returncode}".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
