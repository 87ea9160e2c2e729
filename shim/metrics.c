/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both kinds of metrics need: see metrics.h. The files are read one after the other into one
 * buffer; what of them goes into the answer is copied to the arena. Both begin with memory of
 * metrics_answer()'s own, so that an ordinary answer does without the heap: in a process that has just
 * been forked, its first use costs as much as three files.
 */
#include "shim/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/task.pb-c.h"
#include "shim/digits.h"
#include "shim/folder.h"
#include "shim/metrics_text.h"
#include "ttrpc/ttrpc.h"

#define TEXT_ROOM 8192  /* bytes of a file; it grows. memory.stat has some 2000 */
#define ARENA_ROOM 8192 /* bytes of an answer; more come from the heap */
#define ENVELOPE 64     /* what the transport puts around a response, and more */

int metrics_folder_open(struct metrics *metrics, enum metrics_controller controller)
{
	const char *path = metrics->paths->folders[controller];
	if (!path)
		return -1;
	path += strspn(path, "/");
	return openat(metrics->root, *path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void metrics_close(struct metrics *metrics, int fd)
{
	if (fd < 0 || metrics->flags & METRICS_LEAVE_OPEN)
		return;
	if (metrics->flags & METRICS_RESIDENT && metrics->n_held < METRICS_HELD_MAX)
		metrics->held[metrics->n_held++] = fd;
	else
		close(fd);
}

static bool text_grow(struct metrics *metrics, size_t done)
{
	size_t room = metrics->room * 4;
	if (metrics->flags & METRICS_RESIDENT)
		metrics->cut = true;
	if (metrics->cut || metrics->room == METRICS_TEXT_MAX)
		return false;
	if (room > METRICS_TEXT_MAX)
		room = METRICS_TEXT_MAX;
	char *grown = realloc(metrics->grown, room);
	if (!grown)
		return false;
	if (!metrics->grown)
		memcpy(grown, metrics->text, done);
	metrics->text = metrics->grown = grown;
	metrics->room = room;
	return true;
}

/*
 * pieces: the kernel gives what is in the file some kilobytes at a time. It makes the file of a cgroup
 * in one piece: a read that did not fill the buffer was the last.
 */
static bool text_read(struct metrics *metrics, int fd, bool pieces)
{
	size_t done = 0;
	ssize_t n;
	do {
		if (done + 1 >= metrics->room && !text_grow(metrics, done))
			return false;
		n = read(fd, metrics->text + done, metrics->room - 1 - done);
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && (pieces || done + 1 == metrics->room));
	metrics->text[done] = 0;
	return n >= 0;
}

static const char *whole_read(struct metrics *metrics, int folder, const char *name, bool pieces)
{
	int fd = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	bool whole = text_read(metrics, fd, pieces);
	metrics_close(metrics, fd);
	return whole ? metrics->text : NULL;
}

const char *metrics_file_read(struct metrics *metrics, int folder, const char *name)
{
	return whole_read(metrics, folder, name, false);
}

const char *metrics_list_read(struct metrics *metrics, const char *path)
{
	return whole_read(metrics, metrics->root, path, true);
}

bool metrics_number_read(struct metrics *metrics, int folder, const char *name,
			 uint64_t *ret_number)
{
	const char *text = metrics_file_read(metrics, folder, name);
	return text && metrics_number_take(&text, ret_number);
}

void *metrics_alloc(struct metrics *metrics, size_t size)
{
	void *memory = arena_alloc(metrics->arena, size);
	return memory ? memset(memory, 0, size) : NULL;
}

void *metrics_list(struct metrics *metrics, size_t n, size_t size)
{
	char *messages = metrics_alloc(metrics, n * size);
	void **list = metrics_alloc(metrics, n * sizeof(*list));
	for (size_t i = 0; messages && list && i < n; i++)
		list[i] = messages + i * size;
	return messages ? list : NULL;
}

char *metrics_string(struct metrics *metrics, const char *text, size_t length)
{
	char *copy = metrics_alloc(metrics, length + 1);
	return copy ? (char *)memcpy(copy, text, length)
		    : (char *)(uintptr_t)protobuf_c_empty_string;
}

/* "hugepages-2048kB" */
static bool page_size_name(const char *name, char ret_text[static METRICS_PAGE_SIZE_TEXT])
{
	static const char prefix[] = "hugepages-";
	uint64_t size;
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	name += sizeof(prefix) - 1;
	if (!metrics_digits_take(&name, &size) || size == 0 || strcmp(name, "kB") != 0)
		return false;
	const char *unit = size >= 1 << 20 ? "GB" : size >= 1 << 10 ? "MB" : "KB";
	size >>= size >= 1 << 20 ? 20 : size >= 1 << 10 ? 10 : 0;
	stpcpy(digits_put(ret_text, size), unit);
	return true;
}

size_t metrics_page_sizes(struct metrics *metrics,
			  char ret_sizes[static METRICS_PAGE_SIZES_MAX][METRICS_PAGE_SIZE_TEXT])
{
	size_t n = 0;
	struct folder folder;
	const char *name;
	unsigned char type;
	int fd = openat(metrics->root, "sys/kernel/mm/hugepages",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder_init(&folder, fd);
	while (fd >= 0 && n < METRICS_PAGE_SIZES_MAX && folder_next(&folder, &name, &type) > 0)
		n += page_size_name(name, ret_sizes[n]);
	metrics_close(metrics, fd);
	return n;
}

/* A device may have one of the two, or "max". */
static uint32_t rdma_narrow(uint64_t number)
{
	return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static size_t rdma_list(struct metrics *metrics, int folder, const char *name,
			const ProtobufCMessageDescriptor *type,
			struct metrics_rdma_entry ***ret_list)
{
	struct pair {
		uint64_t handles, objects;
	};
	static const struct metrics_key keys[] = {
		METRICS_KEY_AS(struct pair, "hca_handle", handles),
		METRICS_KEY_AS(struct pair, "hca_object", objects)};
	const char *at = metrics_file_read(metrics, folder, name);
	size_t n = at ? metrics_lines_count(at) : 0;
	struct metrics_rdma_entry **list = n > 0 ? metrics_list(metrics, n, sizeof(**list)) : NULL;
	for (n = 0; list && *at; metrics_line_skip(&at)) {
		struct pair pair = {0};
		size_t length = strcspn(at, " \n");
		const char *device = at;
		at += length;
		if (length == 0 || metrics_pairs_take(&at, keys, 2, &pair) == 0)
			continue;
		protobuf_c_message_init(type, list[n]);
		list[n]->device = metrics_string(metrics, device, length);
		list[n]->handles = rdma_narrow(pair.handles);
		list[n]->objects = rdma_narrow(pair.objects);
		n++;
	}
	*ret_list = list;
	return n;
}

void metrics_rdma_read(struct metrics *metrics, int folder, const ProtobufCMessageDescriptor *entry,
		       void *stat)
{
	struct metrics_rdma *rdma = stat;
	rdma->n_current = rdma_list(metrics, folder, "rdma.current", entry, &rdma->current);
	rdma->n_limit = rdma_list(metrics, folder, "rdma.max", entry, &rdma->limit);
}

static int response_put(struct arena *arena, const char *type_url, const void *value, size_t size,
			metrics_put_fn put, void *userdata)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Containerd__Task__V2__StatsResponse response = CONTAINERD__TASK__V2__STATS_RESPONSE__INIT;

	any.type_url = (char *)(uintptr_t)type_url;
	any.value.data = (uint8_t *)(uintptr_t)value;
	any.value.len = size;
	response.stats = &any;
	size_t packed = protobuf_c_message_get_packed_size(&response.base);
	uint8_t *bytes = packed <= TTRPC_MESSAGE_MAX - ENVELOPE ? arena_alloc(arena, packed) : NULL;
	if (!bytes)
		return -EMSGSIZE;
	protobuf_c_message_pack(&response.base, bytes);
	return put(userdata, bytes, packed);
}

int metrics_wrap(const char *type_url, const void *value, size_t size, metrics_put_fn put,
		 void *userdata)
{
	struct arena arena;
	arena_init(&arena, NULL, 0, TTRPC_MESSAGE_MAX);
	int result = response_put(&arena, type_url, value, size, put, userdata);
	arena_deinit(&arena);
	return result;
}

static int answer_put(struct arena *arena, const ProtobufCMessage *message, metrics_put_fn put,
		      void *userdata)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = arena_alloc(arena, size + 1);
	if (!bytes)
		return -EMSGSIZE;
	protobuf_c_message_pack(message, bytes);
	return response_put(arena, message->descriptor->name, bytes, size, put, userdata);
}

int metrics_answer(int root, const struct metrics_paths *paths, uint64_t oom_kills, unsigned flags,
		   metrics_put_fn put, void *userdata)
{
	_Alignas(max_align_t) uint8_t first[ARENA_ROOM];
	char text[TEXT_ROOM];
	struct arena arena;
	struct metrics metrics = {
		.paths = paths,
		.oom_kills = oom_kills,
		.root = root,
		.arena = &arena,
		.text = text,
		.room = sizeof(text),
		.flags = flags,
	};

	arena_init(&arena, first, sizeof(first),
		   flags & METRICS_RESIDENT ? sizeof(first) : METRICS_MAX);
	ProtobufCMessage *message = paths->folders[METRICS_UNIFIED] ? metrics_v2_read(&metrics)
								    : metrics_v1_read(&metrics);
	int result = !message || arena.exceeded || metrics.cut
			     ? -EMSGSIZE
			     : answer_put(&arena, message, put, userdata);
	while (metrics.n_held > 0)
		close(metrics.held[--metrics.n_held]);
	free(metrics.grown);
	arena_deinit(&arena);
	return result;
}
