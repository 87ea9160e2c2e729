/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of refusals. They reach clients as protobuf strings, and a Go client drops the whole answer
 * if one is not valid UTF-8: so what runtimes and files contributed is cleaned here.
 *
 * The words for errnos are the kernel's as glibc and Go spell them, not musl's: tools look for them
 * (docker makes exit status 126 and 127 of "permission denied" and "no such file or directory").
 */
#include "shim/failure.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct failure *failure, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(failure->text, sizeof(failure->text), format, arguments);
	va_end(arguments);
	failure_clean(failure->text);
	return FAILURE_REFUSED;
}

void failure_prefix(struct failure *failure, const char *prefix)
{
	struct failure bare = *failure;

	failure_set(failure, "%s%s", prefix, bare.text);
}

/* The length of the UTF-8 sequence at text; 0: it is none (overlong, a surrogate, cut off). */
static size_t sequence_length(const unsigned char *text)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80         ? 1
			: (text[0] >> 5) == 6  ? 2
			: (text[0] >> 4) == 14 ? 3
			: (text[0] >> 3) == 30 ? 4
					       : 0;
	uint32_t code;

	if (length < 2)
		return length;
	code = text[0] & (0xffu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	if (code < lowest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

void failure_clean(char *text)
{
	unsigned char *from = (unsigned char *)text, *to = from;

	while (isspace(*from))
		from++;
	while (*from) {
		size_t length = sequence_length(from);

		if (length > 1) {
			memmove(to, from, length);
			to += length;
			from += length;
			continue;
		}
		*to++ = length == 0 ? '?' : iscntrl(*from) ? ' ' : *from;
		from++;
	}
	while (to > (unsigned char *)text && to[-1] == ' ')
		to--;
	*to = '\0';
}

const char *failure_errno(int error)
{
	static const struct {
		int error;
		const char *words;
	} names[] = {
		{EIO, "input/output error"},
		{ECHILD, "no child processes"},
		{ENOMEM, "cannot allocate memory"},
		{EBUSY, "device or resource busy"},
		{EXDEV, "invalid cross-device link"},
		{EMFILE, "too many open files"},
		{ENOTTY, "inappropriate ioctl for device"},
		{ESPIPE, "illegal seek"},
		{EDEADLK, "resource deadlock avoided"},
		{ENAMETOOLONG, "file name too long"},
		{ELOOP, "too many levels of symbolic links"},
		{EOVERFLOW, "value too large for defined data type"},
		{ELIBBAD, "accessing a corrupted shared library"},
		{EUSERS, "too many users"},
		{ENOTSOCK, "socket operation on non-socket"},
		{EMSGSIZE, "message too long"},
		{EOPNOTSUPP, "operation not supported"},
		{EADDRINUSE, "address already in use"},
		{EADDRNOTAVAIL, "cannot assign requested address"},
		{ENOTCONN, "transport endpoint is not connected"},
		{ETIMEDOUT, "connection timed out"},
		{EUCLEAN, "structure needs cleaning"},
		{EDQUOT, "disk quota exceeded"},
	};
	static char words[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].words;
	snprintf(words, sizeof(words), "%s", strerror(error));
	words[0] = (char)tolower((unsigned char)words[0]);
	return words;
}
