/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -info: what the shim is and what its runtime can do, as one RuntimeInfo. containerd 2.0 and later
 * asks once for each runtime that is configured, and on some paths before each container. The
 * runtime's options come on standard input and are given back; there is no bundle.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/runtime_info.pb-c.h"
#include "shim/bootstrap.h"
#include "shim/main.h"
#include "shim/version.h"

#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"
#define FEATURES_SIZE_MAX (4u << 20) /* of the JSON; above: as if the runtime had none */

struct info {
	const struct shim_config *config;
	struct bootstrap bootstrap;
	struct runtime_task task;
	struct failure failure;
	unsigned char *features;
	size_t features_size; /* 0: the runtime does not tell */
};

static int features_take(struct info *info, int fd)
{
	struct stat file;
	if (fstat(fd, &file) < 0)
		return -errno;
	if (file.st_size == 0 || file.st_size > FEATURES_SIZE_MAX)
		return 0;
	info->features = malloc((size_t)file.st_size);
	if (!info->features)
		return -ENOMEM;
	ssize_t n = pread(fd, info->features, (size_t)file.st_size, 0);
	if (n < 0)
		return -errno;
	info->features_size = (size_t)n;
	return 0;
}

/*
 * Only a runtime that is not there is an error: containerd keeps that from a pod's configuration. One
 * that lacks the command is an older runtime.
 */
static int features_ask(struct info *info, int fd)
{
	struct runtime_task *task = &info->task;

	main_task(info->config, task);
	task->options = info->bootstrap.options;
	int result = info->config->runtime->features(task, fd);
	if (result == 0)
		return features_take(info, fd);
	if (result == -ENOENT)
		return failure_set(&info->failure, "runtime: %s", failure_errno(ENOENT));
	if (*task->error && task->error_code == RUNTIME_NOT_FOUND)
		return failure_set(&info->failure, "%s", task->error);
	return 0;
}

static int features_get(struct info *info)
{
	if (!info->config->runtime->features)
		return 0;
	int fd = memfd_create("features", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = features_ask(info, fd);
	close(fd);
	return result;
}

static void any_set(Google__Protobuf__Any *any, const char *type_url, const void *value,
		    size_t size)
{
	any->type_url = (char *)(uintptr_t)type_url;
	any->value.data = (uint8_t *)(uintptr_t)value;
	any->value.len = size;
}

static int answer(const struct info *info)
{
	const struct runtime_any *sent = &info->bootstrap.options;
	Containerd__Types__RuntimeVersion version = CONTAINERD__TYPES__RUNTIME_VERSION__INIT;
	Containerd__Types__RuntimeInfo response = CONTAINERD__TYPES__RUNTIME_INFO__INIT;
	Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Any features = GOOGLE__PROTOBUF__ANY__INIT;
	size_t size = 0;

	version.version = (char *)(uintptr_t)SHIM_VERSION;
	version.revision = (char *)(uintptr_t)shim_revision;
	response.name = (char *)(uintptr_t)info->config->runtime->name;
	response.version = &version;
	any_set(&options, sent->type_url, sent->value, sent->size);
	if (*sent->type_url || sent->size > 0)
		response.options = &options;
	any_set(&features, FEATURES_TYPE, info->features, info->features_size);
	if (info->features_size > 0)
		response.features = &features;
	void *bytes = bootstrap_pack(&response.base, &size);
	int result = bytes ? main_answer(bytes, size) : -ENOMEM;
	free(bytes);
	return result;
}

static int info_run(struct info *info)
{
	int result = bootstrap_read(&info->bootstrap, STDIN_FILENO, "", "", &info->failure);
	if (result == 0)
		result = features_get(info);
	return result == 0 ? answer(info) : result;
}

int info_main(const struct shim_config *config)
{
	struct info *info = calloc(1, sizeof(*info));
	if (!info)
		return main_fail(config, "%s", failure_errno(ENOMEM));
	info->config = config;
	bootstrap_init(&info->bootstrap);
	int result = info_run(info);
	if (result != 0)
		result = main_report(config, &info->failure, result);
	bootstrap_deinit(&info->bootstrap);
	free(info->features);
	free(info);
	return result;
}
