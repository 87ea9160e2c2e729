#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What protoc-gen-ttrpc-c makes, held against files beside this script:
#   NAME.proto    with NAME.h.expected and NAME.c.expected, or, without services, neither; the output
#                 must also compile, the header in C++ as well
#   error_NAME.proto      with error_NAME.err, what protoc prints when it fails
#   error_NAME.request    a request in protobuf's text form, for what protoc would not send; the same
# With --update the expected files are written. Prints "ok NAME" or "not ok NAME: why".

set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
plugin=${PLUGIN:-$root/build/protoc-gen-ttrpc-c}
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Werror"
update=0
[ "${1:-}" = --update ] && update=1

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
failed=0

report() { # NAME WHY
	if [ -z "$2" ]; then
		echo "ok golden.$1"
	else
		echo "not ok golden.$1: $2"
		failed=1
	fi
}

# Compares FILE with EXPECTED; the reason on stdout if they differ.
hold() { # FILE EXPECTED
	if [ ! -f "$1" ]; then
		echo "no $(basename "$1"); "
	elif [ "$update" = 1 ]; then
		cp "$1" "$2"
	elif [ ! -f "$2" ]; then
		echo "$(basename "$2") is missing; "
	elif ! cmp -s "$1" "$2"; then
		diff -u "$2" "$1" >&2
		echo "differs from $(basename "$2"); "
	fi
}

compiles() { # NAME
	flags="-D_GNU_SOURCE -I$out -I$root -isystem $root/build/sources/protobuf-c"
	# shellcheck disable=SC2086 # lists of words
	{
		cc -std=gnu17 $warnings -Wstrict-prototypes -Wmissing-prototypes $flags \
			-fsyntax-only "$out/$1.ttrpc.c" >&2 || echo "does not compile as C; "
		echo "#include \"$1.ttrpc.h\"" >"$out/$1.cc"
		for compiler in g++ clang++; do
			command -v $compiler >/dev/null || continue
			$compiler -std=c++17 $warnings $flags -fsyntax-only "$out/$1.cc" >&2 ||
				echo "the header does not compile with $compiler; "
		done
	}
}

good() { # NAME
	protoc "--plugin=protoc-gen-ttrpc-c=$plugin" "--ttrpc-c_out=$out" "-I$here" \
		"$here/$1.proto" >&2 || echo "protoc fails; "
	if ! grep -q '^service' "$here/$1.proto"; then
		[ ! -e "$out/$1.ttrpc.h" ] && [ ! -e "$out/$1.ttrpc.c" ] || echo "files without services; "
		return
	fi
	hold "$out/$1.ttrpc.h" "$here/$1.h.expected"
	hold "$out/$1.ttrpc.c" "$here/$1.c.expected"
	compiles "$1"
}

bad_file() { # NAME
	protoc "--plugin=protoc-gen-ttrpc-c=$plugin" "--ttrpc-c_out=$out" "-I$here" \
		"$here/$1.proto" 2>"$scratch/err" && echo "protoc succeeds; "
	[ ! -e "$out/$1.ttrpc.h" ] || echo "files in spite of the error; "
	hold "$scratch/err" "$here/$1.err"
}

bad_request() { # NAME
	schema=ttrpc/gen/plugin.proto
	protoc "--encode=ttrpc.gen.Request" "-I$root" "$root/$schema" <"$here/$1.request" \
		>"$scratch/request" || echo "the request cannot be encoded; "
	"$plugin" <"$scratch/request" >"$scratch/response" || echo "the plugin fails; "
	protoc "--decode=ttrpc.gen.Response" "-I$root" "$root/$schema" <"$scratch/response" \
		>"$scratch/err" || echo "the response cannot be decoded; "
	hold "$scratch/err" "$here/$1.err"
}

# A broken request is the plugin's own trouble: a line on stderr and a status, never a response.
garbage() {
	printf '\377\377garbage' | "$plugin" >"$scratch/response" 2>"$scratch/err" && echo "succeeds; "
	[ ! -s "$scratch/response" ] || echo "writes a response; "
	grep -q '^protoc-gen-ttrpc-c: ' "$scratch/err" || echo "does not say why; "
}

out=$scratch/out
mkdir "$out"
protoc-c "-I$here" "--c_out=$out" "$here"/[!e]*.proto || report protoc-c "fails"
for proto in "$here"/*.proto; do
	name=$(basename "$proto" .proto)
	case $name in
	error_*) report "$name" "$(bad_file "$name")" ;;
	*) report "$name" "$(good "$name")" ;;
	esac
done
for request in "$here"/*.request; do
	name=$(basename "$request" .request)
	report "$name" "$(bad_request "$name")"
done
report garbage "$(garbage)"
exit "$failed"
