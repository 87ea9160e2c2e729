#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# parallel: no
#
# What ships: static, small, hardened, the same bytes wherever and whenever it is built, and it tells of
# what. For the last two a copy of the tree is built in another folder, at another time zone and umask.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=test/report.sh
. test/report.sh
shims=(build/containerd-shim-mote-v2 build/containerd-shim-skeleton-v2)
products=("${shims[@]}" build/libttrpc.a build/libshim.a)
limit=$((384 * 1024))

static() {
	local file
	for file in "${shims[@]}"; do
		readelf -lW "$file" | grep -q INTERP && echo "$file has INTERP"
		readelf -dW "$file" | grep -q NEEDED && echo "$file has NEEDED"
		readelf -SW "$file" | grep -q '\.symtab' && echo "$file is not stripped"
	done
}

size() {
	local file bytes
	for file in "${shims[@]}"; do
		bytes=$(stat -c %s "$file")
		[ "$bytes" -le $limit ] || echo "$file has $bytes bytes, $limit are allowed"
	done
}

# Relocation is over when a static program starts: RELRO is the whole of it, nothing binds later.
hardened() {
	local file
	for file in "${shims[@]}"; do
		readelf -lW "$file" | grep -q GNU_RELRO || echo "$file has no RELRO"
		readelf -lW "$file" | grep GNU_STACK | grep -q ' RW ' || echo "$file has a stack to execute"
		readelf -lW "$file" | grep LOAD | grep -q 'RWE' && echo "$file has pages both to write and execute"
		readelf -sW "build/musl/${file##*/}.debug" | grep -q __stack_chk_fail ||
			echo "$file has no stack protector"
	done
}

revision_of() { "$1/build/containerd-shim-mote-v2" -v | sed -n 's/^ *Revision: //p'; }

# make_copy make's words...
make_copy() (
	cd "$folder" && umask 077 && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u SHIM_REVISION TZ=Asia/Tokyo \
		LC_ALL=C nice make "$@" >make.log 2>&1 || tail -n 5 make.log
)

reproducible() {
	local file
	mkdir -p "$folder/build"
	cp -r .deps Makefile api proto seccomp shim test ttrpc "$folder"
	cp -r build/sources "$folder/build"
	make_copy -s "SHIM_REVISION=$(revision_of .)"
	for file in "${products[@]}"; do
		cmp "$file" "$folder/$file" 2>&1
	done
}

# revision_is TEXT make's words...
revision_is() {
	local text=$1 compiled
	shift
	make_copy "$@"
	compiled=$(sed -n 's/^  CC *//p' "$folder/make.log")
	[ "$compiled" = build/musl/obj/shim/version.o ] || echo "$text: compiled ${compiled:-nothing}"
	[ "$(revision_of "$folder")" = "$text" ] || echo "expected $text, got $(revision_of "$folder")"
}

git_copy() {
	GIT_CONFIG_GLOBAL=/dev/null git -C "$folder" -c user.name=nobody -c user.email=nobody@localhost "$@"
}

# Of the commit, whatever its tags are; of none where there is no work tree, or no git.
revision() {
	unset "${!GIT_@}"
	revision_is given SHIM_REVISION=given
	revision_is unknown
	type -P git >/dev/null || return
	git_copy init -q
	git_copy commit -q --allow-empty -m empty
	git_copy tag -a -m tag v9
	revision_is "$(git_copy rev-parse --short=12 HEAD)"
	git_copy add Makefile
	revision_is "$(git_copy rev-parse --short=12 HEAD)-dirty"
}

for file in "${products[@]}"; do
	if [ ! -f "$file" ]; then
		echo "not ok binaries.all: $file is not there"
		exit 1
	fi
done
report static "$(static)"
report size "$(size)"
report hardened "$(hardened)"
scratch=$(mktemp -d)
folder=$scratch/somewhere/else
report reproducible "$(reproducible)"
report revision "$(revision)"
rm -rf "$scratch"
exit $status
