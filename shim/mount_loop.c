/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel names a device that is free; before it is ours another may have taken it, so this is
 * tried for a while. LOOP_CONFIGURE (since 5.8) does in one step what takes two before.
 */
#include "shim/mount_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOOP_TRIES 100

#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
struct loop_config {
	__u32 fd;
	__u32 block_size;
	struct loop_info64 info;
	__u64 reserved[8];
};
#endif

struct loop_request {
	int file;
	struct loop_info64 info;
};

static int device_open(int control, int access, char name[static MOUNT_LOOP_NAME_SIZE])
{
	int number = ioctl(control, LOOP_CTL_GET_FREE), fd;

	if (number < 0)
		return -errno;
	snprintf(name, MOUNT_LOOP_NAME_SIZE, "/dev/loop%d", number);
	fd = open(name, access | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* In two steps the device is another's to see in between, but not to take. */
static int device_configure_old(int device, const struct loop_request *request)
{
	struct loop_info64 info = request->info;
	bool direct = info.lo_flags & LO_FLAGS_DIRECT_IO;
	int error;

	info.lo_flags &= ~(unsigned)LO_FLAGS_DIRECT_IO;
	if (ioctl(device, LOOP_SET_FD, request->file) < 0)
		return -errno;
	if (ioctl(device, LOOP_SET_STATUS64, &info) == 0 &&
	    (!direct || ioctl(device, LOOP_SET_DIRECT_IO, 1ul) == 0))
		return 0;
	error = errno;
	ioctl(device, LOOP_CLR_FD, 0);
	return -error;
}

static int device_configure(int device, const struct loop_request *request)
{
	struct loop_config config = {.fd = (unsigned)request->file, .info = request->info};

	if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
		return 0;
	return errno == EINVAL || errno == ENOTTY ? device_configure_old(device, request) : -errno;
}

static int attach(const struct loop_request *request, char name[static MOUNT_LOOP_NAME_SIZE])
{
	int access = request->info.lo_flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR;
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), device, r = -EBUSY;

	if (control < 0)
		return -errno;
	for (int i = 0; i < LOOP_TRIES && r == -EBUSY; i++) {
		device = device_open(control, access, name);
		r = device < 0 ? device : device_configure(device, request);
		if (r < 0 && device >= 0)
			close(device);
	}
	close(control);
	return r < 0 ? r : device;
}

int mount_loop_attach(const char *file, bool read_only, bool direct_io,
		      char name[static MOUNT_LOOP_NAME_SIZE], int *ret_fd,
		      struct failure *ret_failure)
{
	struct loop_request request = {0};
	int r;

	request.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0u) |
				(direct_io ? LO_FLAGS_DIRECT_IO : 0u);
	snprintf((char *)request.info.lo_file_name, LO_NAME_SIZE, "%s", file);
	request.file = open(file, (read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
	r = request.file < 0 ? -errno : attach(&request, name);
	if (request.file >= 0)
		close(request.file);
	if (r < 0)
		return failure_set(ret_failure, "loop device for %s: %s", file, failure_errno(-r));
	*ret_fd = r;
	return 0;
}
