/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_ENDPOINT_H
#define SHIM_ENDPOINT_H
/*
 * The shim's listening socket, as the short-lived verbs make and sweep it. What stands at its path is
 * decided under a lock on the folder, so that of two starts of one group the second finds the first's
 * socket listening, and nobody removes a socket that another has just made.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "shim/address.h"
#include "shim/failure.h"

struct endpoint {
	int fd; /* -1: a running shim answers there (served), or closed */
	bool served;
	char path[ADDRESS_PATH_SIZE];
	dev_t device; /* the socket file that was made here */
	ino_t inode;
};

/*
 * Makes the folder (0700) if it is missing, and the socket (0600), listening; unless one is there
 * that can be connected to. Refused: a folder to which others may write, or a link to one.
 */
int endpoint_open(const char *path, struct endpoint *ret_endpoint, struct failure *ret_failure);

void endpoint_close(struct endpoint *endpoint); /* leaves the socket to who else has it */
/* Takes the socket file away as well, if it was made here. */
void endpoint_remove(struct endpoint *endpoint);

/* Removes the socket at path if nobody listens on it. 0, or a negative errno. */
int endpoint_sweep(const char *path);

#endif
