/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's log: see log.h. A line is one write of at most PIPE_BUF bytes, so lines never mix. */
#include "shim/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/config.h"

#define LOG_LINE_MAX 2048
_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line must be one atomic write");

static struct {
	const struct shim_config *config;
	int fd;
	bool debug;
	unsigned dropped;
} shim_log_state = {.fd = -1};

static const char *const level_names[] = {
	[SHIM_LOG_DEBUG] = "debug",
	[SHIM_LOG_INFO] = "info",
	[SHIM_LOG_WARNING] = "warning",
	[SHIM_LOG_ERROR] = "error",
};

void log_open(const struct shim_config *config, int fd, bool debug)
{
	shim_log_state.config = config;
	shim_log_state.fd = fd;
	shim_log_state.debug = debug;
}

int log_fd(void)
{
	return shim_log_state.fd;
}

/* Quotes and control characters would end the value early or forge a second line. */
static size_t text_quote(char *to, size_t size, const char *from)
{
	size_t n = 0;
	for (; *from && n + 2 < size; from++) {
		unsigned char c = (unsigned char)*from;
		if (c == '"' || c == '\\')
			to[n++] = '\\';
		to[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	to[n] = 0;
	return n;
}

static size_t time_format(char *to, size_t size)
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	/* strftime(3) would bring libc's locales and time zones along, 7 kB of them. */
	return (size_t)snprintf(to, size, "time=\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\"",
				utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
				utc.tm_min, utc.tm_sec, now.tv_nsec);
}

void log_write_v(enum shim_log_level level, const char *id, const char *format, va_list arguments)
{
	if (shim_log_state.fd < 0 || (level == SHIM_LOG_DEBUG && !shim_log_state.debug))
		return;
	const struct shim_config *config = shim_log_state.config;
	char line[LOG_LINE_MAX], message[LOG_LINE_MAX / 2];

	vsnprintf(message, sizeof(message), format, arguments);
	size_t n = time_format(line, sizeof(line));
	n += (size_t)snprintf(line + n, sizeof(line) - n, " level=%s msg=\"", level_names[level]);
	n += text_quote(line + n, LOG_LINE_MAX * 3 / 4 - n, message);
	int tail = snprintf(line + n, sizeof(line) - n,
			    "\" id=%.128s namespace=%.76s runtime=%.76s%s", id, config->namespace_,
			    config->runtime->name, shim_log_state.dropped ? " dropped=" : "");
	n += tail > 0 ? (size_t)tail : 0;
	if (n > sizeof(line) - 16)
		n = sizeof(line) - 16;
	if (shim_log_state.dropped)
		n += (size_t)snprintf(line + n, 12, "%u", shim_log_state.dropped % 1000000000);
	line[n++] = '\n';
	if (write(shim_log_state.fd, line, n) == (ssize_t)n)
		shim_log_state.dropped = 0;
	else
		shim_log_state.dropped++;
}

void log_write(enum shim_log_level level, const char *id, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write_v(level, id, format, arguments);
	va_end(arguments);
}

void shim_log(const struct runtime_task *task, enum shim_log_level level, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write_v(level, task->id, format, arguments);
	va_end(arguments);
}

int runtime_fail(struct runtime_task *task, enum runtime_code code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	task->error_code = code;
	vsnprintf(task->error, sizeof(task->error), format, arguments);
	va_end(arguments);
	return -EREMOTEIO;
}
