#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the tool: no device, no root, seconds. TAP on standard output.
#
# usage: run.sh [BUILD]     (default: ../../build/tools)
#
#   UPDATE=1   write the expected outputs anew; read the difference before you
#              keep it
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build/tools}" && pwd)
tool=$build/tcptrail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

export LC_ALL=C.UTF-8 TZ=UTC
unset COLUMNS NO_COLOR

n=0 failed=0

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=$((failed + 1))
		echo "not ok $n - $2"
		sed 's/^/# /'
	fi </dev/stdin
}

pass() { result 0 "$1" </dev/null; }

same() { # NAME WANT GOT
	if diff -u "$2" "$3" > "$tmp/diff"; then
		pass "$1"
	else
		result 1 "$1" < <(head -n 40 "$tmp/diff")
	fi
}

# ---- recordings and what is said about them ----

for text in "$here"/*.events; do
	name=$(basename "$text" .events)
	"$build/mkrec" "$text" "$tmp/$name.rec" || exit 1
	sed -n 's/^# run: //p' "$text" | tr ',' '\n' | sed 's/^ *//' > "$tmp/runs"
	while read -r args; do
		echo "\$ tcptrail $args"
		# shellcheck disable=SC2086 # a list of words
		"$tool" $args -i "$tmp/$name.rec" 2> "$tmp/stderr"
		status=$?
		sed "s|$tmp/||; s/^/stderr: /" "$tmp/stderr"
		[ $status = 0 ] || echo "status: $status"
		echo
	done < "$tmp/runs" | sed "s|$tmp/||" > "$tmp/$name.got"
	[ "${UPDATE:-0}" = 0 ] || cp "$tmp/$name.got" "$here/$name.want"
	same "$name" "$here/$name.want" "$tmp/$name.got"
done

# ---- facts that no expected output may get wrong ----

"$tool" -j -i "$tmp/pair.rec" > "$tmp/pair.json"
if python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]' < "$tmp/pair.json"; then
	pass "every line of -j is JSON"
else
	result 1 "every line of -j is JSON" < "$tmp/pair.json"
fi

if grep -n ' $' "$tmp"/*.got | grep -v 'got:[0-9]*:\$ ' > "$tmp/blanks"; then
	result 1 "no blanks at the end of lines" < "$tmp/blanks"
else
	pass "no blanks at the end of lines"
fi

# All widths, and all that is said at each; ladders, too.
for args in pair ipv6 resets hole "pair events" "ipv6 events" "pair sk:3" "ipv6 sk:85" "hole sk:41" \
	    "simultaneous sk:61" "halfopen sk:22"; do
	# shellcheck disable=SC2086 # name and cookie
	set -- $args
	"$here/widths.py" "$tool" "$tmp/$1.rec" ${2:+"$2"} > "$tmp/widths" 2>&1
	result $? "any width: $args" < "$tmp/widths"
done

"$tool" -c=always -i "$tmp/pair.rec" > "$tmp/color"
NO_COLOR=1 "$tool" -c=auto -i "$tmp/pair.rec" > "$tmp/nocolor"
sed 's/\x1b\[[0-9]*m//g' "$tmp/color" | diff - "$tmp/nocolor" > "$tmp/diff"
result $? "colour is never the only carrier" < "$tmp/diff"

"$tool" -tanp -i "$tmp/pair.rec" > "$tmp/tanp"
same "-tanp is accepted as in ss" "$tmp/nocolor" "$tmp/tanp"

"$tool" -i - < "$tmp/pair.rec" > "$tmp/stdin"
same "a recording from standard input" "$tmp/nocolor" "$tmp/stdin"

"$tool" -i "$tmp/pair.rec" events 2>&1 | head -n 1 > /dev/null
[ "${PIPESTATUS[0]}" = 0 ] || [ "${PIPESTATUS[0]}" = 141 ]
result $? "a closed pipe ends it quietly" </dev/null

# ---- refusals: the status, one sentence, nothing else ----

refuse() { # STATUS SENTENCE-PART ARGUMENTS...
	local want=$1 part=$2 status problem=
	shift 2
	"$tool" "$@" > "$tmp/stdout" 2> "$tmp/stderr" < /dev/null
	status=$?
	[ $status = "$want" ] || problem="status $status, not $want"
	[ "$(wc -l < "$tmp/stderr")" = 1 ] || problem="$problem; not one line"
	[ ! -s "$tmp/stdout" ] || problem="$problem; output"
	grep -qF -- "$part" "$tmp/stderr" || problem="$problem; not \"$part\""
	if [ -z "$problem" ]; then
		pass "refused: ${*//$tmp\//}"
	else
		result 1 "refused: ${*//$tmp\//}" < <(echo "$problem"; cat "$tmp/stderr")
	fi
}

# shellcheck source=refusals.sh
. "$here/refusals.sh"
. "$here/completion.sh"

# ---- the filter ----

while IFS='	' read -r expr want; do
	case $expr in ''|\#*) continue ;; esac
	# shellcheck disable=SC2086 # words, as a shell would cut them
	got=$(set -f; "$tool" -j -i "$tmp/filter.rec" $expr 2> "$tmp/stderr" |
		sed -n 's/.*"id":"sk:\([0-9a-f]*\)","cookie.*/\1/p' | sort | tr '\n' ' ')
	[ ! -s "$tmp/stderr" ] || got="error: $(cat "$tmp/stderr")"
	if [ "${got% }" = "$want" ]; then
		pass "filter: $expr"
	else
		result 1 "filter: $expr" < <(echo "want: $want"; echo "got:  $got")
	fi
done < "$here/filter.table"

# ---- of a recording, only what is shown is kept, and that is all ----

"${build%/san}/stream" record 30000 > "$tmp/many.rec"
"$tool" show -qj -i "$tmp/many.rec" > "$tmp/many.json"
"$tool" show -qj -i "$tmp/many.rec" sport = :1033 > "$tmp/some" # all are known by 1033
grep -F '"local":{"addr":"127.0.0.1","port":1033}' "$tmp/many.json" > "$tmp/want"
grep -v '"summary"' "$tmp/some" | diff "$tmp/want" - > "$tmp/diff" && [ -s "$tmp/want" ]
result $? "filtered early, paired all the same" < "$tmp/diff"
for last in 1 7 2500; do
	"$tool" show -qj --last $last -i "$tmp/many.rec" | grep -v '"summary"' > "$tmp/some"
	grep -v '"summary"' "$tmp/many.json" | tail -n $last | diff - "$tmp/some" > "$tmp/diff"
	result $? "the last $last of many" < "$tmp/diff"
done
"$tool" events -qj -i "$tmp/many.rec" | grep -F '"port":1033}' > "$tmp/want"
"$tool" events -qj -i "$tmp/many.rec" '(' sport = :1033 or dport = :1033 ')' |
	grep -v '"type":"lost"' | diff "$tmp/want" - > "$tmp/diff" && [ -s "$tmp/want" ]
result $? "events filtered early" < "$tmp/diff"

# ---- damaged recordings, with sanitizers if they were built ----

chop=$build/san/chop
[ -x "$chop" ] || chop=$build/chop
for name in "lost 1" "unknown 5" "pair 13"; do
	# shellcheck disable=SC2086 # name and stride
	set -- $name
	name=$1
	"$chop" "$tmp/$name.rec" "$2" > "$tmp/chop" 2>&1
	result $? "damaged: $name, $(tail -n 1 "$tmp/chop")" < "$tmp/chop"
done

# ---- what fuzzers have found worth keeping; fuzz/fuzz.sh looks for more ----

for name in recording words machine; do
	fuzz=$build/san/fuzz-$name
	[ -x "$fuzz" ] || fuzz=$build/fuzz-$name
	"$fuzz" "$here/fuzz/corpus/$name" > "$tmp/fuzz" 2> "$tmp/fuzz.errors"
	result $? "fuzz: $name, $(tail -n 1 "$tmp/fuzz")" < <(tail -n 20 "$tmp/fuzz.errors")
done

# ---- stuck, check, stat ----

# shellcheck source=stuck/cases.sh
. "$here/stuck/cases.sh"

# ---- pictures ----

# shellcheck source=pictures/cases.sh
. "$here/pictures/cases.sh"

echo "1..$n"
[ $failed = 0 ]
