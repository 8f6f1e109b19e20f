# SPDX-License-Identifier: GPL-2.0
# bash completion for tcptrail(8)
#
# Verbs, their options and the socket IDs are asked of the tool, so they are
# those of the version that is installed.

# Usage: _tcptrail_verbs TOOL
_tcptrail_verbs() {
	"$1" --help 2>/dev/null | sed -n '/^Options of/q; s/^  \([a-z][a-z]*\) .*/\1/p'
}

# Usage: _tcptrail_options TOOL VERB, the long and the short ones
_tcptrail_options() {
	"$1" "$2" --help 2>/dev/null |
		sed -n 's/^  \(-.,\|   \) \(--[a-z0-9-]*\).*/\1 \2/p' | tr -d ','
}

# Usage: _tcptrail_takes TOOL VERB: what stands for words in its usage line
_tcptrail_takes() {
	"$1" "$2" --help 2>/dev/null | sed -n '1p'
}

# Usage: _tcptrail_ids TOOL [RECORDING]: socket cookies of what is there now, if
# it may be read, or of a recording
_tcptrail_ids() {
	"$1" show --no-header --oneline --quiet --no-pair ${2:+--input "$2"} \
		2>/dev/null < /dev/null | grep -o 'sk:[0-9a-f]*' | sort -u
}

_tcptrail_reply() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_tcptrail() {
	local tool=$1 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local states words verbs verb='' input='' i list
	states="established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait
		close close-wait last-ack listen closing all connected
		synchronized bucket big"
	words="state exclude sport dport src dst dev fwmark cgroup pid comm
		netns and or not"
	COMPREPLY=()

	# What has been typed so far.
	verbs=$(_tcptrail_verbs "$tool")
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return ;;
		-i|--input)
			input=${COMP_WORDS[i+1]}
			[ "$input" != = ] || input=${COMP_WORDS[i+2]} ;;
		[a-z]*)
			[ -n "$verb" ] || ! grep -qx -e "${COMP_WORDS[i]}" <<< "$verbs" ||
				verb=${COMP_WORDS[i]} ;;
		esac
	done

	# The colon of sk:1a and the equals sign of --time=rel split words.
	if [[ $cur == : && $prev == sk ]] ||
	   [[ $prev == : && ${COMP_WORDS[COMP_CWORD-2]} == sk ]]; then
		list=$(_tcptrail_ids "$tool" "$input")
		_tcptrail_reply "${list//sk:/}" "${cur#:}"
		return
	fi
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi

	case $prev in
	-i|--input|-o|--output|--svg|--png|--pdf|--html|--chrome|--mermaid)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	state|exclude|--state)
		_tcptrail_reply "$states" "$cur"
		return ;;
	--time)
		_tcptrail_reply "wall rel mono delta" "$cur"
		return ;;
	--color)
		_tcptrail_reply "auto always never" "$cur"
		return ;;
	--id)
		_tcptrail_reply "$(_tcptrail_ids "$tool" "$input")" "$cur"
		return ;;
	netns|--netns)
		_tcptrail_reply "$(ls /run/netns 2>/dev/null)" "$cur"
		return ;;
	esac

	if [[ $cur == -* ]]; then
		_tcptrail_reply "$(_tcptrail_options "$tool" "${verb:-show}")" "$cur"
		return
	fi
	[ -n "$verb" ] || list=$verbs
	case $(_tcptrail_takes "$tool" "${verb:-show}") in
	*FILTER*) list="$list $words $(_tcptrail_ids "$tool" "$input")" ;;
	esac
	_tcptrail_reply "$list" "$cur"
}

complete -o default -F _tcptrail tcptrail
