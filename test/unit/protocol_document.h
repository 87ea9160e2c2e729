/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_PROTOCOL_DOCUMENT_H
#define TEST_UNIT_PROTOCOL_DOCUMENT_H
/*
 * Reading ttrpc/PROTOCOL.md: its fenced blocks, the lines in them, bytes in hex, and rows of tables.
 * The notation is the one that the document itself explains.
 *
 *     struct document document;
 *     struct block block;
 *     struct line line;
 *
 *     document_open(&document);
 *     while (document_block(&document, "vector", &block))
 *             while (block_line(&block, &line))
 *                     ...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/test.h"

#define DOCUMENT_MAX (1u << 20)
#define LINE_MAX_SIZE 8192
#define BYTES_MAX (5u << 20) /* of what a line of hex stands for */

struct document {
	const char *at;
};

struct block {
	char kind[32]; /* what follows the first word of the fence: "", "accept", "server", ... */
	char title[128];
	const char *at;
};

/* One line with those that go on with it, without comments. */
struct line {
	char key[16]; /* "request", "=", "C", "do", ... */
	char text[LINE_MAX_SIZE];
};

/* The root of the tree: the program is build/VARIANT/test/unit/NAME. */
static inline int document_root(void)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd;

	ASSERT(size > 0);
	path[size] = '\0';
	for (int i = 0; i < 5; i++)
		*strrchr(path, '/') = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(fd >= 0);
	return fd;
}

static inline void document_open(struct document *document)
{
	static char text[DOCUMENT_MAX];
	int root = document_root();
	int fd = openat(root, "ttrpc/PROTOCOL.md", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	ASSERT(size > 0 && (size_t)size < sizeof(text) - 1);
	text[size] = '\0';
	close(fd);
	close(root);
	document->at = text;
}

static inline const char *next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end ? end + 1 : at + strlen(at);
}

static inline void copy_line(char *to, size_t size, const char *at)
{
	size_t length = strcspn(at, "\n");

	ASSERT(length < size);
	memcpy(to, at, length);
	to[length] = '\0';
}

/* The next fenced block whose info string begins with this word. */
static inline bool document_block(struct document *document, const char *word,
				  struct block *ret_block)
{
	size_t length = strlen(word);

	for (const char *at = document->at; *at; at = next_line(at)) {
		if (strncmp(at, "```", 3) != 0 || strncmp(at + 3, word, length) != 0 ||
		    (at[3 + length] != ' ' && at[3 + length] != '\n'))
			continue;
		copy_line(ret_block->kind, sizeof(ret_block->kind),
			  at + 3 + length + (at[3 + length] == ' '));
		at = next_line(at);
		ret_block->title[0] = '\0';
		if (strncmp(at, "# ", 2) == 0) {
			copy_line(ret_block->title, sizeof(ret_block->title), at + 2);
			at = next_line(at);
		}
		ret_block->at = document->at = at;
		return true;
	}
	return false;
}

/* Appends a line without its comment. */
static inline void line_append(struct line *line, const char *at)
{
	size_t used = strlen(line->text), length;
	char text[512], *comment;

	copy_line(text, sizeof(text), at);
	comment = strstr(text, " # ");
	if (comment)
		*comment = '\0';
	length = strlen(text);
	while (length > 0 && text[length - 1] == ' ')
		length--;
	ASSERT(used + length + 2 < sizeof(line->text));
	snprintf(line->text + used, sizeof(line->text) - used, " %.*s", (int)length, text);
}

static inline bool block_line(struct block *block, struct line *ret_line)
{
	size_t length = strcspn(block->at, " \n");

	if (strncmp(block->at, "```", 3) == 0)
		return false;
	ASSERT(*block->at && length < sizeof(ret_line->key));
	memcpy(ret_line->key, block->at, length);
	ret_line->key[length] = '\0';
	ret_line->text[0] = '\0';
	line_append(ret_line, block->at + length);
	for (block->at = next_line(block->at); *block->at == ' '; block->at = next_line(block->at))
		line_append(ret_line, block->at);
	memmove(ret_line->text, ret_line->text + strspn(ret_line->text, " "),
		strlen(ret_line->text + strspn(ret_line->text, " ")) + 1);
	return true;
}

/* Bytes in hex; xx*N is N of them, - is none. Stops before the first word that is neither. */
static inline size_t hex_parse(const char **text, uint8_t *bytes, size_t max)
{
	size_t size = 0;

	for (;;) {
		unsigned long value, count = 1;
		const char *at = *text + strspn(*text, " ");
		char *end;

		if (*at == '-' && (at[1] == ' ' || !at[1])) {
			*text = at + 1;
			continue;
		}
		value = strtoul(at, &end, 16);
		if (end != at + 2 || value > 0xff)
			return size;
		if (*end == '*')
			count = strtoul(end + 1, &end, 10);
		if (*end && *end != ' ')
			return size;
		ASSERT(count <= max - size);
		memset(bytes + size, (int)value, count);
		size += count;
		*text = end;
	}
}

/*
 * The second cell of the row whose first one is `name`, in the table behind the comment that names it;
 * a number.
 */
static inline bool table_number(const struct document *document, const char *table,
				const char *name, unsigned long long *ret_number)
{
	char mark[64], wanted[64], row[512];
	const char *at;

	snprintf(mark, sizeof(mark), "<!-- table: %s -->\n", table);
	snprintf(wanted, sizeof(wanted), "| `%s` | ", name);
	at = strstr(document->at, mark);
	ASSERT(at);
	for (at = next_line(at); *at == '|' || *at == '\n'; at = next_line(at)) {
		if (strncmp(at, wanted, strlen(wanted)) != 0)
			continue;
		copy_line(row, sizeof(row), at);
		*ret_number = strtoull(row + strlen(wanted), NULL, 10);
		return true;
	}
	return false;
}

#endif
