# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# An image for containers whose root is mounted by the shim, sourced after lib.sh: a tar file of the
# root that all tests use. IMAGE_CONFIG is what containers of it have where nobody says otherwise.

IMAGE=local.test/busybox:1
IMAGE_CONFIG='"Cmd": ["/bin/sh"], "Env": ["PATH=/bin", "FROM=image"]'

# image_import SNAPSHOTTER: the archive that `docker save` writes: a list, a configuration, a layer
image_import() {
	local layer
	tar -C "$ROOTFS" -cf layer.tar .
	layer=$(sha256sum layer.tar | cut -d' ' -f1)
	cat >config.json <<-END
		{"architecture": "$(image_architecture)", "os": "linux",
		 "config": {$IMAGE_CONFIG},
		 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
	END
	printf '[{"Config": "config.json", "RepoTags": ["%s"], "Layers": ["layer.tar"]}]' "$IMAGE" \
		>manifest.json
	tar -cf image.tar manifest.json config.json layer.tar
	ctr image import --snapshotter "$1" --local image.tar 2>/dev/null ||
		ctr image import --snapshotter "$1" image.tar
}

image_architecture() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# The harness compares mounts and containers, and images hold what a snapshot needs.
image_remove() { ctr image rm --sync "$IMAGE" >/dev/null; }
