/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_ADDRESS_H
#define SHIM_ADDRESS_H
/*
 * Where a shim's socket is. The address is "unix://" and a path; the path is a folder and the SHA-256
 * of who the shim serves: containerd's own address, the namespace and the group of containers. Other
 * programs compute it too, so the formula is fixed. The bundle's file `address` holds the address.
 */
#include <stddef.h>
#include <sys/un.h>

#include "shim/failure.h"

#define ADDRESS_SCHEME "unix://"
#define ADDRESS_FOLDER "/run/containerd/s"
#define ADDRESS_FILE "address"
#define ADDRESS_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path) /* with the NUL */

/*
 * The parts that are not empty, joined with '/', and the whole made canonical without looking at the
 * file system: no "//", ".", inner "..". On the heap; NULL: out of memory.
 */
char *address_join(const char *const *parts, size_t n_parts);

/* Refused: the path is too long for a socket, or folder is not absolute. */
int address_socket_path(const char *folder, const char *containerd, const char *namespace_,
			const char *group, char ret_path[static ADDRESS_PATH_SIZE],
			struct failure *ret_failure);

/* The path in an address that may have the scheme or not. */
const char *address_path(const char *address);

/*
 * The path of containerd's ttrpc socket: ttrpc if it is not empty, else what containerd's default for
 * its grpc address is. Both empty: "". Refused: too long.
 */
int address_publisher(const char *ttrpc, const char *grpc, char ret_path[static ADDRESS_PATH_SIZE],
		      struct failure *ret_failure);

/* The file `address` in the working directory: written anew and renamed. 0 or a negative errno. */
int address_file_write(const char *path);
void address_file_remove(void);

/* The path in it. -ENOENT: no file; -EBADMSG: no address of a socket that a shim makes. */
int address_file_read(char ret_path[static ADDRESS_PATH_SIZE]);

#endif
