# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What stuck says of machines that are made up; sourced by run.sh. A FILE.text
# is such a machine, FILE.events what the module remembers of it.

# shellcheck disable=SC2154 # of run.sh
fix=$build/san/fix
[ -x "$fix" ] || fix=$build/fix

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

"$tool" stat --prom -i "$tmp/pair.rec" > "$tmp/prom"
python3 - "$tmp/prom" 2> "$tmp/check" <<'PY'
import re, sys
typed = {}
for line in open(sys.argv[1]):
    line = line.rstrip("\n")
    if line.startswith("# TYPE"):
        _, _, name, kind = line.split()
        assert name not in typed, line
        typed[name] = kind
        assert (kind == "counter") == name.endswith("_total"), line
    elif line.startswith("# HELP"):
        assert line.endswith("."), line
    else:
        m = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+', line)
        assert m, line
        name = re.sub("_(sum|count)$", "", m[1])
        assert name in typed, line
        assert ("quantile=" not in line) or typed[name] == "summary", line
PY
result $? "stat --prom: text format" < "$tmp/check"
