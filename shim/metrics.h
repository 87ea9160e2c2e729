/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_METRICS_H
#define SHIM_METRICS_H
/*
 * What a container uses, as the answer of Stats, from the files of its cgroups. Each host
 * has one kind of answer: io.containerd.cgroups.v2.Metrics where cgroup v2 is mounted alone, else
 * io.containerd.cgroups.v1.Metrics. (A client takes the other kind for nonsense.)
 *
 * A file that is missing or cannot be read leaves zeros; so a container whose cgroups are gone has an
 * answer of zeros. But for one number: how many of its processes were killed for want of memory, which
 * clients ask for after the exit, is then what the server has counted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/metrics_paths.h"
#include "ttrpc/arena.h"

#define METRICS_TEXT_MAX (4u << 20) /* bytes of one file; a larger one counts as missing */
#define METRICS_MAX (3u << 20)      /* bytes of the decoded answer; beyond: -EMSGSIZE */

#define METRICS_HELD_MAX 64 /* files that are closed when the answer is on its way */

/* What the readers of the two kinds work with. */
struct metrics {
	const struct metrics_paths *paths;
	uint64_t oom_kills;  /* as the server counted */
	int root;            /* a folder that stands for "/" */
	struct arena *arena; /* messages, lists and strings of the answer */
	char *text;          /* of the file that was read last */
	size_t room;
	char *grown; /* NULL: text lies in metrics_answer()'s own memory */
	unsigned flags;
	bool cut; /* METRICS_RESIDENT kept a file from being read */
	int held[METRICS_HELD_MAX];
	size_t n_held;
};

enum metrics_flags {
	/*
	 * For a process that ends when it has passed on the answer, which all wait for: of the time
	 * that the files take, closing them is a fourth.
	 */
	METRICS_LEAVE_OPEN = 1,
	/*
	 * For a process that stays: an answer that does not fit on the stack is -EMSGSIZE, and what
	 * was opened is closed after put().
	 */
	METRICS_RESIDENT = 2,
};

/* Where the answer's bytes go. Returns 0, or what metrics_answer() is to return. */
typedef int (*metrics_put_fn)(void *userdata, const void *bytes, size_t size);

/*
 * Gives put() the packed containerd.task.v2.StatsResponse. Returns what that did, or a negative errno;
 * -EMSGSIZE: it is too large. root: as in metrics_paths.h.
 */
int metrics_answer(int root, const struct metrics_paths *paths, uint64_t oom_kills, unsigned flags,
		   metrics_put_fn put, void *userdata);

/* The same of metrics that somebody else made: a message of that type, packed. */
int metrics_wrap(const char *type_url, const void *value, size_t size, metrics_put_fn put,
		 void *userdata);

/* ---- for the readers ---- */

/* metrics_v1.c, metrics_v2.c: the message, in the arena; NULL: no memory. */
ProtobufCMessage *metrics_v1_read(struct metrics *metrics);
ProtobufCMessage *metrics_v2_read(struct metrics *metrics);

/* A folder of a cgroup. -1: the container has none, or it is gone. */
int metrics_folder_open(struct metrics *metrics, enum metrics_controller controller);
void metrics_close(struct metrics *metrics, int fd); /* now or later; may be -1 */

/* A whole file, until the next one is read. NULL: it cannot be read. folder may be -1. */
const char *metrics_file_read(struct metrics *metrics, int folder, const char *name);

/* The same of a file that is no cgroup's, as /proc/partitions; path is below root. */
const char *metrics_list_read(struct metrics *metrics, const char *path);

/* A file of one number. False: there is none, and the number is left alone. */
bool metrics_number_read(struct metrics *metrics, int folder, const char *name,
			 uint64_t *ret_number);

/* Zeroed memory that lives as long as the answer. NULL: no memory, or too much of it
 * for one answer; then there will be none. */
void *metrics_alloc(struct metrics *metrics, size_t size);

/* A copy of length bytes and a NUL; "" without memory. */
char *metrics_string(struct metrics *metrics, const char *text, size_t length);

/* The sizes of huge pages that the host has, in the kernel's spelling: "2MB", "1GB". Returns how many. */
#define METRICS_PAGE_SIZES_MAX 16
#define METRICS_PAGE_SIZE_TEXT 24
size_t metrics_page_sizes(struct metrics *metrics,
			  char ret_sizes[static METRICS_PAGE_SIZES_MAX][METRICS_PAGE_SIZE_TEXT]);

/* n messages of size bytes each, zeroed, by their addresses. NULL: as with metrics_alloc(). */
void *metrics_list(struct metrics *metrics, size_t n, size_t size);

/* RdmaEntry and RdmaStat, which are alike in both kinds; "max" is 2^32 - 1. */
struct metrics_rdma_entry {
	ProtobufCMessage base;
	char *device;
	uint32_t handles, objects;
};
struct metrics_rdma {
	ProtobufCMessage base;
	size_t n_current;
	struct metrics_rdma_entry **current;
	size_t n_limit;
	struct metrics_rdma_entry **limit;
};
#define METRICS_RDMA_CHECK(kind)                                                                   \
	_Static_assert(sizeof(kind(RdmaStat)) == sizeof(struct metrics_rdma) &&                    \
			       sizeof(kind(RdmaEntry)) == sizeof(struct metrics_rdma_entry) &&     \
			       offsetof(kind(RdmaStat), n_limit) ==                                \
				       offsetof(struct metrics_rdma, n_limit) &&                   \
			       offsetof(kind(RdmaEntry), hca_objects) ==                           \
				       offsetof(struct metrics_rdma_entry, objects),               \
		       "metrics_rdma_read() writes them")
/* entry: the kind's RdmaEntry. stat: its RdmaStat, whose lists are filled in. */
void metrics_rdma_read(struct metrics *metrics, int folder, const ProtobufCMessageDescriptor *entry,
		       void *stat);

#endif
