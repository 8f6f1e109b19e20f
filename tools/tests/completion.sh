# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# What the completion offers, by calling it as bash and zsh do. Sourced by run.sh.

rec=$tmp/pair.rec
completion=$here/../completion

# The completion asks the same things again and again, and a tool with sanitizers
# starts slowly: each answer is kept.
mkdir "$tmp/answers"
asked=$tmp/asked
cat > "$asked" <<EOF2
#!/bin/sh
answer="$tmp/answers/\$(echo "\$*" | tr '/ ' '_+')"
[ -e "\$answer" ] || "$tool" "\$@" > "\$answer"
cat "\$answer"
EOF2
chmod +x "$asked"

# offered WORD...: with the cursor in the last one, one offer a line, sorted
bash_offered() {
	bash --norc -c '
		. "$1"; shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
		_tcptrail "$1" "${!#}" "${COMP_WORDS[COMP_CWORD-1]}"
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$completion/tcptrail.bash" "$@" | sort -u
}

# zsh's own functions stand for themselves: they print what they are given. zsh
# wakes a child that stops, as one does that LeakSanitizer looks at: it would hang.
zsh_offered() {
	ASAN_OPTIONS=detect_leaks=0 zsh -f -c '
		_describe() { print -l -- ${${(P)4}%%:*}; }
		compadd() { [[ $1 != -- ]] || shift; print -l -- "$@"; }
		_files() { print -l -- *; }
		_command_names() { print -l -- ${(k)commands}; }
		compset() { :; }
		compdef() { :; }
		file=$1; shift
		words=("$@") CURRENT=$#
		. $file
	' zsh "$completion/_tcptrail" "$@" | sort -u
}

# offers TEXT WANTED WORD...: every line of WANTED is offered
offers() {
	local text=$1 wanted=$2 missing
	shift 2
	missing=$(comm -23 <(sort -u <<< "$wanted") <("${shell}_offered" "$asked" "$@"))
	[ -z "$wanted" ] && missing='(nothing was wanted)'
	if [ -z "$missing" ]; then
		pass "$shell completion: $text"
	else
		result 1 "$shell completion: $text" <<< "not offered: ${missing//$'\n'/ }"
	fi
}

withholds() {
	local text=$1 unwanted=$2 there
	shift 2
	there=$(comm -12 <(sort -u <<< "$unwanted") <("${shell}_offered" "$asked" "$@"))
	if [ -z "$there" ]; then
		pass "$shell completion: $text"
	else
		result 1 "$shell completion: $text" <<< "offered: ${there//$'\n'/ }"
	fi
}

# The two tables that the completion cannot ask the tool for.
all_states() {
	sed -n 's/.*\[TCPTRAIL_[A-Z0-9_]*\] = { "\([A-Z0-9_]*\)".*/\L\1/p' "$here/../state.c" |
		sed 's/_/-/; s/wait\([12]\)/wait-\1/'
	echo all; echo connected; echo synchronized; echo bucket; echo big
}
all_terms() {
	sed -n 's/.*{ "\([a-z]*\)", FILTER_.*/\1/p' "$here/../filter.c"
}

check_completion() {
	local verb verbs
	verbs=$("$asked" --help | grep -oP '^  \K[a-z]+(?= )' | grep -vx tcptrail)
	offers "verbs" "$verbs" ''
	offers "verbs, begun" report rep
	for verb in $verbs; do
		offers "options of $verb" "$("$asked" "$verb" --help |
			sed -n 's/^  \(-.\), \(--[a-z0-9-]*\).*/\1\n\2/p
				s/^      \(--[a-z0-9-]*\).*/\1/p')" "$verb" -
	done
	withholds "no option of another verb" --follow show --
	offers "states" "$(all_states)" show state ''
	offers "states of an option" "$(all_states)" show --state ''
	offers "words of a filter" "$(all_terms)" show ''
	offers "socket IDs of a recording" \
		"$("$asked" show -HOq -i "$rec" | grep -o 'sk:[0-9a-f]*' | sort -u)" \
		show -i "$rec" ''
	withholds "no other socket IDs" "$("$asked" show -HOq -i "$rec" |
		grep -o 'sk:[0-9a-f]*' | sort -u)" show -i "$tmp/closewait.rec" ''
	offers "commands behind --" true record -o x -- tru
	offers "how to tell times" "$(printf '%s\n' wall rel mono delta)" events --time ''
}

shell=bash
check_completion
offers "the rest of a socket ID" \
	"$("$asked" show -HOq -i "$rec" | grep -oP 'sk:\K[0-9a-f]+' | sort -u)" \
	show -i "$rec" sk :
if command -v zsh > /dev/null; then
	shell=zsh
	check_completion
else
	pass "zsh completion # SKIP no zsh here"
fi

# Both lists of states are words that the tool takes.
for word in $(all_states); do
	"$tool" show -q -i "$rec" state "$word" > "$tmp/got" 2>&1 ||
		result 1 "the tool knows the state $word" < "$tmp/got"
done
