/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.json: the last error of this command, not of one before it, whatever else the file holds.
 */
#include "shim/runc_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/test.h"

static char path[] = "/tmp/mote-log-XXXXXX";

static int begin(void)
{
	int fd = mkstemp(path);

	ASSERT(fd >= 0);
	return fd;
}

static void add(int fd, const char *text)
{
	ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void end(int fd)
{
	close(fd);
	unlink(path);
}

TEST(last_error)
{
	struct failure message;
	int fd = begin();

	add(fd, "{\"level\":\"error\",\"msg\":\"first\",\"time\":\"t\"}\n"
		"{\"level\":\"error\",\"msg\":\" second \\n\",\"time\":\"t\"}\n"
		"{\"level\":\"warning\",\"msg\":\"third\",\"time\":\"t\"}\n");
	ASSERT_EQ(runc_log_last_error(path, 0, &message), 1);
	ASSERT_STR(message.text, "second");
	add(fd, "{\"level\":\"fatal\",\"msg\":\"fourth\"}");
	ASSERT_EQ(runc_log_last_error(path, 0, &message), 1);
	ASSERT_STR(message.text, "fourth");
	end(fd);
}

TEST(only_what_is_new)
{
	struct failure message = {"untouched"};
	int fd = begin();
	off_t size;

	ASSERT_EQ(runc_log_size(path), 0);
	add(fd, "{\"level\":\"error\",\"msg\":\"old\"}\n");
	size = runc_log_size(path);
	ASSERT_EQ(size, 30);
	ASSERT_EQ(runc_log_last_error(path, size, &message), 0);
	add(fd, "{\"level\":\"info\",\"msg\":\"x\"}\n");
	ASSERT_EQ(runc_log_last_error(path, size, &message), 0);
	ASSERT_STR(message.text, "untouched");
	add(fd, "{\"level\":\"error\",\"msg\":\"new\"}\n");
	ASSERT_EQ(runc_log_last_error(path, size, &message), 1);
	ASSERT_STR(message.text, "new");
	/* A file that was emptied meanwhile is all new. */
	ASSERT_EQ(ftruncate(fd, 0), 0);
	ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
	add(fd, "{\"level\":\"error\",\"msg\":\"e\"}\n");
	ASSERT_EQ(runc_log_last_error(path, size, &message), 1);
	ASSERT_STR(message.text, "e");
	end(fd);
}

TEST(garbage)
{
	struct failure message;
	int fd = begin();

	add(fd, "{\"level\":\"error\",\"msg\":\"good\"}\n"
		"\n"
		"panic: something\n"
		"[1,2]\n"
		"{\"level\":\"error\",\"msg\":3}\n"
		"{\"level\":\"error\",\"msg\":\"\"}\n"
		"{\"level\":\"error\",\"msg\":\"bad \xff\"}\n"
		"{\"level\":\"err");
	ASSERT_EQ(runc_log_last_error(path, 0, &message), 1);
	ASSERT_STR(message.text, "good");
	end(fd);
}

TEST(missing)
{
	struct failure message;

	ASSERT_EQ(runc_log_size("/no/such/log.json"), 0);
	ASSERT_EQ(runc_log_last_error("/no/such/log.json", 0, &message), -ENOENT);
}

/* Of a flood the end is read. */
TEST(flood)
{
	struct failure message;
	int fd = begin();

	add(fd, "{\"level\":\"error\",\"msg\":\"far away\"}\n");
	ASSERT_EQ(ftruncate(fd, 3 * (off_t)RUNC_LOG_TAIL_MAX), 0);
	ASSERT_EQ(lseek(fd, 0, SEEK_END), 3 * (off_t)RUNC_LOG_TAIL_MAX);
	ASSERT_EQ(runc_log_last_error(path, 0, &message), 0);
	add(fd, "\n{\"level\":\"error\",\"msg\":\"near\"}\n");
	ASSERT_EQ(runc_log_last_error(path, 0, &message), 1);
	ASSERT_STR(message.text, "near");
	end(fd);
}
