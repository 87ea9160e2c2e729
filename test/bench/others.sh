#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the benches do with a shim that logs much, hangs or fails: the others go on without it, and
# nothing of it stays.
# shellcheck disable=SC2317 # check() calls what is said to be out of reach
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
folder=$OTHERS_FOLDER
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
mkdir -p "$folder"/{rootfs/{bin,dev,proc,sys,run},run}

# program NAME: what stdin says
program() {
	cat >"$folder/$1"
	chmod +x "$folder/$1"
}

# fleet SHIM...: one container of each, taken down as soon as all are up. More descriptors are needed than
# it has to begin with.
fleet() {
	rm -f "$folder/run/c.sock.ttrpc"
	prlimit --nofile=20: timeout -k 1 60 build/gcc/test/bench/fleet -n 1 -l 3 -N "${folder##*/}" \
		-t test/bench/config.json.in -r "$folder/runtime" -f "$folder/rootfs" \
		-d "$folder/run" "$@" </dev/null >"$folder/out" 2>"$folder/errors"
}

# check NAME COMMAND...: that it is true
check() {
	local name=$1
	shift
	if "$@"; then
		echo "ok bench-others.$name"
	else
		echo "not ok bench-others.$name: $* ($(cat "$folder"/{out,errors} | tr '\n' ';'))"
		status=1
	fi
}

left_out() { grep -qxF "$1 left out: $2" "$folder/out"; }
complains() { grep -qxF "$1" "$folder/errors"; }

# Other processes than this one, sockets, mounts and bundles.
nothing_stays() {
	local process
	for process in /proc/[0-9]*; do
		[ ! -e "$process/exe" ] || [ "${process##*/}" = $$ ] || return 1
	done
	! grep -q "$folder" /proc/self/mounts &&
		[ -z "$(find /run/containerd/s -type s)" ] &&
		[ -z "$(find "$folder/run" -name config.json)" ]
}

# Ours, twice: its containers last, and that of the second fleet member can't be created.
program runtime <<END
#!/bin/bash
case " \$* " in
*" create "*" fleet-1 "*) exec sleep 1000 ;;
*" start "*) exit 0 ;;
esac
exec "$PWD/build/test/soak-shim/runtime" "\$@"
END
cp build/containerd-shim-mote-v2 "$folder/works"
cp build/containerd-shim-mote-v2 "$folder/hangs"

program silent <<'END'
#!/bin/bash
exec sleep 1000
END

# Meanwhile the program of the one that works is built anew.
program fails <<'END'
#!/bin/bash
cp "${0%/*}/works" "$0.new" && mv "$0.new" "${0%/*}/works"
sleep 1000 </dev/null >/dev/null 2>&1 &
echo because
exit 1
END

# Half the header of an event, then more than a FIFO holds; the daemon would read it.
program talks <<'END'
#!/bin/bash
perl -MIO::Socket::UNIX -e '
	my $connection = IO::Socket::UNIX->new($ENV{TTRPC_ADDRESS}) or exit;
	syswrite $connection, "\0" x 5;
	fork or sleep 1000' </dev/null >/dev/null 2>&1
head -c 200000 /dev/zero >log
printf /nowhere/socket
END

# Answers the first request with half a header. Then one sleeps, and the other closes the connection.
program stops <<'END'
#!/bin/bash
seconds=0
[ "${0##*/}" = closes ] || seconds=1000
perl -MIO::Socket::UNIX -e '
	my $listener = IO::Socket::UNIX->new(Local => "socket", Listen => 1) or exit;
	exit if fork;
	my $connection = $listener->accept;
	sysread $connection, my $request, 4096;
	syswrite $connection, "\0" x 5;
	sleep '$seconds </dev/null >/dev/null 2>&1
printf %s "$PWD/socket"
END
cp "$folder/stops" "$folder/closes"

check others_go_on fleet "works=$folder/works,newest" "hangs=$folder/hangs,release" \
	"silent=$folder/silent,rust" "fails=$folder/fails,rust" "talks=$folder/talks,rust"
check ready [ "$(tail -n 1 "$folder/out")" = ready ]
check works_is_in [ "$(wc -l <"$folder/out")" = 5 ]
check call_hangs left_out hangs "Create did not answer within 3 s"
check verb_hangs left_out silent "start verb did not answer within 3 s"
check verb_fails left_out fails "start verb: wait status 0x100: because"
check log_is_read left_out talks "/nowhere/socket: No such file or directory"
check nothing_stays nothing_stays

check frames_stop fleet "stops=$folder/stops,newest" "closes=$folder/closes,release"
check answer_stops left_out stops "Connect did not answer within 3 s"
check answer_is_cut_off left_out closes "Connect: Protocol error"

fleet "fails=$folder/fails"
check ours_must_not_fail [ $? = 1 ]
check ours_failed complains "fails failed: start verb: wait status 0x100: because"
check ours_does_not_stay nothing_stays

build/gcc/test/bench/repeat -n 1 -g 0 first true -- second false >"$folder/out" 2>"$folder/errors"
check second_command_may_fail grep -qx "second failed wait status 0x100" "$folder/out"
check first_command_goes_on grep -q "^first [0-9]" "$folder/out"
! build/gcc/test/bench/repeat -n 1 -g 0 first false -- second true >"$folder/out" 2>"$folder/errors"
check first_command_must_not_fail complains "first: wait status 0x100"
exit $status
