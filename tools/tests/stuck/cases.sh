# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What stuck says of machines that are made up; sourced by run.sh. A FILE.text
# is such a machine, FILE.events what the module remembers of it.

# shellcheck disable=SC2154 # of run.sh
fix=$build/san/fix
[ -x "$fix" ] || fix=$build/fix

# It waits most of the time, so it runs beside the others.
mkdir -p "$tmp/top"
python3 -IS "$here/stuck/top.py" "$tool" "$tmp/top" > "$tmp/top.out" 2>&1 &
top_pid=$!

for text in "$here"/stuck/*.text; do
	name=$(basename "$text" .text) recording=
	if [ -e "$here/stuck/$name.events" ]; then
		recording=$tmp/$name.rec
		"$build/mkrec" "$here/stuck/$name.events" "$recording" || exit 1
	fi
	COLUMNS=90 "$fix" "$text" "$tmp/$name.world" $recording > "$tmp/stuck.$name" 2>&1
	[ "${UPDATE:-0}" = 0 ] || cp "$tmp/stuck.$name" "$here/stuck/$name.want"
	same "stuck: $name" "$here/stuck/$name.want" "$tmp/stuck.$name"
done

# A rule without an example or without a word in the manual is none.
"$fix" --rules > "$tmp/rules"
while read -r rule; do
	grep -qh "\"rule\":\"$rule\"" "$tmp"/stuck.* || echo "$rule: no example"
	grep -q "^\.B $rule$" "$here/../man/tcptrail-stuck.8" ||
		echo "$rule: not in tcptrail-stuck.8"
done < "$tmp/rules" > "$tmp/missing"
[ -s "$tmp/rules" ] && [ ! -s "$tmp/missing" ]
result $? "stuck: every rule has an example and is explained" < "$tmp/missing"

sed -n '/^{/p' "$tmp"/stuck.* |
	python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]' 2> "$tmp/json"
result $? "stuck: JSON is JSON" < "$tmp/json"

"$fix" --mutate 200 "$here/stuck/every.text" "$tmp/mutants" > "$tmp/mutants.log" 2>&1
result $? "stuck: 200 damaged inputs" < "$tmp/mutants.log"

# ---- check ----

asserted() { # STATUS EXPR [WORDS]...
	local want=$1
	shift
	"$tool" check -q "$@" > "$tmp/check" 2>&1
	[ $? = "$want" ]
	result $? "check $*: $want" < "$tmp/check"
}

asserted 0 "no SYN_SENT on :1"
asserted 0 "at most 0 CLOSE_WAIT over 1h on :1"
asserted 0 "no CLOSE_WAIT older than 5 s on :1" -- true
asserted 7 "no CLOSE_WAIT over 5s on :1" -- sh -c "exit 7"
asserted 127 "no CLOSE_WAIT over 5s on :1" -- ./no-such-command
asserted 2 "no CLOSE_WEIGHT on :1"
asserted 2 "at most x SYN_SENT"
asserted 2 "no SYN_SENT over ever"

python3 - 2> "$tmp/check" <<PY
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
for status, expr in ((3, "no LISTEN on :%d"), (0, "at most 1 LISTEN on :%d"),
                     (3, "no LISTEN on :%d over 1ns")):
    got = subprocess.run(["$tool", "check", "-q", expr % port], stdout=sys.stderr).returncode
    if got != status:
        sys.exit("%s: %d" % (expr, got))
PY
result $? "check: sockets of this machine" < "$tmp/check"

asserted 3 "at most 0 LISTEN" -- sh -c "exit 7"
asserted 0 --within 1ms "no SYN_SENT on :1"
asserted 7 --within 1ms "no SYN_SENT on :1" -- sh -c "exit 7"
asserted 3 --within 1ms "at most 0 LISTEN" -- sh -c "exit 7"

# ---- stat ----

promtool=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}/programs/promtool
[ -x "$promtool" ] || promtool=$(command -v promtool)
metrics() { # NAME [WORDS]...
	local name=$1
	shift
	if [ -z "$promtool" ]; then
		result 0 "stat --prom: $name # SKIP no promtool, see scripts/deps.sh" < /dev/null
		return
	fi
	"$tool" stat -q --prom "$@" > "$tmp/prom"
	"$promtool" check metrics < "$tmp/prom" > "$tmp/lint" 2>&1 &&
		[ ! -s "$tmp/lint" ] && grep -q '^tcptrail_sockets{state="LISTEN"} ' "$tmp/prom"
	result $? "stat --prom: $name" < "$tmp/lint"
}

metrics "a recording" -i "$tmp/pair.rec"
grep -q '^tcptrail_state_seconds{state="TIME_WAIT",quantile="0.5"} 60' "$tmp/prom"
result $? "stat --prom: quantiles in seconds" < "$tmp/prom"
metrics "an empty recording" -i "$tmp/notrail.rec"
metrics "this machine"

# ---- every verb and option is in the manual ----

"$tool" -h > "$tmp/help"
sed -n '/^Options of a verb/q; s/^  \([a-z]*\) .*/\1/p' "$tmp/help" > "$tmp/verbs"
while read -r verb; do
	"$tool" "$verb" -h | sed -n 's/^  ...* --\([a-z0-9-]*\).*/--\1/p'
done < "$tmp/verbs" | sort -u > "$tmp/options"
manual=$(sed 's/\\f.//g; s/\\//g' "$here"/../man/*.8)
for word in $(cat "$tmp/verbs" "$tmp/options"); do
	grep -qw -- "$word" <<< "$manual" || echo "$word: not in the manual"
done > "$tmp/missing"
[ "$(wc -l < "$tmp/verbs")" -ge 9 ] && [ "$(wc -l < "$tmp/options")" -ge 20 ] && [ ! -s "$tmp/missing" ]
result $? "every verb and option is in the manual" < "$tmp/missing"

# ---- top ----

if command -v tmux > /dev/null; then
	wait $top_pid
	while read -r line; do
		case $line in
		"ok - "*) pass "${line#ok - }" ;;
		"not ok - "*) result 1 "${line#not ok - }" < "$tmp/top.out" ;;
		"# "*) ;;
		*) result 1 "top: $line" < "$tmp/top.out" ;;
		esac
	done < "$tmp/top.out"
	[ "$(grep -c '^ok - ' "$tmp/top.out")" -ge 20 ]
	result $? "top: all was tried" < "$tmp/top.out"
else
	pass "top: # SKIP no tmux, see scripts/deps.sh"
fi
