# SPDX-License-Identifier: GPL-2.0
# bash completion for tcptrail(8)

# Socket cookies of what is there now, if it may be read.
_tcptrail_ids() {
	"$1" show -H -O -q 2>/dev/null | grep -o 'sk:[0-9a-f]*'
}

_tcptrail() {
	local cur prev verbs states words options
	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD-1]}
	verbs="show events record report doctor"
	states="established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait
		close close-wait last-ack listen closing all connected
		synchronized bucket big"
	words="state exclude sport dport src dst dev fwmark cgroup pid comm
		netns and or not"
	options="--input --output --follow --last --since --json --pretty
		--no-header --oneline --wide --extended --color --time --ipv4
		--ipv6 --lport --rport --pid --comm --netns --id --state --over
		--no-pair --ascii --quiet --verbose --version --help"

	# The colon of sk:1a splits words.
	if [[ $cur == : && $prev == sk ]] ||
	   [[ $prev == : && ${COMP_WORDS[COMP_CWORD-2]} == sk ]]; then
		cur=${cur#:}
		mapfile -t COMPREPLY < <(compgen -W "$(_tcptrail_ids "$1" |
			sed 's/^sk://')" -- "$cur")
		return
	fi

	case $prev in
	-i|--input|-o|--output)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	state|exclude|--state)
		mapfile -t COMPREPLY < <(compgen -W "$states" -- "$cur")
		return ;;
	--time)
		mapfile -t COMPREPLY < <(compgen -W "wall rel mono delta" -- "$cur")
		return ;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur")
		return ;;
	--id)
		mapfile -t COMPREPLY < <(compgen -W "$(_tcptrail_ids "$1")" -- "$cur")
		return ;;
	netns|--netns)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur")
		return ;;
	--)
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		return ;;
	esac

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs $words $(_tcptrail_ids "$1")" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$words $(_tcptrail_ids "$1")" -- "$cur")
	fi
}

complete -o default -F _tcptrail tcptrail
