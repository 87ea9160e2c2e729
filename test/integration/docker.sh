#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seconds: 600
# dockerd as the client of containerd: our shim under the stock name, which is all that dockerd knows.
. "$(dirname "$0")/lib.sh"

DOCKER=$TOP/build/daemons/docker
SCENARIO_LIMIT=90
export DOCKER_HOST=unix://${SCRATCH:-}/docker.sock DOCKER_CONFIG=${SCRATCH:-}/client

# docker's own libraries are for its own programs only
docker() (
	# shellcheck disable=SC1091
	. "$DOCKER/env.sh"
	exec docker "$@"
)

dockerd_start() {
	mkdir -p "$SCRATCH/tmp"
	(
		# shellcheck disable=SC1091
		. "$DOCKER/env.sh"
		TMPDIR=$SCRATCH/tmp exec dockerd --containerd "$SOCKET" --containerd-namespace \
			"$NAMESPACE" --containerd-plugins-namespace "$NAMESPACE-plugins" -H "$DOCKER_HOST" \
			--group root --data-root "$SCRATCH/data" --exec-root "$SCRATCH/exec" \
			--pidfile "$SCRATCH/docker.pid" --storage-driver vfs --bridge none \
			--iptables=false --ip6tables=false --userland-proxy=false --live-restore \
			--cgroup-parent "/$NAMESPACE" >>dockerd.log 2>&1
	) &
	DOCKERD=$!
	wait_for 30 dockerd_answers_or_is_gone
	docker version >/dev/null 2>&1 || fail "dockerd: $(grep -v level=info dockerd.log | tail -n 1)"
}
dockerd_answers_or_is_gone() { docker version || process_gone "$DOCKERD"; }

dockerd_stop() {
	kill -"$1" "$DOCKERD"
	wait "$DOCKERD" 2>/dev/null || true
}

docker_up() {
	[ -x "$DOCKER/usr/sbin/dockerd" ] || skip "no dockerd in $DOCKER"
	dockerd_start
	trap docker_down EXIT
	tar -C "$ROOTFS" -c . | docker import --change 'ENV PATH=/bin' - image >/dev/null
}

# What is left of containers is the scenario's own fault, but must not be in the way of the next one.
docker_down() {
	local ids
	ids=$(docker ps -aq)
	# shellcheck disable=SC2086 # a list
	[ -z "$ids" ] || docker rm -f $ids >/dev/null 2>&1 || true
	dockerd_stop TERM
	awk -v at="$SCRATCH/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		xargs -r umount -l
}

run() { docker run --network none "$@"; }
inspect() { docker inspect --format "$1" "$2"; }
is_running() { [ "$(inspect '{{.State.Running}}' "$1")" = true ]; }
has_ended() { ! is_running "$1"; }

foreground() {
	docker_up
	same "output" "hello" "$(run --rm image echo hello)"
	status_of run --rm image sh -c "echo out; echo err >&2; exit 7"
	same "exit code" 7 "$STATUS"
	same "standard output" out "$(<out)"
	same "standard error" err "$(<err)"
	same "what it reads" "read typed" "$(echo typed | run --rm -i image sh -c 'read x; echo read $x')"
	same "16 MiB" "$(head -c 16777216 /dev/zero | tr '\0' x | sha256sum)" "$(run --rm image \
		sh -c "head -c 16777216 /dev/zero | tr '\\0' x" | sha256sum)"
	status_of run --rm image /no/such/command
	same "exit code of no command ($(<err))" 127 "$STATUS"
	status_of run --rm image /etc
	same "exit code of what is no program ($(<err))" 126 "$STATUS"
}
scenario --mote foreground

terminal() {
	docker_up
	status_of "$PTY" -s 33x93 wait='now>' line='stty size' wait='33 93' wait='now>' \
		line='while [ "$(stty size)" != "42 102" ]; do sleep 0.05; done; echo re""sized' \
		resize=42x102 wait=resized line='exit 6' -- "$DOCKER/usr/bin/docker" run --rm -it \
		--network none -e 'PS1=now>' image sh
	same "exit code ($(tail -n 3 out err))" 6 "$STATUS"
}
scenario --mote terminal

execs() {
	docker_up
	run -d --name execs image sleep 1000 >/dev/null
	same "whose shim it is" "$(readlink -f "$MOTE_BUILD/containerd-shim-mote-v2")" \
		"$(readlink "/proc/$(server_pid "")/exe")"
	status_of docker exec execs sh -c "echo out; echo err >&2; exit 8"
	same "exit code ($(<err))" 8 "$STATUS"
	same "standard output" out "$(<out)"
	same "standard error" err "$(<err)"
	same "what it reads" "read typed" \
		"$(echo typed | docker exec -i execs sh -c 'read x; echo read $x')"
	status_of "$PTY" -s 34x94 wait='now>' line='stty size' wait='34 94' line='exit 9' -- \
		"$DOCKER/usr/bin/docker" exec -it -e 'PS1=now>' execs sh
	same "exit code at a terminal ($(tail -n 3 out err))" 9 "$STATUS"
	status_of docker exec execs /no/such/command
	same "exit code of no command ($(cat out err))" 126 "${STATUS/127/126}"
	holds "top" "sleep 1000" "$(docker top execs)"
	docker rm -f execs >/dev/null
}
scenario --mote execs

logs() {
	docker_up
	run -d --name logs image sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo line $i; done
		echo to err >&2' >/dev/null
	same "exit code that wait gives" 0 "$(docker wait logs)"
	docker logs logs >out 2>err
	same "standard output" "$(seq -f 'line %g' 2000 | sha256sum)" "$(sha256sum <out)"
	same "standard error" "to err" "$(<err)"
	docker start logs >/dev/null
	same "exit code of the second run" 0 "$(docker wait logs)"
	same "lines of both runs" 4000 "$(docker logs logs 2>/dev/null | wc -l)"
	docker rm logs >/dev/null
}
scenario --mote logs

stopped() {
	docker_up
	run -d --name term image sh -c "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done" \
		>/dev/null
	must_become 10 "the trap is set" logs_hold term ready
	docker stop -t 20 term >/dev/null
	same "exit code" 5 "$(inspect '{{.State.ExitCode}}' term)"
	run -d --name deaf image sh -c "trap '' TERM; echo ready; while :; do sleep 0.05; done" >/dev/null
	must_become 10 "the trap is set" logs_hold deaf ready
	docker stop -t 1 deaf >/dev/null
	same "exit code of SIGKILL" 137 "$(inspect '{{.State.ExitCode}}' deaf)"
	docker rm term deaf >/dev/null
}
logs_hold() { docker logs "$1" 2>/dev/null | grep -q "$2"; }
scenario --mote stopped

paused() {
	docker_up
	run -d --name paused image sleep 1000 >/dev/null
	docker pause paused >/dev/null
	same "status" paused "$(inspect '{{.State.Status}}' paused)"
	status_of docker exec paused true
	same "exit code of an exec in it" 1 "$STATUS"
	docker unpause paused >/dev/null
	same "status" running "$(inspect '{{.State.Status}}' paused)"
	docker exec paused true
	docker rm -f paused >/dev/null
}
scenario --mote paused

used() {
	docker_up
	run -d --name used -m 64m image sleep 1000 >/dev/null
	same "processes and limit" "1 64MiB" \
		"$(docker stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' used |
			sed 's|[^ ]* / ||')"
	docker update -m 32m --memory-swap 32m used >/dev/null
	same "processes and limit" "1 32MiB" \
		"$(docker stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' used |
			sed 's|[^ ]* / ||')"
	docker rm -f used >/dev/null
}
scenario --mote used

out_of_memory() {
	docker_up
	status_of run --name oom -m 16m image sh -c "tail /dev/zero"
	same "exit code ($(<err))" 137 "$STATUS"
	same "OOMKilled" true "$(inspect '{{.State.OOMKilled}}' oom)"
	docker rm oom >/dev/null
}
scenario --mote out_of_memory

# dockerd dies and comes back: containers run on, what ended meanwhile has its exit code.
restarted() {
	docker_up
	run -d --name stays image sh -c 'echo before; while [ ! -e /go ]; do sleep 0.05; done; echo after
		exit 3' >/dev/null
	must_become 10 "first line" logs_hold stays before
	local pid
	pid=$(inspect '{{.State.Pid}}' stays)
	dockerd_stop KILL
	dockerd_start
	same "pid" "$pid" "$(inspect '{{.State.Pid}}' stays)"
	docker exec stays touch /go
	same "exit code" 3 "$(docker wait stays)"
	must_become 10 "last line" logs_hold stays after
	docker rm stays >/dev/null
}
scenario --mote restarted

run_scenarios "$@"
