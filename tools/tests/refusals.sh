# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# What is refused, and how. Sourced by run.sh.

rec=$tmp/pair.rec

refuse 2 'neither a verb nor a filter word' bogus
refuse 2 'neither a verb nor a filter word' sho
refuse 2 'unknown option --bogus' --bogus
refuse 2 'unknown option -Z' -Z
refuse 2 'unknown option -Z' show -jZ
refuse 2 'wants a value' show -i
refuse 2 'wants a value' show --last
refuse 2 'takes no value' show --json=1
refuse 2 'record does not take the option --follow' record -f -o x
refuse 2 'show does not take the option --follow' show -f
refuse 2 'is no number' events --last x
refuse 2 'is no number' show --pid -1
refuse 2 'is no duration' show --since yesterday
refuse 2 'is no duration' show --over -5s
refuse 2 'is no duration' show --over 99999999999999999d
refuse 2 'is none of' events --time=noon
refuse 2 'is none of' show --color=sometimes
refuse 2 'no such state: "ESTABLISHD"' show --state ESTABLISHD
refuse 2 'no such state: "foo"' show state foo
refuse 2 'a state is missing' show state
refuse 2 'a port is missing' show sport =
refuse 2 'wants a port' show sport = 65536
refuse 2 'wants a port' show sport = nosuchservice
refuse 2 'wants an address' show dst 300.1.1.1
refuse 2 'wants an address' show dst 10.0.0.0/33
refuse 2 'wants an address' show dst '[::1'
refuse 2 'wants an address' show dst ::1/129
refuse 2 'wants an address' show dst 1.2.3.4.5
refuse 2 'can only be compared' show dst '>' 10.0.0.1
refuse 2 'wants a process id' show pid x
refuse 2 'no network namespace' show netns nosuchns
refuse 2 'is no socket cookie' show sk:xyz
refuse 2 'is no socket cookie' show sk:
refuse 2 'is no socket cookie' show sk:0
refuse 2 'is no socket cookie' show --id 1g
refuse 2 'is missing at the end' show '(' sport = 80
refuse 2 'was not expected here' show sport = 80 ')'
refuse 2 'is missing at the end' show sport = 80 and
refuse 2 'is missing at the end' show not
refuse 2 'nested too deeply' show "$(printf '%0.s(' {1..200})"
refuse 2 'wants a file' record
refuse 2 'wants a recording' report
refuse 2 'doctor takes no' doctor sport = 80

refuse 1 'No such file' show -i "$tmp/nosuch"
refuse 1 'directory' show -i "$tmp"
refuse 1 'no connection sk:99 is known' show sk:99 -i "$rec"

: > "$tmp/empty"
refuse 1 'not a tcptrail recording' show -i "$tmp/empty"
echo hello, this is not a recording > "$tmp/text"
refuse 1 'not a tcptrail recording' show -i "$tmp/text"
refuse 1 'not a tcptrail recording' events -i /bin/sh
head -c 100 "$rec" > "$tmp/head"
refuse 1 'truncated: it ends in its head' show -i "$tmp/head"
head -c -4 "$rec" > "$tmp/tail"
refuse 1 'truncated: it ends in a record' events -j -i "$tmp/tail"
head -c -100 "$rec" > "$tmp/tail"
refuse 1 'truncated: it ends in a record' show -i "$tmp/tail"
for abi in 0 2; do
	echo "info abi=$abi" > "$tmp/abi.events"
	"$build/mkrec" "$tmp/abi.events" "$tmp/abi$abi.rec"
done
refuse 1 'corrupt' show -i "$tmp/abi0.rec"
refuse 1 'newer ABI 2' show -i "$tmp/abi2.rec"
for size in 0 7 16 25; do
	echo "raw type=1 bytes=$size" > "$tmp/size.events"
	"$build/mkrec" "$tmp/size.events" "$tmp/size$size.rec"
	refuse 1 'is corrupt: the record at byte' show -i "$tmp/size$size.rec"
done

if [ ! -e /dev/tcptrail ]; then
	refuse 1 'not loaded: try "sudo modprobe tcptrail"' show
	refuse 1 'not loaded' events -f
	refuse 1 'not loaded' record -o "$tmp/never"
	refuse 125 'not loaded' record -o "$tmp/never" -- true
	refuse 1 'not loaded' doctor
fi
