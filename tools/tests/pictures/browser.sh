#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The pages of export --html in a real browser, and its Mermaid diagrams drawn
# by Mermaid. TAP on standard output. Not a part of "make check", since the
# browser is 300 MB: "make check-pictures".
#
# usage: browser.sh BUILD
#
#   CHROMIUM=PROGRAM
#   MERMAID=FILE     mermaid.min.js (else npm gets it, if there is npm)
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
tool=$build/tcptrail
chromium=${CHROMIUM:-$(command -v chromium)}
cache=${TCPTRAIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tcptrail}
mermaid=${MERMAID:-$cache/mermaid/node_modules/mermaid/dist/mermaid.min.js}
. "$here/cookie.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 failed=0

if [ -z "$chromium" ]; then
	echo "1..0 # SKIP no chromium: run scripts/deps.sh pictures"
	exit 4
fi

result() { # STATUS NAME
	n=$((n + 1))
	[ "$1" = 0 ] || { failed=$((failed + 1)); printf 'not '; }
	echo "ok $n - $2"
}

# The document after its script has run. Nothing can be fetched.
open_page() { # FILE#HASH
	timeout 300 "$chromium" --headless --no-sandbox --disable-gpu \
		--user-data-dir="$tmp/profile" --host-resolver-rules='MAP * ~NOTFOUND' \
		--window-size=1300,1000 --virtual-time-budget=10000 --dump-dom \
		"file://$1" 2> "$tmp/stderr" > "$tmp/dom"
}

body() { # ATTRIBUTE: of the body
	grep -o '<body[^>]*>' "$tmp/dom" | grep -o "data-$1=\"[^\"]*\"" | cut -d'"' -f2
}

is() { # NAME GOT WANT
	[ "$2" = "$3" ]
	result $? "$1: $2$([ "$2" = "$3" ] || echo ", not $3")"
}

# A ladder is a picture within #ladder; its texts are those of -j.
ladder() { sed -n 's/.*<div id="ladder">//p' "$tmp/dom"; }

for name in pair hostile; do
	"$build/mkrec" "$here/../$name.events" "$tmp/$name.rec"
	"$tool" export --html "$tmp/$name.html" -i "$tmp/$name.rec"
done

open_page "$tmp/pair.html"
is "the page is ready" "$(body ready)" yes
is "connections" "$(body shown)" 3
is "nothing is selected" "$(body selected)" ""

open_page "$tmp/pair.html#sk:3"
is "selected by its link" "$(body selected)" sk:3
is "states in its ladder" "$(ladder | grep -o '<text[^>]*>[A-Z_0-9]* [0-9.]*[mu]\?s</text>' | wc -l)" 8
is "segments in its ladder" "$(ladder | grep -o '<path' | wc -l)" 7

open_page "$tmp/pair.html#words=curl"
is "one word" "$(body shown)" 1
open_page "$tmp/pair.html#words=nginx%20-listen"
is "one word, and another not" "$(body shown)" 1

open_page "$tmp/pair.html#words=%"
is "a lone % is a word" "$(body ready) $(body shown)" "yes 0"

open_page "$tmp/hostile.html#sk:71"
is "hostile: the page is ready" "$(body ready)" yes
is "hostile: selected" "$(body selected)" sk:71
grep -q 'connect() 5 &lt;/script&gt;&lt;b&gt;x' "$tmp/dom"
result $? "hostile: a name is text"
! grep -q '<b>x' "$tmp/dom"
result $? "hostile: and nothing else"
! grep -v www.w3.org "$tmp/hostile.html" | grep -qE '(https?:)?//[a-z]+\.'
result $? "nothing is fetched"

"$here/many.py" 10000 > "$tmp/many.events" &&
	"$build/mkrec" "$tmp/many.events" "$tmp/many.rec" &&
	"$tool" export -q --html "$tmp/many.html" -i "$tmp/many.rec"
open_page "$tmp/many.html#sk:9"
is "10,000 connections" "$(body shown)" 10000
is "a ladder among them" "$(body selected)" sk:9
drawn=$(body drawn)
[ "${drawn:-0}" -gt 5 ] && [ "$drawn" -lt 200 ]
result $? "only what is in sight is drawn: $drawn"
open_page "$tmp/many.html#words=stuck%20leaky"
stuck=$("$tool" -j -i "$tmp/many.rec" state close-wait 2> /dev/null | grep -c '"comm":"leaky"')
is "stuck ones of one server" "$(body shown)" "$stuck"

# ---- with keys and a mouse ----

# used PAGE CONNECTIONS WORD SHOWN
used() {
	local line
	while read -r line; do
		case $line in
		ok\ *)      result 0 "$1: ${line#ok }" ;;
		not\ ok\ *) result 1 "$1: ${line#not ok }" ;;
		*)          echo "$line" ;;
		esac
	done < <("$here/drive.py" "$chromium" "$tmp/$1.html" "$2" "$3" "$4" 2>&1 ||
		echo "not ok the browser could be used")
}
used pair 3 curl 1
used many 10000 leaky "$("$tool" -j -i "$tmp/many.rec" 2> /dev/null | grep -c '"comm":"leaky"')"

# ---- Mermaid ----

if [ ! -e "$mermaid" ] && command -v npm > /dev/null; then
	npm install --silent --no-audit --no-fund --prefix "$cache/mermaid" mermaid@11 > /dev/null
fi
if [ ! -e "$mermaid" ]; then
	echo "ok $((n += 1)) - diagrams # SKIP no mermaid (npm)"
else
	xz -dc "$here/scenarios.rec.xz" > "$tmp/scenarios.rec"
	{
		echo '<!DOCTYPE html><body><script src="file://'"$mermaid"'"></script>'
		while read -r recording case; do
			[ "$recording" != scenarios ] ||
				case=$(cookie_of "$here/scenarios.names" "$case")
			echo '<script type="text/plain" class="diagram">'
			"$tool" export -q --mermaid - -i "$tmp/$recording.rec" "sk:$case"
			echo '</script>'
		done <<-EOF
			pair 3
			hostile 71
			hostile 72
			hostile 74
			scenarios c row 2 teardown ipv4 veth
			scenarios c row 2 teardown ipv6 veth
			scenarios c row 5 both-open ipv4 veth
			scenarios s row 6 stale-syn ipv4 veth
		EOF
		cat <<'EOF'
<script>
(async () => {
	let drawn = 0;
	mermaid.initialize({ startOnLoad: false });
	for (const d of document.querySelectorAll(".diagram")) {
		try {
			const { svg } = await mermaid.render("d" + drawn, d.textContent);
			const messages = (svg.match(/class="messageText"/g) || []).length;
			const wanted = (d.textContent.match(/->>|-x/g) || []).length;
			if (messages === wanted)
				drawn++;
		} catch (e) {
			document.body.append(String(e));
		}
	}
	document.body.dataset.drawn = drawn;
})();
</script>
EOF
	} > "$tmp/mermaid.html"
	open_page "$tmp/mermaid.html"
	is "diagrams that Mermaid draws" "$(body drawn)" 8
fi

echo "1..$n"
[ $failed = 0 ]
