#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the machine: runs tests with one module after the other; defects.sh judges.
#
# usage: guest.sh RESULTS COPIES "NAME<tab>TEST..."...
#
# RESULTS/NAME gets what the tests said, NAME.kernel what the kernel said
# meanwhile, NAME.done is there when the machine survived.
set -u

results=$1 copies=$2
shift 2
. selftests/env.sh
export TT_PATIENCE=10
# Here complaints are expected, and more is to come.
echo 0 > /proc/sys/kernel/panic_on_warn
lines=0

for entry; do
	name=${entry%%$'\t'*}
	export TCPTRAIL_KO=$copies/$name/tcptrail.ko
	for test in ${entry#*$'\t'}; do
		timeout -k 10 900 "build/selftests/$test" >> "$results/$name" 2>&1
	done
	[ ! -d /sys/module/tcptrail ] || rmmod tcptrail
	# A connection, for a hook that is still there.
	python3 -IS -c 'import socket as s; l = s.create_server(("127.0.0.1", 0)); s.create_connection(l.getsockname()).close()'
	dmesg | tail -n +$((lines + 1)) > "$results/$name.kernel"
	lines=$(dmesg | wc -l)
	echo survived > "$results/$name.done"
	echo "$name is through"
done
