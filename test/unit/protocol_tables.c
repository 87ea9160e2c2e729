/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables and schemas of ttrpc/PROTOCOL.md are those of the headers and the messages.
 */
#include <errno.h>

#include "proto/google/protobuf/any.pb-c.h"
#include "proto/ttrpc.pb-c.h"
#include "test/unit/protocol.pb-c.h"
#include "test/unit/protocol_document.h"
#include "ttrpc/ttrpc.h"

struct named {
	const char *name;
	unsigned long long number;
};

#define CODE(code)                                                                                 \
	{                                                                                          \
#code, TTRPC_##code                                                                \
	}
static const struct named codes[] = {
	CODE(OK),
	CODE(CANCELLED),
	CODE(UNKNOWN),
	CODE(INVALID_ARGUMENT),
	CODE(DEADLINE_EXCEEDED),
	CODE(NOT_FOUND),
	CODE(ALREADY_EXISTS),
	CODE(PERMISSION_DENIED),
	CODE(RESOURCE_EXHAUSTED),
	CODE(FAILED_PRECONDITION),
	CODE(ABORTED),
	CODE(OUT_OF_RANGE),
	CODE(UNIMPLEMENTED),
	CODE(INTERNAL),
	CODE(UNAVAILABLE),
	CODE(DATA_LOSS),
	CODE(UNAUTHENTICATED),
};

#define LIMIT(limit)                                                                               \
	{                                                                                          \
#limit, TTRPC_##limit                                                              \
	}
static const struct named limits[] = {
	LIMIT(MESSAGE_MAX),      LIMIT(MESSAGE_CEILING),     LIMIT(DECODED_MAX),
	LIMIT(CALLS_MAX),        LIMIT(STREAMS_MAX),         LIMIT(CONNECTIONS_MAX),
	LIMIT(WRITE_QUEUE_MAX),  LIMIT(CLIENT_QUEUE_MAX),    LIMIT(STREAM_SEND_MAX),
	LIMIT(STREAM_BYTES_MAX), LIMIT(STREAM_MESSAGES_MAX), LIMIT(QUEUED_BYTES_MAX),
	LIMIT(METADATA_MAX),     LIMIT(METADATA_BYTES_MAX),  LIMIT(STATUS_TEXT_MAX),
	LIMIT(FRAME_TIME_MAX),   LIMIT(BLOCKED_TIME_MAX),    LIMIT(HANDSHAKE_TIME),
};

#define ERRNO(name)                                                                                \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct named errnos[] = {
	ERRNO(ECANCELED), ERRNO(EINVAL),    ERRNO(ETIMEDOUT), ERRNO(ENOENT),
	ERRNO(EEXIST),    ERRNO(ENOTEMPTY), ERRNO(EPERM),     ERRNO(EACCES),
	ERRNO(EPIPE),     ERRNO(EMSGSIZE),  ERRNO(ENOBUFS),   ERRNO(ENOSYS),
	ERRNO(EIO),       ERRNO(EBUSY),     ERRNO(ENOMEM),    ERRNO(EOPNOTSUPP),
};

static void check_table(const char *table, const struct named *rows, size_t n)
{
	struct document document;

	document_open(&document);
	for (size_t i = 0; i < n; i++) {
		unsigned long long number;

		if (!table_number(&document, table, rows[i].name, &number))
			test_fail(__FILE__, __LINE__, "no %s in %s", rows[i].name, table);
		if (number != rows[i].number)
			test_fail(__FILE__, __LINE__, "%s: %s is %llu", table, rows[i].name,
				  number);
	}
}

TEST(codes)
{
	check_table("codes", codes, sizeof(codes) / sizeof(codes[0]));
}

TEST(limits)
{
	check_table("limits", limits, sizeof(limits) / sizeof(limits[0]));
}

TEST(codes_of_errnos)
{
	struct document document;

	document_open(&document);
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		enum ttrpc_code code = ttrpc_code_from_errno(-(int)errnos[i].number);
		unsigned long long number = TTRPC_UNKNOWN;

		/* Those without a row are UNKNOWN. */
		table_number(&document, "errno", errnos[i].name, &number);
		if (number != code)
			test_fail(__FILE__, __LINE__, "%s is %d, and %llu in the document",
				  errnos[i].name, (int)code, number);
	}
}

/* ---- schemas ---- */

static const struct {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
} messages[] = {
	{"Request", &ttrpc__request__descriptor},
	{"KeyValue", &ttrpc__key_value__descriptor},
	{"Response", &ttrpc__response__descriptor},
	{"StringList", &ttrpc__string_list__descriptor},
	{"Status", &google__rpc__status__descriptor},
	{"Any", &google__protobuf__any__descriptor},
	{"Note", &svc__note__descriptor},
};

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
		return "int32";
	case PROTOBUF_C_TYPE_INT64:
		return "int64";
	case PROTOBUF_C_TYPE_STRING:
		return "string";
	case PROTOBUF_C_TYPE_BYTES:
		return "bytes";
	case PROTOBUF_C_TYPE_MESSAGE:
		return ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name;
	default:
		return "?";
	}
}

/* One line of a message: [repeated] type name = number; */
static void check_field(const ProtobufCMessageDescriptor *descriptor, const char *text)
{
	const ProtobufCFieldDescriptor *field;
	char type[32], name[32];
	bool repeated = strncmp(text, "repeated ", 9) == 0;
	unsigned number;

	ASSERT_EQ(sscanf(text + (repeated ? 9 : 0), "%31s %31s = %u;", type, name, &number), 3);
	field = protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
	if (!field || field->id != number || strcmp(type_name(field), type) != 0 ||
	    (field->label == PROTOBUF_C_LABEL_REPEATED) != repeated)
		test_fail(__FILE__, __LINE__, "%s: %s", descriptor->name, text);
}

static void check_message(const ProtobufCMessageDescriptor *descriptor, const char *at)
{
	unsigned n = 0;
	char text[256];

	for (at = next_line(at); *at != '}'; at = next_line(at), n++) {
		copy_line(text, sizeof(text), at + strspn(at, " \t"));
		check_field(descriptor, text);
	}
	if (n != descriptor->n_fields)
		test_fail(__FILE__, __LINE__, "%s: %u fields", descriptor->name, n);
}

TEST(schemas)
{
	struct document document;

	document_open(&document);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		char head[64];
		const char *at;

		snprintf(head, sizeof(head), "\nmessage %s {\n", messages[i].name);
		at = strstr(document.at, head);
		if (!at)
			test_fail(__FILE__, __LINE__, "no message %s", messages[i].name);
		check_message(messages[i].descriptor, at + 1);
	}
}
