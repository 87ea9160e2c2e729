#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the benches do with a shim that logs much.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

# One namespace for processes and for mounts: whatever is left ends with it.
if [ -z "${OTHERS_FOLDER:-}" ]; then
	if [ "$(id -u)" != 0 ] || ! unshare --mount --pid --fork true 2>/dev/null; then
		echo "skip bench-others.all: needs root and namespaces"
		exit 0
	fi
	OTHERS_FOLDER=$(mktemp -d /tmp/mote-others.XXXXXX)
	export OTHERS_FOLDER
	trap 'rm -rf --one-file-system "$OTHERS_FOLDER"' EXIT
	unshare --mount --pid --fork --mount-proc --kill-child -- "$0"
	exit
fi

status=0
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
mkdir -p "$OTHERS_FOLDER"/{rootfs/{bin,dev,proc,sys,run},run}

# shim NAME: a program that does what stdin says for each verb, $verb
shim() {
	{
		printf '#!/bin/bash\nverb=${!#}\n'
		cat
	} >"$OTHERS_FOLDER/$1"
	chmod +x "$OTHERS_FOLDER/$1"
}

# fleet SHIM...: one container of each, taken down as soon as all are up
fleet() {
	timeout -k 1 60 build/gcc/test/bench/fleet -n 1 -N "${OTHERS_FOLDER##*/}" \
		-t test/bench/config.json.in -r "$OTHERS_FOLDER/runtime" -f "$OTHERS_FOLDER/rootfs" \
		-d "$OTHERS_FOLDER/run" "$@" </dev/null >"$OTHERS_FOLDER/out" 2>"$OTHERS_FOLDER/errors"
}

# has NAME FILE TEXT: the text is in a line of the file
has() {
	if grep -qF -- "$3" "$OTHERS_FOLDER/$2"; then
		echo "ok bench-others.$1"
	else
		echo "not ok bench-others.$1: $(tr '\n' ';' <"$OTHERS_FOLDER/$2")"
		status=1
	fi
}

# More than a FIFO holds; the daemon would read it.
shim talks <<'END'
head -c 200000 /dev/zero >log
printf /nowhere/socket
END

fleet "talks=$OTHERS_FOLDER/talks"
has log_is_read errors "connect /nowhere/socket: No such file or directory"
exit $status
