#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What "make bench" runs in the virtual machine: one table per call. Prints
# one line of words per figure; report.py makes tables of them.
#
# usage: guest.sh TABLE LOAD_PROGRAM FOLLOW_PROGRAM MODULE TOOL
#
# shellcheck disable=SC2086,SC2046,SC2015 # lists of words; "or continue"
set -u

table=$1 load=$2 follow=$3 ko=$4 tool=$5
rounds=${BENCH_ROUNDS:-5}
tracing=/sys/kernel/tracing
event=sock/inet_sock_set_state
work=/tmp/bench
mkdir -p $work
mountpoint -q $tracing || mount -t tracefs tracefs $tracing
modprobe -q tun

say() { echo "$table" "$@"; }
have() { command -v "$1" > /dev/null; }

# wanted PEER: is it installed, and not left out by BENCH_PEERS?
wanted() {
	case " ${BENCH_PEERS:-$1} " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
	case $1 in
	bcc-*)    have "${1#bcc-}-bpfcc" ;;
	libbpf-*) have "${1#libbpf-}" ;;
	*)        have "$1" ;;
	esac
}

# ---- peers: start, count what they have recorded, stop ----

# Headers where bcc looks for them.
bcc_headers() {
	local own release common

	release=$(uname -r)
	own=$(readlink -f "/lib/modules/$release")
	[ -L "/lib/modules/$release" ] || return 0
	common=$(echo "$TCPTRAIL_CACHE/kernels/own/usr/src/linux-headers-"*-common)
	rm "/lib/modules/$release"
	mkdir "/lib/modules/$release"
	ln -s "$own"/* "/lib/modules/$release/"
	ln -sfn "$TCPTRAIL_CACHE/kernels/own/build" "/lib/modules/$release/build"
	ln -sfn "$common" "/lib/modules/$release/source"
}

one_liner='tracepoint:sock:inet_sock_set_state /args->protocol == 6/ {
	printf("%d %s %s:%d %s:%d %d>%d\n", pid, comm, ntop(args->saddr),
		args->sport, ntop(args->daddr), args->dport,
		args->oldstate, args->newstate); }'

# printer PROGRAM...: one that prints a line per event after a heading; waits
# until it does. Where the clock counts instructions it stands still in real
# terms while a program waits for its files, so reading a file is the way to
# wait for it; compiling a BPF program can take minutes.
printer() {
	: > $work/lines
	"$@" > $work/lines 2> $work/errors &
	peer=$!
	for _ in $(seq 5000); do
		[ "$(wc -l < $work/lines)" -le 1 ] || break
		kill -0 $peer 2> /dev/null || break
		"$load" -n 5 -s rst
		dd if="$(command -v python3)" of=/dev/null bs=1M count=2 2> /dev/null
	done
	if [ "$(wc -l < $work/lines)" -le 1 ]; then
		echo "$1 recorded nothing:" >&2
		tail -n 5 $work/errors >&2
		kill $peer 2> /dev/null
		return 1
	fi
	sleep 1
}

printer_stop() {
	kill -INT $peer
	wait $peer
} 2> /dev/null

ftrace_events() {
	awk '/^entries|^overrun:/ { n += $2 } END { print n + 0 }' \
		$tracing/per_cpu/cpu*/stats
}

peer_start() {
	case $1 in
	nothing)   ;;
	tcptrail*) insmod "$ko" $(echo "$1" | cut -s -d, -f2- | tr , ' ') ;;
	ftrace)    echo 1 > $tracing/events/$event/enable ;;
	perf)      have perf ;;
	bpftrace)  have bpftrace && printer bpftrace -B line -e "$one_liner" ;;
	bcc-*)     have "${1#bcc-}-bpfcc" && bcc_headers &&
		   printer python3 -u "$(command -v "${1#bcc-}-bpfcc")" ;;
	libbpf-tcpstates) have tcpstates && printer tcpstates ;;
	esac
}

peer_stop() {
	case $1 in
	nothing | perf) ;;
	tcptrail*) rmmod tcptrail ;;
	ftrace)    echo 0 > $tracing/events/$event/enable ;;
	*)         printer_stop ;;
	esac
}

# peer_count PEER: events so far
peer_count() {
	case $1 in
	ftrace)  ftrace_events ;;
	perf)    sed -n 's/.*(\([0-9]*\) samples).*/\1/p' $work/perf.errors ;;
	nothing) echo 0 ;;
	*)       wc -l < $work/lines ;;
	esac
}

# ---- one figure ----

# records PEER LOAD BEFORE: "TRANSITIONS RECORDS" per connection, of which it
# had BEFORE. A transition is a record that tells of a change of state;
# accept(), a reset sent, a SYN+ACK sent again and the END are none.
records() {
	local count=1000
	[ "$2" != syn ] || count=400
	case $1 in
	tcptrail*) "$load" -n 200 -c "$2" | awk '{ print $1, $1 + $2 + $3 + $4 }' ;;
	*) awk "BEGIN { n = ($(peer_count "$1") - $3) / (($rounds + 1) * $count)
		print n, n }" ;;
	esac
}

# cost PEER LOAD...: LOAD PEER MEDIAN LEAST MOST TRANSITIONS RECORDS, for each
cost() {
	local peer_name=$1 kind before figures
	shift
	if ! peer_start "$peer_name"; then
		for kind; do say "$kind" "$peer_name" missing; done
		return
	fi
	for kind; do
		before=$(peer_count "$peer_name")
		if [ "$peer_name" = perf ]; then
			before=0
			figures=$(perf record -a -e sock:inet_sock_set_state \
				-o $work/perf.data -- "$load" -r "$rounds" "$kind" \
				2> $work/perf.errors | grep -v '^\[')
		else
			figures=$("$load" -r "$rounds" "$kind")
		fi
		say "$kind" "$peer_name" $figures $(records "$peer_name" "$kind" "$before")
	done
	peer_stop "$peer_name"
}

# ---- tables ----

loads=${BENCH_LOADS:-rst fin syn}

# With trails off, with only the tracepoints (all function hooks off), with both
parts="tcptrail-no-trails,max_trails=0
	tcptrail-tracepoints,hooks_off=0x7fffe
	tcptrail-ring,max_trails=0,hooks_off=0x7fffe"

table_cost() {
	local peer_name
	for peer_name in ${BENCH_PEERS:-nothing tcptrail $parts ftrace perf \
			libbpf-tcpstates}; do
		cost "$peer_name" $loads
	done
}

# Those that are compiled when they start, which takes minutes here
table_bpf() {
	local peer_name
	for peer_name in ${BENCH_PEERS:-nothing tcptrail ftrace bpftrace \
			bcc-tcpstates bcc-tcplife}; do
		cost "$peer_name" $loads
	done
}

table_scale() {
	local open readers n
	for open in 100 10000 100000; do
		for peer_name in nothing tcptrail; do
			peer_start $peer_name
			say open $open $peer_name $("$load" -r 3 -o $open rst)
			peer_stop $peer_name
		done
	done
	insmod "$ko"
	for readers in 0 1 4 16; do
		say sleepers $readers tcptrail $("$load" -r "$rounds" -R $readers rst)
	done
	for readers in 1 4 16; do
		pids=
		for n in $(seq $readers); do
			"$follow" > $work/follow.$n &
			pids="$pids $!"
		done
		sleep 1
		say followers $readers tcptrail $("$load" -r "$rounds" rst)
		kill -INT $pids
		wait $pids
	done 2> /dev/null
	rmmod tcptrail
}

# storm PEER: connections, records that should be there, records lost
table_storm() {
	local n=${BENCH_STORM:-20000} want=$((6 * ${BENCH_STORM:-20000})) got
	insmod "$ko"
	"$follow" > $work/follow &
	peer=$!
	sleep 1
	"$load" -s -n $n rst
	sleep 2
	kill -INT $peer
	wait $peer
	read -r got lost < $work/follow
	rmmod tcptrail
	say tcptrail $n $((got + lost)) $lost 1024

	echo 1024 > $tracing/buffer_size_kb
	echo > $tracing/trace
	cat $tracing/trace_pipe > $work/lines &
	peer=$!
	sleep 1
	echo 1 > $tracing/events/$event/enable
	"$load" -s -n $n rst
	sleep 2
	echo 0 > $tracing/events/$event/enable
	kill $peer
	wait $peer 2> /dev/null
	got=$(grep -c 'inet_sock_set_state: .*protocol=IPPROTO_TCP' $work/lines)
	say ftrace $n $want $((want - got > 0 ? want - got : 0)) 1024

	if have perf; then
		perf record -a -m 256 -e sock:inet_sock_set_state -o $work/perf.data \
			-- "$load" -s -n $n rst > /dev/null 2> $work/perf.errors
		got=$(peer_count perf)
		say perf $n $want $((want - got > 0 ? want - got : 0)) 1024
	fi
	for peer_name in bpftrace libbpf-tcpstates bcc-tcpstates; do
		wanted $peer_name &&
			BPFTRACE_PERF_RB_PAGES=256 peer_start $peer_name || continue
		before=$(peer_count $peer_name)
		"$load" -s -n $n rst
		sleep 5
		printer_stop
		got=$(($(peer_count $peer_name) - before))
		say $peer_name $n $want $((want - got > 0 ? want - got : 0)) \
			$([ $peer_name = bpftrace ] && echo 1024 || echo own)
	done
}

table_latency() {
	insmod "$ko"
	if [ -x "$tool" ]; then
		say tcptrail $("$load" -l "$tool events -f")
	fi
	say device $("$load" -l "$follow -l")
	rmmod tcptrail
	echo 1 > $tracing/events/$event/enable
	say ftrace $("$load" -l "cat $tracing/trace_pipe")
	echo 0 > $tracing/events/$event/enable
	wanted bpftrace && say bpftrace $("$load" -l "bpftrace -B line -e '$one_liner'")
	wanted libbpf-tcpstates && say libbpf-tcpstates $("$load" -l "stdbuf -oL tcpstates")
	wanted bcc-tcpstates && bcc_headers &&
		say bcc-tcpstates $("$load" -l "python3 -u $(command -v tcpstates-bpfcc)")
}

# Bytes: of maps and buffers that process $1 has locked or mapped, its memory
process_bytes() {
	cat /proc/"$1"/fdinfo/* 2> /dev/null |
		awk '$1 == "memlock:" { n += $2 } END { printf "%d ", n }'
	awk '$1 == "VmPin:" { p = $2 } $1 == "VmLck:" { l = $2 }
		$1 == "VmRSS:" { r = $2 }
		END { printf "%d %d\n", (p + l) * 1024, r * 1024 }' /proc/"$1"/status
}

table_memory() {
	insmod "$ko"
	say tcptrail text-and-data "$(cat /sys/module/tcptrail/coresize)"
	awk '/ring_cpu_prepare/ { n += $2 } END { print "memory tcptrail rings", n }' \
		/proc/vmallocinfo
	awk '/\[tcptrail\]/ && !/ring_cpu/ { n += $2 } END { print "memory tcptrail table", n + 0 }' \
		/proc/vmallocinfo
	awk '$1 ~ /tcptrail|^trail/ { print "memory tcptrail connection", $4 }' /proc/slabinfo
	rmmod tcptrail
	echo 1 > $tracing/events/$event/enable
	say ftrace buffer $(($(sed 's/.*expanded: \([0-9]*\).*/\1/' \
		$tracing/buffer_size_kb) * 1024))
	echo 0 > $tracing/events/$event/enable
	for peer_name in bpftrace libbpf-tcpstates bcc-tcpstates bcc-tcplife; do
		wanted $peer_name && peer_start $peer_name || continue
		say $peer_name process $(process_bytes $peer)
		printer_stop
	done
}

# Recordings of the same connections, for the speed of their readers
table_record() {
	local n=${BENCH_RECORD:-100000}
	insmod "$ko"
	"$tool" record -o $work/trail -- "$load" -s -n $n rst 2> "$BENCH_OUT/trail.said"
	rmmod tcptrail
	cp $work/trail "$BENCH_OUT/"
	if have trace-cmd; then
		trace-cmd record -q -o $work/trace.dat -b 65536 -e sock:inet_sock_set_state \
			"$load" -s -n $n rst > /dev/null 2>&1
		cp $work/trace.dat "$BENCH_OUT/"
	fi
	if have perf; then
		perf record -q -a -m 8192 -e sock:inet_sock_set_state -o $work/perf.data \
			-- "$load" -s -n $n rst > /dev/null 2>&1
		cp $work/perf.data "$BENCH_OUT/"
	fi
}

# What "tcptrail stuck" takes on a full machine, without the module and with it
table_stuck() {
	local size=${BENCH_STUCK:-100000 5000} name
	ulimit -n 20000
	ulimit -u unlimited
	modprobe tcp_diag
	cp "$tool" $work/tcptrail
	for name in no-module module; do
		[ $name = no-module ] || insmod "$ko" max_trails=262144
		say $name $("${load%load}stuck" $size $work/tcptrail)
		# Until the last of these sockets is forgotten
		sleep 130
	done
	rmmod tcptrail
}

# Wall time on CPUs that really run side by side
table_smp() {
	for peer_name in nothing tcptrail ftrace; do
		peer_start $peer_name
		say "$(nproc)" $peer_name $("$load" -w "$(nproc)" -n 5000)
		peer_stop $peer_name
	done
}

"table_$table"
