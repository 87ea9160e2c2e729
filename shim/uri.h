/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIM_URI_H
#define SHIM_URI_H
/*
 * The URIs that name where a process's output goes: SCHEME://HOST/PATH?KEY=VALUE&KEY=VALUE#REST. A
 * plain path is none. For workers: they allocate, and nothing is to be freed.
 */
#include <stdbool.h>
#include <stddef.h>

#define URI_PAIRS_MAX 256 /* of a query; above: -E2BIG */

/* The length of a URI's scheme without its colon; 0: it is a plain path. */
size_t uri_scheme(const char *uri);
bool uri_has_scheme(const char *uri, const char *scheme);

/* The path with its percent signs decoded. -EBADMSG: they are wrong, or hide a NUL; or -ENOMEM. */
int uri_path(const char *uri, char **ret_path);

/*
 * The query as the arguments of a program: each key and its first value, in the order given, behind
 * program, with NULL at the end. What is not decodable is left out.
 */
int uri_arguments(const char *uri, const char *program, const char ***ret_arguments);

#endif
