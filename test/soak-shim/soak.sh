#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 280
#
# make soak-shim: SOAK_EXECS (100,000) processes and a tenth as many containers in one shim, which
# must be as small afterwards as before. With a runtime that only forks; a hundredth of it with crun.
# In make test, without SOAK_EXECS, the small scale.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
execs=${SOAK_EXECS:-2000}
tool=build/gcc/test/soak-shim/soak
runtime=$PWD/build/test/soak-shim/runtime
shim=$PWD/build/containerd-shim-mote-v2

skip() {
	echo "skip soak-shim.$2: $1"
}

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
	find /sys/fs/cgroup -depth -type d -path "*/${SOAK_FOLDER##*/}*" -exec rmdir {} + 2>/dev/null
	rm -rf --one-file-system "$SOAK_FOLDER"
}

# One namespace for processes and for mounts: whatever is left ends with it.
if [ -z "${SOAK_FOLDER:-}" ]; then
	if [ "$(id -u)" != 0 ] || ! unshare --mount --pid --fork true 2>/dev/null; then
		skip "needs root and namespaces" all
		exit 0
	fi
	SOAK_FOLDER=$(mktemp -d /tmp/mote-soak.XXXXXX)
	export SOAK_FOLDER
	trap clean_up EXIT
	unshare --mount --pid --fork --mount-proc --kill-child -- "$0"
	exit
fi

# soak NAME RUNTIME CONTAINERS ROOTFS SHIM
soak() {
	local folder=$SOAK_FOLDER/$1
	mkdir -p "$folder"
	"$tool" -n "$3" -N "${SOAK_FOLDER##*/}" -t test/bench/config.json.in -r "$2" -f "$4" \
		-d "$folder" "$1=$5"
}

mount -t tmpfs -o mode=755 tmpfs /run || exit 1
mkdir -p "$SOAK_FOLDER/rootfs"/{bin,dev,proc,sys,run}
status=0
soak forks "$runtime" $((execs / 10)) "$SOAK_FOLDER/rootfs" "$shim" || status=1

# shellcheck source=/dev/null
if [ -r build/daemons/env.sh ] && . build/daemons/env.sh && crun=$(command -v crun); then
	# crun 1.8 mistakes a cgroup v1 host for one with v2 when the hybrid mount is there.
	if mountpoint -q /sys/fs/cgroup/unified && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
		umount /sys/fs/cgroup/unified
	fi
	cp "$(command -v busybox)" "$SOAK_FOLDER/rootfs/bin/busybox"
	ln -sf busybox "$SOAK_FOLDER/rootfs/bin/true"
	ln -sf busybox "$SOAK_FOLDER/rootfs/bin/sleep"
	soak crun "$crun" $((execs / 1000 + 1)) "$SOAK_FOLDER/rootfs" "$shim" || status=1
else
	skip "crun is not there" crun
fi
exit $status
