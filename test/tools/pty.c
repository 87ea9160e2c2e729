/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody at a terminal, by a script:
 *
 *     pty [-s ROWSxCOLUMNS] STEP... -- COMMAND...
 *
 * COMMAND runs in a session of its own on a new terminal. A STEP is one of
 *
 *     wait=TEXT            goes on when TEXT has come since the last wait
 *     send=TEXT            types TEXT
 *     line=TEXT            types TEXT and Enter
 *     resize=ROWSxCOLUMNS  changes the window, and waits for the TEXT of the next wait; COMMAND may
 *                          miss a change while it begins: until TEXT comes it is made again
 *     hangup               closes the terminal
 *
 * After the last step all that comes is shown until COMMAND ends; pty ends with its status, or with
 * 124 when nothing came for PTY_LIMIT_MS.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PTY_LIMIT_MS 30000
#define PTY_RESIZE_MS 300
#define PTY_OUTPUT_MAX (4 * 1024 * 1024) /* what is kept to be searched */

struct pty {
	int master;
	pid_t child;
	char *output; /* all of it */
	size_t size, seen;
	struct winsize wanted; /* while no text showed that the window's size was noticed */
};

static void __attribute__((noreturn)) fail(const char *what, const char *text)
{
	fprintf(stderr, "pty: %s%s\n", what, text);
	exit(124);
}

static struct winsize parse_size(const char *text)
{
	struct winsize size = {0};

	if (sscanf(text, "%hux%hu", &size.ws_row, &size.ws_col) != 2)
		fail("no size: ", text);
	return size;
}

static void pty_resize(const struct pty *pty, struct winsize size)
{
	if (ioctl(pty->master, TIOCSWINSZ, &size) < 0)
		fail("resizing: ", strerror(errno));
}

static void pty_resize_again(const struct pty *pty)
{
	struct winsize other = pty->wanted;

	other.ws_col++;
	pty_resize(pty, other);
	pty_resize(pty, pty->wanted);
}

static void pty_poll(struct pty *pty)
{
	struct pollfd polled = {.fd = pty->master, .events = POLLIN};
	bool resizes = pty->wanted.ws_row > 0;
	int step = resizes ? PTY_RESIZE_MS : PTY_LIMIT_MS;

	for (int waited = 0; poll(&polled, 1, step) == 0; waited += step) {
		if (waited >= PTY_LIMIT_MS || !resizes)
			fail("nothing came for long", "");
		pty_resize_again(pty);
	}
}

/* Shows what comes next; false when the terminal has no program any more. */
static bool pty_read(struct pty *pty)
{
	char *at = pty->output + pty->size;
	ssize_t n;

	pty_poll(pty);
	if (pty->size == PTY_OUTPUT_MAX)
		fail("too much came", "");
	n = read(pty->master, at, PTY_OUTPUT_MAX - pty->size);
	if (n <= 0) /* EIO: nobody has the other side open */
		return n < 0 && errno == EINTR;
	pty->size += (size_t)n;
	if (write(STDOUT_FILENO, at, (size_t)n) != n)
		fail("standard output: ", strerror(errno));
	return true;
}

static void pty_wait(struct pty *pty, const char *text)
{
	const char *found;

	while (!(found = memmem(pty->output + pty->seen, pty->size - pty->seen, text,
				strlen(text)))) {
		if (!pty_read(pty))
			fail("the terminal's program ended before there was ", text);
	}
	pty->seen = (size_t)(found - pty->output) + strlen(text);
	pty->wanted.ws_row = 0;
}

static void pty_send(struct pty *pty, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(pty->master, text, size);

		if (n < 0)
			fail("typing: ", strerror(errno));
		text += n;
		size -= (size_t)n;
	}
}

static bool starts(const char *step, const char *prefix, const char **ret_rest)
{
	if (strncmp(step, prefix, strlen(prefix)) != 0)
		return false;
	*ret_rest = step + strlen(prefix);
	return true;
}

static void pty_step(struct pty *pty, const char *step)
{
	const char *rest;

	if (starts(step, "wait=", &rest)) {
		pty_wait(pty, rest);
	} else if (starts(step, "send=", &rest)) {
		pty_send(pty, rest, strlen(rest));
	} else if (starts(step, "line=", &rest)) {
		pty_send(pty, rest, strlen(rest));
		pty_send(pty, "\r", 1);
	} else if (starts(step, "resize=", &rest)) {
		pty->wanted = parse_size(rest);
		pty_resize(pty, pty->wanted);
	} else if (strcmp(step, "hangup") == 0) {
		close(pty->master);
		pty->master = -1;
	} else {
		fail("no step: ", step);
	}
}

static int pty_end(struct pty *pty)
{
	int status;

	while (pty->master >= 0 && pty_read(pty))
		;
	while (waitpid(pty->child, &status, 0) < 0) {
		if (errno != EINTR)
			fail("wait: ", strerror(errno));
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct pty pty = {.output = malloc(PTY_OUTPUT_MAX)};
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	int first = 1, command;

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		size = parse_size(argv[2]);
		first = 3;
	}
	for (command = first; command < argc && strcmp(argv[command], "--") != 0; command++)
		;
	if (command + 1 >= argc || !pty.output)
		fail("usage: pty [-s ROWSxCOLUMNS] STEP... -- COMMAND...", "");
	pty.child = forkpty(&pty.master, NULL, NULL, &size);
	if (pty.child < 0)
		fail("no terminal: ", strerror(errno));
	if (pty.child == 0) {
		execvp(argv[command + 1], argv + command + 1);
		fail("not executed: ", argv[command + 1]);
	}
	for (int i = first; i < command; i++)
		pty_step(&pty, argv[i]);
	return pty_end(&pty);
}
