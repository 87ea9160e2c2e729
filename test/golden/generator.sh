#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What protoc-gen-ttrpc-c makes, held against files beside this script:
#   NAME.proto    with NAME.h.expected and NAME.c.expected, or, without services, neither; NAME.option is
#                 an option; the output must also compile, the header in C++ as well, in NAME.cc if it is
#                 there
#   several/      files of several folders and packages, made in one run
#   optional/     what this plugin takes and protoc-c may not
#   error_NAME.proto      with error_NAME.err, what protoc prints when it fails
#   error_NAME.request    a request in protobuf's text form, for what protoc would not send; the same
# With --update the expected files are written. Prints "ok NAME" or "not ok NAME: why".

set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
plugin=${PLUGIN:-$root/build/protoc-gen-ttrpc-c}
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wundef -Wformat=2 -Werror"
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

# NAME's output as C, for every compiler and libc that may use it, and its header as C++.
compiles() { # NAME
	flags="$warnings -fsyntax-only -I$out -I$root -isystem $root/build/sources/protobuf-c"
	c="-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition"
	use=$here/$1.cc
	if [ ! -f "$use" ]; then
		use=$out/$1.cc
		mkdir -p "$(dirname "$use")"
		echo "#include \"$1.ttrpc.h\"" >"$use"
	fi
	# shellcheck disable=SC2086 # lists of words
	{
		for compiler in gcc clang "musl-gcc -idirafter $root/build/uapi"; do
			for standard in c11 gnu17; do
				$compiler -std=$standard $c $flags "$out/$1.ttrpc.c" >&2 ||
					echo "does not compile with ${compiler%% *} as $standard; "
			done
		done
		for compiler in g++ clang++; do
			$compiler -std=c++17 $flags "$use" >&2 ||
				echo "the header does not compile with $compiler; "
		done
	}
}

generate() { # SOURCES FILE...
	sources=$1
	shift
	protoc "--plugin=protoc-gen-ttrpc-c=$plugin" "--ttrpc-c_out=$out" "-I$sources" "$@"
}

good() { # NAME
	option=
	[ ! -f "$here/$1.option" ] || option=--ttrpc-c_opt=$(cat "$here/$1.option")
	# shellcheck disable=SC2086 # none or one
	generate "$here" $option "$here/$1.proto" >&2 || echo "protoc fails; "
	if ! grep -q '^service' "$here/$1.proto"; then
		[ ! -e "$out/$1.ttrpc.h" ] && [ ! -e "$out/$1.ttrpc.c" ] || echo "files without services; "
		return
	fi
	hold "$out/$1.ttrpc.h" "$here/$1.h.expected"
	hold "$out/$1.ttrpc.c" "$here/$1.c.expected"
	compiles "$1"
}

# Also one by one, which must make the same.
several() {
	protoc-c "-I$here/several" "--c_out=$out" "$here"/several/*/*.proto >&2 ||
		echo "protoc-c fails; "
	generate "$here/several" "$here"/several/*/*.proto >&2 || echo "protoc fails; "
	[ ! -e "$out/second/between.ttrpc.h" ] || echo "a file without services; "
	for name in first/first second/second; do
		hold "$out/$name.ttrpc.h" "$here/several/$name.h.expected"
		hold "$out/$name.ttrpc.c" "$here/several/$name.c.expected"
		compiles "$name"
		rm "$out/$name.ttrpc.h" "$out/$name.ttrpc.c"
		generate "$here/several" "$here/several/$name.proto" >&2 ||
			echo "protoc fails for $name; "
		cmp -s "$out/$name.ttrpc.h" "$here/several/$name.h.expected" &&
			cmp -s "$out/$name.ttrpc.c" "$here/several/$name.c.expected" ||
			echo "$name alone is another one; "
	done
}

# Presence in proto3: ours to declare; protoc-c does from some version on, and before is refused.
optional() {
	generate "$here/optional" "$here/optional/optional.proto" >&2 || echo "protoc fails; "
	hold "$out/optional.ttrpc.h" "$here/optional/optional.h.expected"
	hold "$out/optional.ttrpc.c" "$here/optional/optional.c.expected"
	if protoc "-I$here/optional" "--c_out=$out" "$here/optional/optional.proto" 2>"$scratch/err"; then
		compiles optional
	else # in protoc's own words
		grep -q 'protoc-gen-c .*optional' "$scratch/err" || echo "refused for something else; "
	fi
}

bad_file() { # NAME
	generate "$here" "$here/$1.proto" 2>"$scratch/err" && echo "protoc succeeds; "
	[ ! -e "$out/$1.ttrpc.h" ] || echo "files in spite of the error; "
	hold "$scratch/err" "$here/$1.err"
}

schema=ttrpc/gen/plugin.proto
bad_request() { # NAME
	protoc "--encode=ttrpc.gen.Request" "-I$root" "$root/$schema" <"$here/$1.request" \
		>"$scratch/request" || echo "the request cannot be encoded; "
	"$plugin" <"$scratch/request" >"$scratch/response" || echo "the plugin fails; "
	protoc "--decode=ttrpc.gen.Response" "-I$root" "$root/$schema" <"$scratch/response" \
		>"$scratch/err" || echo "the response cannot be decoded; "
	hold "$scratch/err" "$here/$1.err"
}

# The names that the public headers have are the library's, and no others.
reserved() {
	public=$(grep -l '^extern "C"' "$root"/ttrpc/*.h)
	# shellcheck disable=SC2086 # a list of files
	words=$(grep -ohE '\<ttrpc_[a-z0-9]+' $public | sed 's/^ttrpc_//' | sort -u)
	for word in $words unheard; do
		printf '%s' "file_to_generate: 'a' proto_file { name: 'a' package: 'ttrpc'
			service { name: '$word' } }" |
			protoc "--encode=ttrpc.gen.Request" "-I$root" "$root/$schema" |
			"$plugin" >"$scratch/response"
		if grep -aq "names are the library's" "$scratch/response"; then
			[ "$word" != unheard ] || echo "a name that nobody has is refused; "
		else
			[ "$word" = unheard ] || echo "ttrpc_$word is not refused; "
		fi
	done
}

# A broken request is the plugin's own trouble: a line on stderr and a status, never a response.
garbage() {
	printf '\377\377garbage' | "$plugin" >"$scratch/response" 2>"$scratch/err" && echo "succeeds; "
	[ ! -s "$scratch/response" ] || echo "writes a response; "
	grep -q '^protoc-gen-ttrpc-c: ' "$scratch/err" || echo "does not say why; "
}

# Run by hand, it says how it is run.
usage() {
	"$plugin" --help >"$scratch/help" || echo "--help fails; "
	grep -q -e '--ttrpc-c_opt=prefix=' "$scratch/help" || echo "--help is silent; "
	"$plugin" extra </dev/null >"$scratch/response" 2>"$scratch/err" && echo "takes arguments; "
	cmp -s "$scratch/help" "$scratch/err" || echo "arguments are not answered with the usage; "
	[ ! -s "$scratch/response" ] || echo "writes a response; "
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
report several "$(several)"
report optional "$(optional)"
report reserved "$(reserved)"
report usage "$(usage)"
report garbage "$(garbage)"
exit "$failed"
