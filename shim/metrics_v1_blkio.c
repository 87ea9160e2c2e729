/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container read from block devices and wrote to them, on cgroup v1. The schedulers that count
 * for themselves (CFQ, BFQ) have eight lists; where they counted nothing, the throttling layer has two.
 *
 * A line is "254:0 Read 4096", or "254:0 4096" in lists without operations. Sums over all devices,
 * "Total 4096", are left out.
 */
#include <string.h>
#include <unistd.h>

#include "shim/metrics_text.h"
#include "shim/metrics_v1.h"

/* Where a list is in the message: the offset of its number, which the list follows. */
struct list {
	const char *file;
	size_t offset;
};

#define LIST(file, field)                                                                          \
	{                                                                                          \
		file, offsetof(V1(BlkIOStat), n_##field)                                           \
	}

static const struct list scheduler_lists[] = {
	LIST("blkio.sectors_recursive", sectors_recursive),
	LIST("blkio.io_service_bytes_recursive", io_service_bytes_recursive),
	LIST("blkio.io_serviced_recursive", io_serviced_recursive),
	LIST("blkio.io_queued_recursive", io_queued_recursive),
	LIST("blkio.io_service_time_recursive", io_service_time_recursive),
	LIST("blkio.io_wait_time_recursive", io_wait_time_recursive),
	LIST("blkio.io_merged_recursive", io_merged_recursive),
	LIST("blkio.time_recursive", io_time_recursive),
};

static const struct list throttle_lists[] = {
	LIST("blkio.throttle.io_serviced", io_serviced_recursive),
	LIST("blkio.throttle.io_service_bytes", io_service_bytes_recursive),
};

/* As protobuf-c lays out every repeated field. */
struct entries {
	size_t n;
	V1(BlkIOEntry) * *list;
};

static bool line_take(struct metrics *metrics, const char **at, V1(BlkIOEntry) * entry)
{
	if (!metrics_device_take(at, &entry->major, &entry->minor))
		return false;
	*at += **at == ' ';
	if (**at < '0' || **at > '9') {
		size_t length = strcspn(*at, " \n");
		entry->op = metrics_string(metrics, *at, length);
		*at += length;
		*at += **at == ' ';
	}
	return metrics_number_take(at, &entry->value);
}

static void entries_read(struct metrics *metrics, int folder, const char *file,
			 struct entries *entries)
{
	const char *at = metrics_file_read(metrics, folder, file);
	if (!at || !*at)
		return;
	size_t lines = metrics_lines_count(at);
	entries->list = metrics_list(metrics, lines, sizeof(**entries->list));
	for (; entries->list && *at; metrics_line_skip(&at)) {
		V1(BlkIOEntry) entry = V1_INIT(BLK_IOENTRY);
		if (!line_take(metrics, &at, &entry))
			continue;
		*entries->list[entries->n++] = entry;
	}
}

/* Returns how many entries there were. */
static size_t lists_read(struct metrics *metrics, int folder, const struct list *lists, size_t n,
			 V1(BlkIOStat) * stat)
{
	size_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		struct entries *entries = (void *)((char *)stat + lists[i].offset);
		entries_read(metrics, folder, lists[i].file, entries);
		sum += entries->n;
	}
	return sum;
}

/* A line of /proc/partitions: "MAJOR MINOR BLOCKS NAME" with blanks before it; its head is none. */
struct device {
	uint64_t major, minor;
	char *path;
};

static bool device_take(struct metrics *metrics, const char **at, struct device *device)
{
	uint64_t blocks, *const numbers[] = {&device->major, &device->minor, &blocks};
	for (size_t i = 0; i < 3; i++) {
		*at += strspn(*at, " ");
		if (!metrics_number_take(at, numbers[i]))
			return false;
	}
	*at += strspn(*at, " ");
	size_t length = strcspn(*at, "\n");
	device->path = metrics_alloc(metrics, sizeof("/dev/") + length);
	if (!device->path)
		return false;
	memcpy(stpcpy(device->path, "/dev/"), *at, length);
	return length > 0;
}

static size_t devices_read(struct metrics *metrics, struct device **ret_devices)
{
	const char *at = metrics_list_read(metrics, "proc/partitions");
	struct device *devices = NULL;
	size_t n = 0;
	if (at)
		devices = metrics_alloc(metrics, (metrics_lines_count(at) + 1) * sizeof(*devices));
	for (; devices && *at; metrics_line_skip(&at))
		n += device_take(metrics, &at, &devices[n]);
	*ret_devices = devices;
	return n;
}

static char *device_name(const struct device *devices, size_t n, const V1(BlkIOEntry) * entry)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i].major == entry->major && devices[i].minor == entry->minor)
			return devices[i].path;
	return entry->device;
}

static void devices_name(struct metrics *metrics, V1(BlkIOStat) * stat)
{
	struct device *devices;
	size_t n = devices_read(metrics, &devices);
	for (size_t i = 0; i < sizeof(scheduler_lists) / sizeof(scheduler_lists[0]); i++) {
		struct entries *entries = (void *)((char *)stat + scheduler_lists[i].offset);
		for (size_t k = 0; k < entries->n; k++)
			entries->list[k]->device = device_name(devices, n, entries->list[k]);
	}
}

void metrics_v1_blkio(struct metrics *metrics, int folder, V1(BlkIOStat) * ret_stat)
{
	size_t n = 0;
	if (folder >= 0 && faccessat(folder, "blkio.io_serviced_recursive", F_OK, 0) == 0)
		n = lists_read(metrics, folder, scheduler_lists,
			       sizeof(scheduler_lists) / sizeof(scheduler_lists[0]), ret_stat);
	if (n == 0)
		n = lists_read(metrics, folder, throttle_lists,
			       sizeof(throttle_lists) / sizeof(throttle_lists[0]), ret_stat);
	if (n > 0)
		devices_name(metrics, ret_stat);
}
