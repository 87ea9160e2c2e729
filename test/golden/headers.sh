#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every public header of the ttrpc library, alone, in C11 and in C++17, with each compiler and libc and
# without what a feature macro would add. Prints "ok NAME" or "not ok NAME: why".

set -u
LC_ALL=C
export LC_ALL

root=$(cd "$(dirname "$0")/../.." && pwd)
flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wundef -Werror -fsyntax-only -I$root
	-isystem $root/build/sources/protobuf-c"
failed=0

compiles() { # HEADER
	# shellcheck disable=SC2086 # lists of words
	{
		for compiler in gcc clang "musl-gcc -idirafter $root/build/uapi"; do
			echo "#include \"$1\"" |
				$compiler -std=c11 -Wstrict-prototypes $flags -x c - >&2 ||
				echo "not C11 for ${compiler%% *}; "
		done
		for compiler in g++ clang++; do
			echo "#include \"$1\"" | $compiler -std=c++17 $flags -x c++ - >&2 ||
				echo "not C++17 for $compiler; "
		done
	}
}

# A public header is one that C++ may include.
for header in $(cd "$root" && grep -l '^extern "C"' ttrpc/*.h); do
	name=headers.$(basename "$header" .h)
	why=$(compiles "$header")
	if [ -z "$why" ]; then
		echo "ok $name"
	else
		echo "not ok $name: $why"
		failed=1
	fi
done
exit "$failed"
