#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# ttrpc/FROM-GO.md: every name that the Go module exports is in it, with the version that it came with;
# no other is; and every name of ours that it gives is in the public headers, or in what the generator
# makes of the examples.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/report.sh
. "$top/test/report.sh"
page=$top/ttrpc/FROM-GO.md
names=$top/test/build/from_go.names
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Rows of the tables that have Go's names: "version name", also where a row has two of each.
given() {
	awk -F ' *[|] *' '$3 ~ /^1\.[12](, 1\.2)?$/ {
		n = split($2, names, /, */)
		m = split($3, versions, /, */)
		for (i = 1; i <= n; i++) {
			gsub(/`/, "", names[i])
			print versions[m == n ? i : 1], names[i]
		}
	}' "$page" | sort
}

# NAME: it is in the headers. A member stands behind its struct, whose lines it must be in.
is_ours() {
	local name=$1 member
	case $name in
	'struct '*.*)
		member=${name##*.}
		name=${name%.*}
		sed -n "/^$name {/,/^}/p" "$scratch/headers" | grep -qw "$member"
		;;
	*)
		grep -qE "(^|[^A-Za-z0-9_])$name([^A-Za-z0-9_]|\$)" "$scratch/headers"
		;;
	esac
}

# What the page has of ours, wherever it stands.
ours() {
	local name
	grep -oE '`(struct |enum )?(ttrpc_|TTRPC_|example_)[A-Za-z0-9_.]*[A-Za-z0-9_]`' "$page" | tr -d '`' |
		sort -u | while read -r name; do
		is_ours "$name" || echo "no $name"
	done
}

# A row without a name of ours says so by a dash.
empty() {
	awk -F ' *[|] *' '$3 ~ /^1\./ && $4 != "-" && $4 !~ /`/ { print $2 }' "$page"
}

(cd "$top" && cat ttrpc/{intercept,limits,loop,metadata,policy,stream,ttrpc}.h) >"$scratch/headers"
for name in echo chat; do
	(cd "$top/ttrpc/examples" &&
		protoc --plugin="$top/build/protoc-gen-ttrpc-c" --ttrpc-c_out="$scratch" $name.proto) &&
		cat "$scratch/$name.ttrpc.h" >>"$scratch/headers"
done

report names "$(diff <(grep -v '^#' "$names" | sort) <(given) | grep '^[<>]')"
report ours "$(ours)"
report empty "$(empty)"
exit $status
