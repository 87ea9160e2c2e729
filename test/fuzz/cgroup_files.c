/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a cgroup, and those that say where it is: all of them hold the same bytes. Each is a
 * link to one descriptor, so that nothing is written to a disk. The first byte says which kind it is:
 * 2 is cgroup v2, all others are v1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/metrics.h"
#include "shim/oom.h"
#include "test/fuzz/fuzz.h"

#define CONTENT 900 /* the descriptor, and where the links lead */
#define LINK "/proc/self/fd/900"

static char root_path[32];

static const char *const folders[] = {
	"group",
	"proc",
	"proc/self",
	"proc/7",
	"sys",
	"sys/kernel",
	"sys/kernel/mm",
	"sys/kernel/mm/hugepages",
	"sys/kernel/mm/hugepages/hugepages-2048kB",
};

static const char *const links[] = {
	"proc/7/cgroup",
	"proc/self/mountinfo",
	"proc/partitions",
	/* v1 */
	"group/pids.current",
	"group/pids.max",
	"group/cpu.stat",
	"group/cpuacct.stat",
	"group/cpuacct.usage",
	"group/cpuacct.usage_percpu",
	"group/memory.stat",
	"group/memory.oom_control",
	"group/memory.usage_in_bytes",
	"group/memory.memsw.limit_in_bytes",
	"group/blkio.io_serviced_recursive",
	"group/blkio.time_recursive",
	"group/blkio.throttle.io_serviced",
	"group/hugetlb.2MB.usage_in_bytes",
	"group/rdma.current",
	"group/rdma.max",
	/* v2 */
	"group/cpu.pressure",
	"group/memory.current",
	"group/memory.events",
	"group/io.stat",
	"group/io.pressure",
	"group/hugetlb.2MB.current",
	"group/hugetlb.2MB.events",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void tree_remove(void)
{
	char path[128];
	for (size_t i = 0; i < COUNT(links); i++) {
		snprintf(path, sizeof(path), "%s/%s", root_path, links[i]);
		unlink(path);
	}
	for (size_t i = COUNT(folders); i-- > 0;) {
		snprintf(path, sizeof(path), "%s/%s", root_path, folders[i]);
		rmdir(path);
	}
	rmdir(root_path);
}

static void tree_make(void)
{
	char path[128];
	if (root_path[0])
		return;
	strcpy(root_path, "/tmp/cgroup-files-XXXXXX");
	if (!mkdtemp(root_path))
		abort();
	atexit(tree_remove);
	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", root_path, folders[i]);
		mkdir(path, 0700);
	}
	for (size_t i = 0; i < COUNT(links); i++) {
		snprintf(path, sizeof(path), "%s/%s", root_path, links[i]);
		if (symlink(LINK, path) < 0)
			abort();
	}
}

static int put(void *userdata, const void *bytes, size_t size)
{
	(void)userdata;
	return size > 0 && bytes ? 0 : -EINVAL;
}

static void answer(int root, bool unified)
{
	struct metrics_paths paths = METRICS_PATHS_NULL;
	for (int i = 0; i < METRICS_CONTROLLERS; i++)
		if (unified == (i == METRICS_UNIFIED))
			paths.folders[i] = "/group";
	metrics_answer(root, &paths, 1, 0, put, NULL);
	metrics_answer(root, &paths, 1, METRICS_RESIDENT, put, NULL);
	if (metrics_paths_find(root, unified, 7, &paths) == 0)
		metrics_paths_deinit(&paths);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t kills;
	tree_make();
	int fd = memfd_create("content", MFD_CLOEXEC);
	int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool unified = size > 0 && data[0] == '2';
	data += size > 0;
	size -= size > 0;
	if (file_write_all(fd, data, size) < 0 || dup3(fd, CONTENT, O_CLOEXEC) < 0)
		abort();
	close(fd);
	answer(root, unified);
	oom_parse((const char *)data, size, &kills);
	close(CONTENT);
	close(root);
	return 0;
}
