/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TTRPC_GEN_NAME_H
#define TTRPC_GEN_NAME_H
/*
 * C names of what a .proto names. The messages' names are protoc-c's and must be what it makes:
 *
 *     package.v1.FooBar     Package__V1__FooBar      type
 *                           package__v1__foo_bar     its functions and descriptor
 *                           package_v1_foo_bar       ours, for services
 */
#include <stdbool.h>

#include "ttrpc/gen/pool.h"

char *name_type(struct pool *pool, const char *proto_name);
char *name_lower(struct pool *pool, const char *proto_name, const char *separator);

/* A file's name as the part of an identifier that no other file's name becomes. */
char *name_guard(struct pool *pool, const char *file_name);

bool name_is_c_word(const char *name);   /* protoc-c's struct of a service would not compile in C */
bool name_is_cxx_word(const char *name); /* not in C++; c words are not asked for */
bool name_is_macro(const char *name); /* protoc-c's struct compiles; ours had better not have it */

/* ttrpc_call and what begins with ttrpc_call_, and so on. */
bool name_is_library(const char *name);

#endif
