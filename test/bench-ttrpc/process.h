/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BENCH_TTRPC_PROCESS_H
#define TEST_BENCH_TTRPC_PROCESS_H
/*
 * A program that is measured, or measures: started on one CPU, its standard output a pipe. What can't
 * be done ends the bench with a message.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_ARGUMENTS_MAX 16

struct process {
	pid_t pid;
	int output;
	const char *name;
};

/* What meter_print() says. */
struct result {
	double calls, measured, nanoseconds, p50, p99;
};

/* arguments ends with NULL. cpu -1: any. */
struct process process_start(int cpu, const char *const *arguments);

/* Starts a server of prefix, SOCKET, suffix, and waits until it listens. prefix ends with NULL. */
struct process process_serve(int cpu, const char *const *prefix, const char *socket,
			     const char *const *suffix);
void process_line(const struct process *process, char *ret_line, int size);
bool process_result(struct process *process, struct result *ret_result); /* and its end */
void process_stop(struct process *process);

uint64_t process_cpu(pid_t pid); /* nanoseconds, of all threads, the kernel's time for them too */
long process_private(pid_t pid); /* bytes of memory that is its alone, of files too */
long process_dirty(pid_t pid);   /* that part of it which no file has */
int process_descriptors(pid_t pid);
void process_pause(unsigned milliseconds);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
