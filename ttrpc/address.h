/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_ADDRESS_H
#define TTRPC_ADDRESS_H
/*
 * The addresses that containerd's world writes down, for connecting and listening:
 *
 *     /path, unix:///path          a unix socket
 *     @name, unix://@name          an abstract name, without a NUL at its end
 *     @name@                       the same with one, as old Go programs have it
 *     tcp://127.0.0.1:80, tcp://[::1]:80
 *     vsock://cid:port, where -1 stands for any cid
 */
#include <sys/socket.h>

struct address {
	struct sockaddr_storage name;
	socklen_t size;
};

/* -EINVAL, -ENAMETOOLONG. */
int address_parse(const char *text, struct address *ret_address);

/* A socket of the address's kind; TCP and vsock don't wait for more to send. */
int address_socket(const struct address *address, int flags, int *ret_fd);
void address_no_delay(int fd);

#endif
