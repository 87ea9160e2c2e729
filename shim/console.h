/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_CONSOLE_H
#define SHIM_CONSOLE_H
/*
 * Where an OCI runtime sends the master of a terminal that it has made: a unix stream socket that
 * listens, to which it connects and sends one message, some name with one descriptor beside it.
 *
 *   console_open()      the socket, in a folder of its own; its path is for the runtime
 *   (the runtime runs: it connects, sends and goes on; connection and message wait in the socket)
 *   console_receive()   the master
 *   console_close()     socket and folder are gone
 *
 * For workers: it blocks. Whatever ends the worker, the folder goes with it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shim/failure.h"

#define CONSOLE_WAIT_SECONDS 10 /* for a runtime that has succeeded and sent nothing */
#define CONSOLE_NAME_SIZE 4096  /* of a message; what is not shorter is refused */
#define CONSOLE_FDS_MAX 4       /* that are looked at; a message has one */

struct console {
	int listen_fd;
	int cleaner_fd;    /* the cleaner waits for its end, or a byte */
	pid_t cleaner_pid; /* 0: none */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

#define CONSOLE_NULL ((struct console){.listen_fd = -1, .cleaner_fd = -1})

int console_open(struct console *console, struct failure *ret_failure);
/* Waits up to that long. The master is non-blocking and close-on-exec, and the caller's. */
int console_receive(const struct console *console, int seconds, int *ret_master,
		    struct failure *ret_failure);
void console_close(struct console *console); /* leaves CONSOLE_NULL; may be called again */

/*
 * What came: size bytes and the control data in header. Stores up to CONSOLE_FDS_MAX descriptors,
 * however bad the message is, for the caller to close; refused unless it is one of one descriptor.
 */
int console_message_read(const struct msghdr *header, size_t size, int fds[CONSOLE_FDS_MAX],
			 size_t *ret_n, struct failure *ret_failure);

#endif
