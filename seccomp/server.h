/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECCOMP_SERVER_H
#define SECCOMP_SERVER_H
/*
 * The compiled server.policy for the architecture that is being built for. The arrays are static:
 * include this in one file only. See compile.c for what they hold.
 */
#include <linux/audit.h>
#include <linux/filter.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#include "seccomp/server_x86_64.h"
#define SECCOMP_SERVER seccomp_server_x86_64
#define SECCOMP_NAMES seccomp_names_x86_64
#define SECCOMP_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && !defined(__ILP32__) && !defined(__AARCH64EB__)
#include "seccomp/server_aarch64.h"
#define SECCOMP_SERVER seccomp_server_aarch64
#define SECCOMP_NAMES seccomp_names_aarch64
#define SECCOMP_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the server's policy is compiled for x86_64 and aarch64 only; see seccomp/compile.c"
#endif

#endif
