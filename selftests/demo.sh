#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What "make demo" shows. Runs as root in a virtual machine: two hosts, made of
# network namespaces with 20 ms between them, and four connections.
#
#      client 10.0.0.1 ----- veth ----- 10.0.0.2 server
#                                       192.0.2.1 (an address that never answers)
set -eu

cd "$(dirname "$0")/.."
. selftests/env.sh

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}

run() {
	printf '\033[1m$ %s\033[0m\n' "$*"
	"$@"
}

insmod "$TCPTRAIL_KO"
ip netns add client
ip netns add server
ip link add cl netns client type veth peer name sv netns server
ip -n client addr add 10.0.0.1/24 dev cl
ip -n server addr add 10.0.0.2/24 dev sv
ip -n client link set cl up
ip -n server link set sv up
ip -n client link set lo up
ip -n server link set lo up
ip netns exec client tc qdisc add dev cl root netem delay 10ms
ip netns exec server tc qdisc add dev sv root netem delay 10ms
# Answers to 192.0.2.1 go nowhere.
ip -n server route add 192.0.2.0/24 via 10.0.0.9 dev sv
ip -n server neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev sv

say "A web server that works, one that never closes, a stale SYN, a refused connection."
fifo=$(mktemp -u)
mkfifo "$fifo"
python3 selftests/demo.py > "$fifo" &
demo=$!
read -r stuck < "$fifo"

say "Every connection since the module was loaded, with what it went through:"
run tcptrail show not state listen
say "The one that is stuck, in full:"
run tcptrail show "$stuck"
kill $demo
wait $demo 2> /dev/null || :
rmmod tcptrail
