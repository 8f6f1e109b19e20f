# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# export: pictures. Sourced by run.sh. What they look like is for eyes; here is
# what can be counted.

pictures=$here/pictures
facts() { # KIND RECORDING
	python3 -B "$pictures/facts.py" "$1" "$tool" "$tmp/$2.rec" > "$tmp/facts" 2>&1
	result $? "pictures: $1 of $2, $(head -n 1 "$tmp/facts")" < "$tmp/facts"
}

# One connection of each case of the scenarios, from a real run.
if xz -dc "$pictures/scenarios.rec.xz" > "$tmp/scenarios.rec"; then
	facts numbers scenarios
	facts svg scenarios
	facts overview scenarios
	facts chrome scenarios
else
	result 1 "pictures: scenarios" < <(echo "cannot unpack scenarios.rec.xz (xz-utils)")
fi
# Rows 16 to 18: a ring that was overwritten, three readers, a late load.
rings=()
if tar -C "$tmp" -xJf "$pictures/scenarios-rings.tar.xz"; then
	rings=(row16 row17-fast row17-slow row17-late row18)
else
	result 1 "pictures: rings" < <(echo "cannot unpack scenarios-rings.tar.xz")
fi
for name in "${rings[@]}"; do
	facts numbers "$name"
	facts overview "$name"
	facts chrome "$name"
done
for name in pair simultaneous hole halfopen resets late finack ipv6 reuse redacted \
	    newsyn; do
	facts numbers $name
	facts overview $name
	facts chrome $name
done
for name in pair hole ipv6 hostile; do
	facts mermaid $name
done
for name in pair hole late; do
	facts svg $name
done
facts hostile hostile

recordings=("$tmp/scenarios.rec")
for name in "${rings[@]}"; do
	recordings+=("$tmp/$name.rec")
done
for text in "$here"/*.events; do
	recordings+=("$tmp/$(basename "$text" .events).rec")
done
"$build/overlap" "${recordings[@]}" > "$tmp/overlap" 2>&1
result $? "pictures: no text overlaps, $(tail -n 1 "$tmp/overlap")" < "$tmp/overlap"

# Which elements, which text, which order; not where.
svgs=()
while read -r name args; do
	svg=$tmp/$name.svg
	# shellcheck disable=SC2086 # a list of words
	"$tool" export -q --svg "$svg" $args
	svgs+=("$svg")
done <<EOF
ladder -i $tmp/pair.rec sk:3
simultaneous -i $tmp/simultaneous.rec sk:61
hole -i $tmp/hole.rec sk:41
halfopen -i $tmp/halfopen.rec sk:22
late -i $tmp/late.rec --no-pair
overview -i $tmp/resets.rec
EOF
for svg in "${svgs[@]}"; do
	echo "== $(basename "$svg")"
	python3 -B "$pictures/facts.py" shape "$svg"
done > "$tmp/shapes" 2>&1
[ "${UPDATE:-0}" = 0 ] || cp "$tmp/shapes" "$pictures/shapes.want"
same "pictures: elements and texts" "$pictures/shapes.want" "$tmp/shapes"

# The pictures of the documentation are what this tool draws.
docs=$here/../../Documentation/pictures
mkdir -p "$tmp/docs"
TOOL=$tool "$here/../../scripts/doc-pictures.sh" "$tmp/docs" > "$tmp/facts" 2>&1
python3 -B "$pictures/facts.py" shape "$docs"/*.svg > "$tmp/docs.want" 2>&1
python3 -B "$pictures/facts.py" shape "$tmp"/docs/*.svg > "$tmp/docs.got" 2>&1
same "pictures: of the documentation (make doc-pictures)" "$tmp/docs.want" "$tmp/docs.got"
for picture in "$docs"/*.svg; do
	grep -q "pictures/$(basename "$picture")" "$docs/../tcp.rst" || echo "$picture"
done > "$tmp/facts"
[ ! -s "$tmp/facts" ]
result $? "pictures: all are shown in the documentation" < "$tmp/facts"

# Both are the same shapes. Each draws something, of the kind that it says.
# The font library keeps its configuration for ever, which is no leak of ours.
echo leak:libfontconfig > "$tmp/suppressed"
export LSAN_OPTIONS=suppressions=$tmp/suppressed:print_suppressions=0
if "$tool" export --png "$tmp/p.png" --pdf "$tmp/p.pdf" -i "$tmp/pair.rec" sk:3 2> "$tmp/stderr"; then
	[ "$(head -c 4 "$tmp/p.png" | tail -c 3)" = PNG ] && [ "$(head -c 4 "$tmp/p.pdf")" = %PDF ] &&
		[ "$(stat -c %a "$tmp/p.png")" = 600 ]
	result $? "pictures: PNG and PDF, for their owner only" < "$tmp/stderr"
else
	grep -q 'built without cairo' "$tmp/stderr"
	result $? "pictures: PNG and PDF # SKIP built without cairo" < "$tmp/stderr"
fi

refuse 2 'wants a file to write' export
refuse 2 '--mermaid draws one connection' export --mermaid - -i "$rec"
refuse 2 'listens' export --mermaid - -i "$rec" sk:1
refuse 1 'No such file' export --svg "$tmp/no/such" -i "$rec"
refuse 1 'no connection sk:99 is known' export --svg - -i "$rec" sk:99
refuse 1 'No space left' export --svg /dev/full -i "$rec"
refuse 1 'No space left' export --html /dev/full -i "$rec"
refuse 2 'export does not take the option --json' export -j --svg - -i "$rec"
