/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's beginning: which of its forms was asked for. All of them are short-lived. The
 * resident form, which has no verb, is never exec'd: `start` forks it, and only gives it the command
 * line that it would have.
 */
#include "shim/main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/file.h"
#include "shim/flags.h"
#include "shim/log.h"
#include "shim/message.h"
#include "shim/pages.h"
#include "shim/version.h"

/* A later open() must not become standard output, into which the answer is written. */
static int standard_open(void)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static const char *program_name(const struct shim_config *config, char **argv)
{
	const char *path = argv && argv[0] ? argv[0] : config->runtime->name;
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

int main_fail(const struct shim_config *config, const char *format, ...)
{
	char text[RUNTIME_ERROR_MAX];
	va_list arguments;

	int length = snprintf(text, sizeof(text), "%.200s: ", config->runtime->name);
	va_start(arguments, format);
	vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	va_end(arguments);
	failure_clean(text);
	file_write_all(STDERR_FILENO, text,
		       strlen(text)); /* if it fails, nobody is left to be told */
	return 1;
}

int main_errno(struct failure *failure, const char *what, const char *name)
{
	return failure_set(failure, "%s %s: %s", what, name, failure_errno(errno));
}

int main_report(const struct shim_config *config, const struct failure *failure, int result)
{
	return main_fail(config, "%s",
			 result == FAILURE_REFUSED ? failure->text : failure_errno(-result));
}

int main_answer(const void *bytes, size_t size)
{
	return file_write_all(STDOUT_FILENO, bytes, size);
}

void main_task(const struct shim_config *config, struct runtime_task *task)
{
	task->namespace_ = config->namespace_;
	task->id = config->id;
	task->exec_id = task->bundle = task->options.type_url = "";
	task->console_socket = task->json = task->checkpoint = task->parent_checkpoint = "";
	for (int i = 0; i < 3; i++)
		task->stdio[i] = -1;
	for (int i = 0; i < RUNTIME_KEEP_MAX; i++)
		task->keep[i] = -1;
	task->log_fd = log_fd();
}

static int version_main(const struct shim_config *config, const char *program)
{
	char text[512];
	int length = snprintf(text, sizeof(text),
			      "%.100s:\n  Version:  %s\n  Revision: %s\n  Runtime:  %.100s\n\n",
			      program, SHIM_VERSION, shim_revision, config->runtime->name);
	int result = main_answer(text, (size_t)length);
	return result < 0 ? main_fail(config, "cannot print: %s", failure_errno(-result)) : 0;
}

static int verb_main(const struct shim_config *config)
{
	if (!*config->namespace_)
		return main_fail(config, "shim namespace cannot be empty");
	if (!id_valid(config->namespace_))
		return main_fail(config, "invalid namespace \"%.128s\"", config->namespace_);
	if (!*config->id)
		return main_fail(config, "shim id cannot be empty");
	if (!id_valid(config->id))
		return main_fail(config, "invalid id \"%.128s\"", config->id);
	if (strcmp(config->verb, "start") == 0)
		return start_main(config);
	if (strcmp(config->verb, "delete") == 0)
		return delete_main(config);
	if (*config->verb)
		return main_fail(config, "unknown command \"%.64s\"", config->verb);
	return main_fail(config, "the server is only run by start");
}

/*
 * A reader that is gone and a limit on the size of files are errors of write(2) like others. Children
 * are waited for: a caller that ignored SIGCHLD left it ignored, and the kernel would reap them.
 */
static void signals_prepare(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

int shim_main(const struct runtime *runtime, int argc, char **argv)
{
	struct shim_config config = {.runtime = runtime};
	struct flags_error error;

	signals_prepare();
	int result = pages_protect();
	if (result < 0)
		return main_fail(&config, "mprotect: %s", failure_errno(-result));
	result = standard_open();
	if (result < 0)
		return main_fail(&config, "/dev/null: %s", failure_errno(-result));
	const char *program = program_name(&config, argv);
	switch (flags_parse(argc, argv, &config, &error)) {
	case FLAGS_OK:
		break;
	case FLAGS_HELP:
		flags_usage(STDERR_FILENO, program);
		return 0;
	case FLAGS_BAD:
		dprintf(STDERR_FILENO, "%s\n", error.text);
		flags_usage(STDERR_FILENO, program);
		return 2;
	}
	config.runtime = runtime;
	if (config.version)
		return version_main(&config, program);
	if (config.info)
		return info_main(&config);
	return verb_main(&config);
}
