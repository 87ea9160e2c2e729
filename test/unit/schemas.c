/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas against bytes written by hand from containerd's field numbers, where a mistake would
 * not show in a conversation between two programs that share it.
 */
#include "proto/bootstrap.pb-c.h"
#include "proto/cgroup_v1.pb-c.h"
#include "proto/cgroup_v2.pb-c.h"
#include "proto/events.pb-c.h"
#include "proto/runc_options.pb-c.h"
#include "proto/runtime_info.pb-c.h"
#include "proto/runtimeoptions.pb-c.h"
#include "proto/task.pb-c.h"
#include "proto/ttrpc.pb-c.h"
#include "test/test.h"

#define BYTES(literal) (sizeof(literal) - 1), (const uint8_t *)(literal)

/* They travel as type_url, without a prefix. */
TEST(names_are_containerds)
{
	ASSERT_STR(containerd__events__task_exit__descriptor.name, "containerd.events.TaskExit");
	ASSERT_STR(containerd__events__task_oom__descriptor.name, "containerd.events.TaskOOM");
	ASSERT_STR(containerd__runc__v1__options__descriptor.name, "containerd.runc.v1.Options");
	ASSERT_STR(containerd__runc__v1__process_details__descriptor.name,
		   "containerd.runc.v1.ProcessDetails");
	ASSERT_STR(runtimeoptions__v1__options__descriptor.name, "runtimeoptions.v1.Options");
	ASSERT_STR(io__containerd__cgroups__v1__metrics__descriptor.name,
		   "io.containerd.cgroups.v1.Metrics");
	ASSERT_STR(io__containerd__cgroups__v2__metrics__descriptor.name,
		   "io.containerd.cgroups.v2.Metrics");
}

TEST(year_one_means_never)
{
	static const char expected[] = "\x12\x0b\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01";
	Google__Protobuf__Timestamp never = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Containerd__Task__V2__WaitResponse response = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
	uint8_t bytes[32];

	never.seconds = -62135596800;
	response.exited_at = &never;
	ASSERT_EQ(containerd__task__v2__wait_response__pack(&response, bytes), 13);
	ASSERT_MEM(bytes, expected, 13);
}

TEST(bootstrap_tells_absent_from_empty)
{
	/* id, namespace, log level DEBUG (-4), socket_dir "" */
	static const char with[] = "\x0a\x02"
				   "t1"
				   "\x12\x07"
				   "default"
				   "\x18\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01"
				   "\x4a\x00";
	static const char without[] = "\x0a\x02"
				      "t1";
	Containerd__Runtime__Bootstrap__V1__BootstrapParams *params;

	params = containerd__runtime__bootstrap__v1__bootstrap_params__unpack(NULL, BYTES(with));
	ASSERT(params);
	ASSERT_STR(params->instance_id, "t1");
	ASSERT_STR(params->namespace_, "default");
	ASSERT_EQ(params->log_level, -4);
	ASSERT_STR(params->socket_dir, "");
	containerd__runtime__bootstrap__v1__bootstrap_params__free_unpacked(params, NULL);

	params = containerd__runtime__bootstrap__v1__bootstrap_params__unpack(NULL, BYTES(without));
	ASSERT(params);
	ASSERT_STR(params->namespace_, "");
	ASSERT(!params->has_log_level);
	ASSERT(!params->socket_dir);
	containerd__runtime__bootstrap__v1__bootstrap_params__free_unpacked(params, NULL);
}

TEST(bootstrap_result)
{
	static const char expected[] = "\x08\x03\x12\x01"
				       "a"
				       "\x1a\x05"
				       "ttrpc";
	Containerd__Runtime__Bootstrap__V1__BootstrapResult result =
		CONTAINERD__RUNTIME__BOOTSTRAP__V1__BOOTSTRAP_RESULT__INIT;
	uint8_t bytes[64];
	size_t size;

	result.has_version = true;
	result.version = 3;
	result.address = (char[]){"a"};
	result.protocol = (char[]){"ttrpc"};
	size = containerd__runtime__bootstrap__v1__bootstrap_result__pack(&result, bytes);
	ASSERT_EQ(size, sizeof(expected) - 1);
	ASSERT_MEM(bytes, expected, size);
}

TEST(update_has_a_map)
{
	static const char bytes[] = "\x0a\x01"
				    "c"
				    "\x1a\x06\x0a\x01"
				    "k"
				    "\x12\x01"
				    "v";
	Containerd__Task__V2__UpdateTaskRequest *request;

	request = containerd__task__v2__update_task_request__unpack(NULL, BYTES(bytes));
	ASSERT(request);
	ASSERT_EQ(request->n_annotations, 1);
	ASSERT_STR(request->annotations[0]->key, "k");
	ASSERT_STR(request->annotations[0]->value, "v");
	containerd__task__v2__update_task_request__free_unpacked(request, NULL);
}

/* The envelope as Go's client sends it. */
TEST(envelope)
{
	static const char bytes[] = "\x0a\x05svc.S\x12\x01M\x1a\x06\x08\x01\x12\x02hi"
				    "\x2a\x06\x0a\x01k\x12\x01"
				    "a"
				    "\x2a\x06\x0a\x01k\x12\x01"
				    "b";
	Ttrpc__Request *request = ttrpc__request__unpack(NULL, BYTES(bytes));

	ASSERT(request);
	ASSERT_STR(request->service, "svc.S");
	ASSERT_STR(request->method, "M");
	ASSERT_EQ(request->payload.len, 6);
	ASSERT_EQ(request->timeout_nano, 0);
	ASSERT_EQ(request->n_metadata, 2);
	ASSERT_STR(request->metadata[1]->value, "b");
	ttrpc__request__free_unpacked(request, NULL);
}

static uint32_t number(const ProtobufCMessageDescriptor *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message, name);

	ASSERT(field);
	return field->id;
}

/* The long lists, at points where a slip of one would show. */
TEST(metrics_are_numbered_right)
{
	const ProtobufCMessageDescriptor *v1 =
		&io__containerd__cgroups__v1__memory_stat__descriptor;
	const ProtobufCMessageDescriptor *v2 =
		&io__containerd__cgroups__v2__memory_stat__descriptor;
	const ProtobufCMessageDescriptor *cpu = &io__containerd__cgroups__v2__cpustat__descriptor;

	ASSERT_EQ(number(v1, "unevictable"), 15);
	ASSERT_EQ(number(v1, "hierarchical_swap_limit"), 17);
	ASSERT_EQ(number(v1, "total_cache"), 18);
	ASSERT_EQ(number(v1, "total_unevictable"), 32);
	ASSERT_EQ(number(v1, "kernel_tcp"), 36);
	ASSERT_EQ(number(v2, "anon_thp"), 10);
	ASSERT_EQ(number(v2, "workingset_refault"), 20);
	ASSERT_EQ(number(v2, "thp_collapse_alloc"), 31);
	ASSERT_EQ(number(v2, "usage"), 32);
	ASSERT_EQ(number(v2, "swap_max_usage"), 37);
	ASSERT_EQ(number(v2, "psi"), 38);
	ASSERT_EQ(number(v2, "workingset_activate_file"), 42);
	ASSERT_EQ(number(cpu, "psi"), 7);
	ASSERT_EQ(number(cpu, "burst_usec"), 9);
	ASSERT_EQ(number(&io__containerd__cgroups__v2__metrics__descriptor, "memory"), 4);
	ASSERT_EQ(number(&io__containerd__cgroups__v1__metrics__descriptor, "memory_oom_control"),
		  9);
	ASSERT_EQ(number(&containerd__runc__v1__options__descriptor, "systemd_cgroup"), 9);
	ASSERT_EQ(number(&containerd__types__runtime_info__descriptor, "annotations"), 5);
}
