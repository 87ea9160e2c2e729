#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# parallel: no
#
# What ships: static, small, hardened, and the same bytes wherever and whenever it is built.
set -u
cd "$(dirname "$0")/../.." || exit 1
shims=(build/containerd-shim-mote-v2 build/containerd-shim-skeleton-v2)
products=("${shims[@]}" build/libttrpc.a build/libshim.a)
limit=$((384 * 1024))
status=0

# check NAME COMPLAINTS
check() {
	if [ -z "$2" ]; then
		echo "ok binaries.$1"
	else
		echo "not ok binaries.$1: $(echo "$2" | tr '\n' ' ')"
		status=1
	fi
}

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

# Builds a copy of the tree in another folder, at another time zone and umask.
reproducible() {
	local folder file
	folder=$(mktemp -d)/somewhere/else
	mkdir -p "$folder/build"
	cp -r .deps Makefile api proto seccomp shim test ttrpc "$folder"
	cp -r build/sources "$folder/build"
	if (cd "$folder" && umask 077 && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL TZ=Asia/Tokyo LC_ALL=C \
		nice make -s >make.log 2>&1); then
		for file in "${products[@]}"; do
			cmp "$file" "$folder/$file" 2>&1
		done
	else
		tail -n 5 "$folder/make.log"
	fi
	rm -rf "${folder%/somewhere/else}"
}

for file in "${products[@]}"; do
	if [ ! -f "$file" ]; then
		echo "not ok binaries.all: $file is not there"
		exit 1
	fi
done
check static "$(static)"
check size "$(size)"
check hardened "$(hardened)"
check reproducible "$(reproducible)"
exit $status
