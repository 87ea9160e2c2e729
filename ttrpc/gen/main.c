/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protoc-gen-ttrpc-c: a plugin of protoc that makes ttrpc services in C, beside protoc-c's
 * messages.
 *
 *     protoc --c_out=DIR --plugin=protoc-gen-ttrpc-c --ttrpc-c_out=DIR FILE.proto...
 *
 * With --ttrpc-c_opt=prefix=NAME every name that is made begins with NAME. Several files, of any
 * packages, may be given at once. Fields that are optional in proto3 are no matter of ours, and we say
 * so; but protoc-c has to know them, and up to 1.5 it doesn't: protoc then refuses the file for
 * protoc-gen-c's sake. proto2 syntax has such fields in every version.
 *
 * protoc writes one Request to stdin and reads one Response from stdout. What is wrong with the
 * plugin itself goes to stderr, with exit status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttrpc/gen/generate.h"

static const char usage[] =
	"protoc-gen-ttrpc-c makes ttrpc services in C. It is run by protoc, beside protoc-c:\n"
	"\n"
	"    protoc --c_out=DIR --plugin=protoc-gen-ttrpc-c --ttrpc-c_out=DIR FILE.proto...\n"
	"\n"
	"    --ttrpc-c_opt=prefix=NAME   every name that is made begins with NAME\n"
	"\n"
	"Fields that are optional in proto3 need a protoc-c that knows them; up to 1.5 it "
	"doesn't.\n";

static unsigned char *read_all(FILE *stream, size_t *ret_size)
{
	size_t room = 1 << 16, size = 0;
	unsigned char *bytes = malloc(room);

	for (;;) {
		if (!bytes)
			pool_die("out of memory");
		size += fread(bytes + size, 1, room - size, stream);
		if (size < room)
			break;
		room *= 2;
		bytes = realloc(bytes, room);
	}
	if (ferror(stream))
		pool_die("cannot read the request from stdin");
	*ret_size = size;
	return bytes;
}

int main(int argc, char **argv)
{
	struct generated generated;
	struct pool pool = POOL_NULL;
	unsigned char *bytes;
	size_t size;

	if (argc > 1) {
		bool asked = argc == 2 && !strcmp(argv[1], "--help");

		fputs(usage, asked ? stdout : stderr);
		return asked ? 0 : 2;
	}
	bytes = read_all(stdin, &size);
	if (!generate(&pool, bytes, size, &generated))
		pool_die("stdin holds no request of protoc");
	if (fwrite(generated.bytes, 1, generated.size, stdout) != generated.size || fflush(stdout))
		pool_die("cannot write the response to stdout");
	pool_deinit(&pool);
	free(bytes);
	return 0;
}
