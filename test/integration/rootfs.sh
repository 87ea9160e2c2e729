#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Root file systems that the shim mounts, and what it does with mounts that fail.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hand.sh"

# mounted_as ID TYPE: what is mounted at the bundle's rootfs
mounted_as() {
	same "mount at rootfs" "$2" "$(mounts_at "$HAND/$1/rootfs")"
}

# rooted VARIANT TYPE ROOTFS...: a container whose root is made of these mounts
rooted() {
	local variant=$1 type=$2
	shift 2
	HAND_ROOT=rootfs
	HAND_MOUNT='{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}, '
	HAND_MOUNT+='{"destination": "/bin", "type": "bind", "options": ["rbind"], '
	HAND_MOUNT+="\"source\": \"$ROOTFS/bin\"}"
	begin "$variant" rooted
	hand_create rooted "$@"
	mounted_as rooted "$type"
	call Start id=rooted >/dev/null
	hand_end rooted
	mounted_as rooted ""
	hand_shutdown rooted
}

tmpfs_root() { rooted "$1" tmpfs rootfs=tmpfs,tmpfs,size=1m,nosuid,mode=755; }
bind_root() { rooted "$1" tmpfs rootfs="bind,$ROOTFS,rbind"; }
overlay_root() {
	mkdir upper work
	rooted "$1" overlay \
		rootfs="overlay,overlay,lowerdir=$ROOTFS,upperdir=$PWD/upper,workdir=$PWD/work"
}
scenario --mote tmpfs_root runc crun skeleton
scenario --mote bind_root runc skeleton
scenario --mote overlay_root runc crun skeleton

# A read-only bind needs a second mount call.
read_only_bind_root() {
	HAND_ROOT=rootfs
	begin "$1" readonly
	hand_create readonly rootfs="bind,$ROOTFS,rbind,ro"
	! touch "$HAND/readonly/rootfs/new" 2>/dev/null || fail "the root is not read-only"
	hand_end readonly
	hand_shutdown readonly
}
scenario --mote read_only_bind_root skeleton

# Forty lower folders with long names: more than a page of options.
overlay_of_many() {
	local number options base
	base=$PWD/$(printf 'layer%.0s' {1..20})
	mkdir -p upper work "$base"/{10..50} "$base"/10/{bin,dev,proc}
	options=lowerdir=$(printf ":$base/%s" {10..50} | cut -c2-)
	rooted "$1" overlay rootfs="overlay,overlay,$options,upperdir=$PWD/upper,workdir=$PWD/work"
}
scenario --mote overlay_of_many runc

# The second mount fails; the first must not stay.
mount_fails() {
	HAND_ROOT=rootfs
	begin "$1" mounts
	refused 2 "mount" Create id=mounts bundle="$HAND/mounts" rootfs=tmpfs,tmpfs,size=1m \
		rootfs=ext4,/no/such/device,ro
	mounted_as mounts ""
	hand_shutdown mounts
}
scenario --mote mount_fails runc skeleton

run_scenarios "$@"
