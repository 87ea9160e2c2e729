/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_CGROUP_FIXTURE_H
#define TEST_UNIT_CGROUP_FIXTURE_H
/* A folder that stands for "/", with the files that a test puts there, and an answer of Stats taken apart. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/metrics.h"
#include "test/test.h"

struct tree {
	char folder[64];
	int root;
};

static inline void tree_init(struct tree *tree)
{
	strcpy(tree->folder, "/tmp/cgroups-XXXXXX");
	ASSERT(mkdtemp(tree->folder));
	tree->root = open(tree->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT(tree->root >= 0);
}

static inline int tree_remove_one(const char *path, const struct stat *status, int type,
				  struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static inline void tree_deinit(struct tree *tree)
{
	close(tree->root);
	ASSERT_EQ(nftw(tree->folder, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Makes all folders of a path below the tree; the last part is a file unless it ends with a slash. */
static inline void tree_folders(const struct tree *tree, const char *path)
{
	char part[PATH_MAX];
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = 0;
		mkdirat(tree->root, part, 0700);
	}
}

static inline void tree_write(const struct tree *tree, const char *path, const char *text)
{
	tree_folders(tree, path);
	int fd = openat(tree->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Of the files in a folder: name and content in turn, NULL at the end. */
static inline void tree_write_all(const struct tree *tree, const char *folder,
				  const char *const *files)
{
	char path[PATH_MAX];
	for (; *files; files += 2) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[0]);
		tree_write(tree, path, files[1]);
	}
}

/* The metrics in a packed StatsResponse, to be freed; they are of that kind. */
static inline ProtobufCMessage *stats_unpack(const uint8_t *bytes, size_t size,
					     const ProtobufCMessageDescriptor *descriptor)
{
	Containerd__Task__V2__StatsResponse *response =
		containerd__task__v2__stats_response__unpack(NULL, size, bytes);
	ASSERT(response && response->stats);
	ASSERT_STR(response->stats->type_url, descriptor->name);
	ProtobufCMessage *metrics = protobuf_c_message_unpack(
		descriptor, NULL, response->stats->value.len, response->stats->value.data);
	ASSERT(metrics);
	containerd__task__v2__stats_response__free_unpacked(response, NULL);
	return metrics;
}

/* Where metrics_answer() puts its answer; bytes is to be freed. */
struct stats_bytes {
	uint8_t *bytes;
	size_t size;
};

static inline int stats_put(void *userdata, const void *bytes, size_t size)
{
	struct stats_bytes *stats = userdata;
	ASSERT(!stats->bytes);
	stats->bytes = malloc(size + 1);
	memcpy(stats->bytes, bytes, size);
	stats->size = size;
	return 0;
}

static inline ProtobufCMessage *stats_read(const struct tree *tree,
					   const struct metrics_paths *paths, uint64_t oom_kills,
					   const ProtobufCMessageDescriptor *descriptor)
{
	struct stats_bytes stats = {0};
	ASSERT_EQ(metrics_answer(tree->root, paths, oom_kills, 0, stats_put, &stats), 0);
	ProtobufCMessage *metrics = stats_unpack(stats.bytes, stats.size, descriptor);
	free(stats.bytes);
	return metrics;
}

/* A field that is a uint64, by the number that the reference gives it. */
static inline uint64_t stats_field(const void *message, unsigned number)
{
	const ProtobufCMessage *base = message;
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(base->descriptor, number);
	uint64_t value;
	ASSERT(field && field->type == PROTOBUF_C_TYPE_UINT64);
	memcpy(&value, (const char *)message + field->offset, sizeof(value));
	return value;
}

#endif
