#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs a command without its output; prints its seconds and peak KiB."""
import resource
import subprocess
import sys

status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL, check=False).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
if status not in (0, 3, 4):
    sys.exit(f"{sys.argv[1]} ended with status {status}")
print(f"{usage.ru_utime + usage.ru_stime:.3f} {usage.ru_maxrss}")
