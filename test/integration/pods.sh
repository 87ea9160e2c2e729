# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Pods, for cri.sh: a containerd with its CRI plugin and handlers for our shim, crictl as the client,
# an image, and how pods and containers of it are made, looked at and removed.
#
# Pods have the host's network; their containers have PID namespaces of their own, unless a scenario
# says otherwise. One image serves all, the pause container too.

PODS_VARIANTS=(runc.stock crun.stock runc.own crun.own)
SCENARIO_LIMIT=90
CRICTL=$TOP/build/daemons/cri/usr/bin/crictl
. "${BASH_SOURCE[0]%/*}/images.sh"
IMAGE_CONFIG='"Cmd": ["/bin/sleep", "10000"], "Env": ["PATH=/bin"]'
if [ -n "${MOTE_WORK:-}" ]; then
	export CRI_CONFIG_FILE=$SCRATCH/crictl.yaml
	# The plugin's own; not to be chosen.
	NAMESPACE=k8s.io
	BUNDLES=$STATE/io.containerd.runtime.v2.task/$NAMESPACE
fi

daemon_knows_pods() (
	# shellcheck disable=SC1090
	. "$MOTE_DAEMONS"
	containerd config default | grep -q 'io.containerd.*[.]cri'
)
if [ -e "$MOTE_DAEMONS" ] && [ -z "${DAEMON_VERSION:-}" ]; then
	DAEMON_VERSION=$(daemon_version)
	export DAEMON_VERSION
	reason=
	[ -x "$CRICTL" ] || reason="no crictl in build/daemons/cri"
	daemon_knows_pods || reason="built without the CRI plugin"
	if [ -n "$reason" ]; then
		report_skip "$reason" "cri-$DAEMON_VERSION"
		exit 0
	fi
fi
scenario_label() { echo "cri-${DAEMON_VERSION:-}.$2.$1"; }
in_pods() { scenario --mote "$1" "${PODS_VARIANTS[@]}"; }

# ---- containerd with the plugin ----------------------------------------------------------------

daemon_config() {
	local variant
	daemon_config_head
	cat <<-END
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$IMAGE"
		  disable_apparmor = true
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "$MOTE_WORK/cni"
		    conf_dir = "$MOTE_WORK/cni"
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    default_runtime_name = "runc.stock"
	END
	for variant in "${PODS_VARIANTS[@]}"; do
		handler "$variant" "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.\"$variant\""
	done
}

# handler VARIANT TABLE. The plugin of 1.6 passes of options that it does not know but a file's path.
handler() {
	local type=io.containerd.mote.v2 options="BinaryName = \"${1%.*}\""
	case $1 in
	*.stock) type=io.containerd.runc.v2 ;;
	*.own)
		if ! daemon_is_at_least 1.7; then
			echo "$options" >"$MOTE_WORK/$1.toml"
			options="ConfigPath = \"$MOTE_WORK/$1.toml\""
		fi
		;;
	esac
	echo "$2]"
	echo "  runtime_type = \"$type\""
	case $1 in
	*.stock) echo "  runtime_path = \"$MOTE_WORK/bin/containerd-shim-mote-v2\"" ;;
	esac
	echo "$2.options]"
	echo "  $options"
}

# Two seconds are its own limit of a call, which a busy machine's disk may take for one fsync(2).
crictl() { "$CRICTL" --timeout 30s "$@"; }

image_known() { [ -n "$(crictl images -q "$IMAGE")" ]; }

# ---- pods and containers -----------------------------------------------------------------------

# pod_up NAME VARIANT [PID_MODE]: a pod runs; sets POD. Modes: 0 shared, 1 per container, 2 the host's.
pod_up() {
	printf '%s-endpoint: "unix://'"$SOCKET"'"\n' runtime image >"$CRI_CONFIG_FILE"
	image_known || image_import overlayfs >/dev/null
	must_become 20 "the plugin knows the image" image_known
	mkdir -p logs
	PID_MODE=${3:-1}
	cat >"pod.json" <<-END
		{"metadata": {"name": "$1", "uid": "$1", "namespace": "test", "attempt": 0},
		 "log_directory": "$SCRATCH/logs",
		 "linux": {"cgroup_parent": "/${MOTE_WORK##*/}", "security_context":
		  {"namespace_options": {"network": 2, "pid": $PID_MODE}}}}
	END
	POD=$(crictl runp -r "$2" pod.json)
}

# container_make NAME SCRIPT: sets CONTAINER; a shell that runs the script. STREAMS: more of its
# configuration, LINUX: of resources.
STREAMS='"stdin": false'
LINUX=
container_make() {
	local script=${2//\\/\\\\}
	script=${script//\"/\\\"}
	script=${script//$'\n'/\\n}
	cat >"$1.json" <<-END
		{"metadata": {"name": "$1", "attempt": 0}, "image": {"image": "$IMAGE"},
		 "command": ["${SHELL_PATH:-/bin/sh}", "-c", "${script//$'\t'/ }"], "log_path": "$1.log", $STREAMS,
		 "linux": {"resources": {$LINUX}, "security_context":
		  {"namespace_options": {"network": 2, "pid": $PID_MODE}}}}
	END
	CONTAINER=$(crictl create "$POD" "$1.json" pod.json)
}

container_up() {
	container_make "$@"
	crictl start "$CONTAINER" >/dev/null
}

# pod_down: as the kubelet does; the harness looks for what is left.
pod_down() {
	crictl stopp "$POD" >/dev/null
	crictl rmp "$POD" >/dev/null
}

# of ID FIELD: what inspect says
of() { crictl inspect -o go-template --template "{{.status.$2}}" "$1"; }
is_running() { [ "$(of "$1" state)" = CONTAINER_RUNNING ]; }
has_exited() { [ "$(of "$1" state)" = CONTAINER_EXITED ]; }
log_holds() { grep -Eq "^[0-9-]+T[0-9:.]+(Z|[+-][0-9:]+) $2\$" "logs/$1.log"; }
# A file in a running container that it waits for. A container that ends as soon as it has said
# something may lose it: containerd gives up a FIFO that it has not opened by then.
let_go() { touch "/proc/$(task_pid "$1")/root/go"; }
WAIT_FOR_GO='while [ ! -e /go ]; do sleep 0.05; done'
in_container() { crictl exec -s "$CONTAINER" sh -c "$1"; }
