/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input of `start` in all its forms, whole, cut off at every byte, and as noise. */
#include "shim/bootstrap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/bootstrap.pb-c.h"
#include "proto/google/protobuf/any.pb-c.h"
#include "proto/runc_options.pb-c.h"
#include "proto/runtimeoptions.pb-c.h"
#include "test/test.h"

#define ID "t2"
#define NAMESPACE "default"
#define OPTIONS_TYPE "containerd.runc.v1.Options"
#define CGROUP "/shims/one"
#define SIZE_MAX_TEST 1024

typedef Containerd__Runtime__Bootstrap__V1__BootstrapParams Params;

/* protobuf-c's strings are not const, and are not written to. */
static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

static size_t pack(const ProtobufCMessage *message, uint8_t bytes[static SIZE_MAX_TEST])
{
	ASSERT(protobuf_c_message_get_packed_size(message) <= SIZE_MAX_TEST);
	return protobuf_c_message_pack(message, bytes);
}

static size_t options_pack(uint8_t bytes[static SIZE_MAX_TEST])
{
	Containerd__Runc__V1__Options options = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	options.shim_cgroup = text(CGROUP);
	options.binary_name = text("crun");
	return pack(&options.base, bytes);
}

static size_t any_pack(const char *type_url, uint8_t bytes[static SIZE_MAX_TEST])
{
	uint8_t value[SIZE_MAX_TEST];
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = text(type_url);
	any.value.len = options_pack(value);
	any.value.data = value;
	return pack(&any.base, bytes);
}

/* As containerd 2.3 writes it, with the fields that the caller changes. */
static size_t params_pack(const char *id, const char *namespace_, int level, const char *folder,
			  uint8_t bytes[static SIZE_MAX_TEST])
{
	uint8_t value[SIZE_MAX_TEST];
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Containerd__Runtime__Bootstrap__V1__Extension extension =
		CONTAINERD__RUNTIME__BOOTSTRAP__V1__EXTENSION__INIT;
	Containerd__Runtime__Bootstrap__V1__Extension *extensions[] = {&extension};
	Params params = CONTAINERD__RUNTIME__BOOTSTRAP__V1__BOOTSTRAP_PARAMS__INIT;

	any.type_url = text("type.googleapis.com/" OPTIONS_TYPE);
	any.value.len = options_pack(value);
	any.value.data = value;
	extension.value = &any;
	params.instance_id = text(id);
	params.namespace_ = text(namespace_);
	params.has_log_level = true;
	params.log_level = (Containerd__Runtime__Bootstrap__V1__LogLevel)level;
	params.containerd_version = text("2.3.4");
	params.containerd_ttrpc_address = text("/run/containerd/containerd.sock.ttrpc");
	params.containerd_grpc_address = text("/run/containerd/containerd.sock");
	params.containerd_binary = text("/usr/bin/containerd");
	params.n_extensions = 1;
	params.extensions = extensions;
	params.socket_dir = text(folder);
	return pack(&params.base, bytes);
}

static int parse(struct bootstrap *bootstrap, const void *bytes, size_t size,
		 struct failure *failure)
{
	failure->text[0] = 0;
	bootstrap_init(bootstrap);
	int result = bootstrap_parse(bootstrap, bytes, size, ID, NAMESPACE, failure);
	ASSERT_EQ(result == FAILURE_REFUSED, failure->text[0] != 0);
	return result;
}

TEST(nothing)
{
	struct bootstrap bootstrap;
	struct failure failure;

	ASSERT_EQ(parse(&bootstrap, NULL, 0, &failure), 0);
	ASSERT(!bootstrap.params && !bootstrap.debug);
	ASSERT_STR(bootstrap.shim_cgroup, "");
	ASSERT_STR(bootstrap.socket_dir, "");
	ASSERT_STR(bootstrap.ttrpc_address, "");
	ASSERT_STR(bootstrap.grpc_address, "");
	ASSERT_STR(bootstrap.options.type_url, "");
	bootstrap_deinit(&bootstrap);
}

static const struct {
	const char *type_url, *shim_cgroup;
} types[] = {
	{OPTIONS_TYPE, CGROUP},     {"type.googleapis.com/" OPTIONS_TYPE, CGROUP},
	{"/" OPTIONS_TYPE, CGROUP}, {"x" OPTIONS_TYPE, ""},
	{OPTIONS_TYPE "/", ""},     {"runtimeoptions.v1.Options", ""},
	{"something.else", ""},     {"", ""},
};

TEST(any_of_each_type)
{
	uint8_t bytes[SIZE_MAX_TEST], value[SIZE_MAX_TEST];
	size_t value_size = options_pack(value);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct bootstrap bootstrap;
		struct failure failure;
		size_t size = any_pack(types[i].type_url, bytes);
		ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), 0);
		ASSERT(!bootstrap.params);
		ASSERT_STR(bootstrap.shim_cgroup, types[i].shim_cgroup);
		ASSERT_STR(bootstrap.options.type_url, types[i].type_url);
		ASSERT_EQ(bootstrap.options.size, value_size);
		ASSERT_MEM(bootstrap.options.value, value, value_size);
		bootstrap_deinit(&bootstrap);
	}
}

TEST(params)
{
	uint8_t bytes[SIZE_MAX_TEST];
	struct bootstrap bootstrap;
	struct failure failure;

	size_t size = params_pack(ID, NAMESPACE, 0, NULL, bytes);
	ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), 0);
	ASSERT(bootstrap.params && !bootstrap.debug);
	ASSERT_STR(bootstrap.ttrpc_address, "/run/containerd/containerd.sock.ttrpc");
	ASSERT_STR(bootstrap.grpc_address, "/run/containerd/containerd.sock");
	ASSERT_STR(bootstrap.socket_dir, "");
	ASSERT_STR(bootstrap.shim_cgroup, CGROUP);
	ASSERT_STR(bootstrap.options.type_url, "type.googleapis.com/" OPTIONS_TYPE);
	bootstrap_deinit(&bootstrap);

	size = params_pack(ID, NAMESPACE, 0, "/run/user/7/s", bytes);
	ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), 0);
	ASSERT_STR(bootstrap.socket_dir, "/run/user/7/s");
	bootstrap_deinit(&bootstrap);
}

static const struct {
	int level;
	bool debug;
} levels[] = {{0, false}, {-8, true}, {-4, true},  {-5, true},       {-3, false},
	      {4, false}, {8, false}, {12, false}, {1000000, false}, {-1000000, true}};

TEST(params_of_each_level)
{
	uint8_t bytes[SIZE_MAX_TEST];

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct bootstrap bootstrap;
		struct failure failure;
		size_t size = params_pack(ID, NAMESPACE, levels[i].level, NULL, bytes);
		ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), 0);
		ASSERT_EQ(bootstrap.debug, levels[i].debug);
		bootstrap_deinit(&bootstrap);
	}
}

/* The id and the namespace decide, both of them: else it is an Any of a type that nobody knows. */
TEST(params_of_another_container_are_none)
{
	static const char *const others[][2] = {
		{"t3", NAMESPACE}, {ID, "other"}, {"", NAMESPACE}, {ID, ""}, {"", ""}};
	uint8_t bytes[SIZE_MAX_TEST];

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct bootstrap bootstrap;
		struct failure failure;
		size_t size = params_pack(others[i][0], others[i][1], -8, "/folder", bytes);
		/* field 3 is unknown to an Any, 1 and 2 are its own */
		ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), 0);
		ASSERT(!bootstrap.params && !bootstrap.debug);
		ASSERT_STR(bootstrap.socket_dir, "");
		ASSERT_STR(bootstrap.shim_cgroup, "");
		bootstrap_deinit(&bootstrap);
	}
}

TEST(without_an_id_nothing_is_params)
{
	uint8_t bytes[SIZE_MAX_TEST];
	struct bootstrap bootstrap;
	struct failure failure;
	size_t size = params_pack("", "", -8, "/folder", bytes);

	bootstrap_init(&bootstrap);
	ASSERT_EQ(bootstrap_parse(&bootstrap, bytes, size, "", "", &failure), 0);
	ASSERT(!bootstrap.params);
	bootstrap_deinit(&bootstrap);
}

TEST(malformed_options)
{
	uint8_t bytes[SIZE_MAX_TEST], value[] = {0x1a, 0x7f, 'x'};
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct bootstrap bootstrap;
	struct failure failure;

	any.type_url = text(OPTIONS_TYPE);
	any.value.len = sizeof(value);
	any.value.data = value;
	size_t size = pack(&any.base, bytes);
	ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "the runtime's options on standard input are malformed");
	bootstrap_deinit(&bootstrap);
}

/* Where a field ends, what is before it is a message; whether it is, the length of fields tells. */
static bool field_ends(const uint8_t *bytes, size_t size, size_t cut)
{
	size_t at = 0;
	while (at < cut && at < size) {
		bool number = (bytes[at++] & 7) == 0;
		size_t value = 0;
		int shift = 0;
		do {
			if (shift < 64)
				value |= (size_t)(bytes[at] & 0x7f) << shift;
			shift += 7;
		} while (bytes[at++] & 0x80);
		if (!number)
			at += value;
	}
	return at == cut;
}

static void cut_everywhere(const uint8_t *bytes, size_t size)
{
	size_t refused = 0;
	for (size_t cut = 1; cut < size; cut++) {
		struct bootstrap bootstrap;
		struct failure failure;
		/* on the heap, so that a sanitizer sees a read behind the cut */
		uint8_t *copy = malloc(cut);
		ASSERT(copy != NULL);
		memcpy(copy, bytes, cut);
		int result = parse(&bootstrap, copy, cut, &failure);
		ASSERT_EQ(result, field_ends(bytes, size, cut) ? 0 : FAILURE_REFUSED);
		refused += result == FAILURE_REFUSED;
		bootstrap_deinit(&bootstrap);
		free(copy);
	}
	ASSERT(refused > size / 2);
}

TEST(cut_off_at_every_byte)
{
	uint8_t bytes[SIZE_MAX_TEST];
	cut_everywhere(bytes, any_pack(OPTIONS_TYPE, bytes));
	cut_everywhere(bytes, params_pack(ID, NAMESPACE, -8, "/run/user/7/s", bytes));
}

static uint32_t noise(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Any answer but a crash or a text without a reason; parse() checks the latter. */
TEST(noise_and_flipped_bytes)
{
	uint8_t good[SIZE_MAX_TEST], bytes[SIZE_MAX_TEST];
	size_t size = params_pack(ID, NAMESPACE, -8, "/run/user/7/s", good);
	uint32_t state = 1;
	size_t refused = 0;

	for (int i = 0; i < 20000; i++) {
		struct bootstrap bootstrap;
		struct failure failure;
		size_t n = i % 2 ? size : 1 + noise(&state) % 64;
		memcpy(bytes, good, n);
		for (size_t at = 0; at < n; at++)
			if (i % 2 == 0 || noise(&state) % 32 == 0)
				bytes[at] = (uint8_t)noise(&state);
		int result = parse(&bootstrap, bytes, n, &failure);
		ASSERT(result == 0 || result == FAILURE_REFUSED);
		refused += result != 0;
		bootstrap_deinit(&bootstrap);
	}
	ASSERT(refused > 5000);
}

/* Empty extensions: two bytes that decode to a struct and a pointer each. */
TEST(decoded_size_is_limited)
{
	size_t size = BOOTSTRAP_SIZE_MAX;
	uint8_t *bytes = malloc(size);
	struct bootstrap bootstrap;
	struct failure failure;

	ASSERT(bytes != NULL);
	for (size_t i = 0; i < size; i += 2) {
		bytes[i] = 8 << 3 | 2;
		bytes[i + 1] = 0;
	}
	ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), FAILURE_REFUSED);
	ASSERT_STR(failure.text, "bootstrap parameters on standard input are too large");
	bootstrap_deinit(&bootstrap);
	free(bytes);
}

/* Each is ours by id and namespace, and would pass for an Any with unknown fields. */
TEST(malformed_params)
{
#define OURS "\x0a\x02" ID "\x12\x07" NAMESPACE
	static const char *const tails[] = {
		"\x42\x01\x01",     /* an extension of one byte that is no field */
		"\x42\x02\x0a\x05", /* one whose Any is longer than itself */
		"\x18\x80",         /* a number that does not end */
		"\x1a\x01x",        /* a text where the level is */
		"\x48\x01",         /* a number where the folder is */
	};
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		char bytes[64] = OURS;
		struct bootstrap bootstrap;
		struct failure failure;
		size_t size = sizeof(OURS) - 1 + strlen(tails[i]);
		strcat(bytes, tails[i]);
		ASSERT_EQ(parse(&bootstrap, bytes, size, &failure), FAILURE_REFUSED);
		ASSERT_STR(failure.text, "bootstrap parameters on standard input are malformed");
		bootstrap_deinit(&bootstrap);
	}
}

static int read_from_pipe(struct bootstrap *bootstrap, const void *bytes, size_t size,
			  struct failure *failure)
{
	int pair[2];
	ASSERT_EQ(pipe(pair), 0);
	ASSERT_EQ(write(pair[1], bytes, size), size);
	close(pair[1]);
	bootstrap_init(bootstrap);
	int result = bootstrap_read(bootstrap, pair[0], ID, NAMESPACE, failure);
	close(pair[0]);
	return result;
}

TEST(read_to_the_end)
{
	uint8_t bytes[SIZE_MAX_TEST];
	struct bootstrap bootstrap;
	struct failure failure;

	ASSERT_EQ(read_from_pipe(&bootstrap, "", 0, &failure), 0);
	ASSERT(!bootstrap.params);
	bootstrap_deinit(&bootstrap);
	size_t size = params_pack(ID, NAMESPACE, 0, NULL, bytes);
	ASSERT_EQ(read_from_pipe(&bootstrap, bytes, size, &failure), 0);
	ASSERT(bootstrap.params);
	bootstrap_deinit(&bootstrap);
}

/* An Any whose value fills the limit to its last byte is read; with one byte more it is refused. */
TEST(read_limit)
{
	for (size_t more = 0; more < 2; more++) {
		size_t size = BOOTSTRAP_SIZE_MAX + more, length = size - 5;
		uint8_t *bytes = calloc(1, size);
		char name[] = "/tmp/mote-bootstrap.XXXXXX";
		struct bootstrap bootstrap;
		struct failure failure = {.text = ""};
		int fd = mkstemp(name);

		ASSERT(bytes != NULL && fd >= 0);
		unlink(name);
		bytes[0] = 2 << 3 | 2;
		for (int i = 0; i < 4; i++)
			bytes[1 + i] = (uint8_t)((length >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
		ASSERT_EQ(write(fd, bytes, size), size);
		ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
		bootstrap_init(&bootstrap);
		int result = bootstrap_read(&bootstrap, fd, ID, NAMESPACE, &failure);
		ASSERT_EQ(result, more ? FAILURE_REFUSED : 0);
		if (more)
			ASSERT_STR(failure.text, "standard input has more than 10485760 bytes");
		else
			ASSERT_EQ(bootstrap.options.size, length);
		bootstrap_deinit(&bootstrap);
		free(bytes);
		close(fd);
	}
}

TEST(result_in_kind)
{
	size_t size = 0;
	uint8_t *bytes = bootstrap_result("unix:///run/containerd/s/abc", &size);
	static const char expected[] = "\x08\x03\x12\x1cunix:///run/containerd/s/abc\x1a\x05ttrpc";

	ASSERT(bytes != NULL);
	ASSERT_EQ(size, sizeof(expected) - 1);
	ASSERT_MEM(bytes, expected, size);
	free(bytes);
}
