/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker answers to Stats: from the runtime, from the cgroups, from what is left of them. */
#include "shim/worker_stats.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "proto/cgroup_v1.pb-c.h"
#include "proto/cgroup_v2.pb-c.h"
#include "shim/config.h"
#include "test/unit/cgroup_fixture.h"

#define DESCRIPTOR_V1 (&io__containerd__cgroups__v1__metrics__descriptor)
#define DESCRIPTOR_V2 (&io__containerd__cgroups__v2__metrics__descriptor)

struct fixture {
	struct tree tree; /* the bundle; other folders of it stand for cgroups */
	struct runtime runtime;
	struct shim_config config;
	struct verb verb;
	struct job job;
	struct runtime_task task;
	struct report_message message;
	char text[RUNTIME_ERROR_MAX];
};

static void fixture_init(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	tree_init(&fixture->tree);
	fixture->config.runtime = &fixture->runtime;
	fixture->verb.type = VERB_STATS;
	fixture->job = (struct job){.config = &fixture->config,
				    .verb = &fixture->verb,
				    .payload_fd = -1,
				    .bundle = fixture->tree.folder};
	fixture->message.text = fixture->text;
	report_init(&fixture->message);
}

static void fixture_deinit(struct fixture *fixture)
{
	report_deinit(&fixture->message);
	tree_deinit(&fixture->tree);
}

/*
 * What worker_stats() makes of it; *ret_metrics: of the answer, NULL without one. It leaves open what it
 * read, since a worker ends then; so it runs in a process that does.
 */
static int stats(struct fixture *fixture, const ProtobufCMessageDescriptor *descriptor,
		 ProtobufCMessage **ret_metrics)
{
	struct shared {
		uint8_t bytes[65536];
		uint32_t size;
		int result, code;
		char error[RUNTIME_ERROR_MAX];
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	int status;
	ASSERT(shared != MAP_FAILED);
	pid_t pid = fork();
	if (pid == 0) {
		struct report_message *message = &fixture->message;
		ASSERT_EQ(chdir(fixture->tree.folder), 0);
		shared->result = worker_stats(&fixture->job, &fixture->task, message);
		shared->code = (int)fixture->task.error_code;
		memcpy(shared->error, fixture->task.error, RUNTIME_ERROR_MAX);
		shared->size = message->report.result_size;
		if (shared->result == 0)
			ASSERT_EQ(report_get_result(message, shared->bytes), 0);
		else
			ASSERT_EQ(message->fds[ROLE_RESULT], -1);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0);
	int result = shared->result;
	if (result == 0 && descriptor)
		*ret_metrics = stats_unpack(shared->bytes, shared->size, descriptor);
	fixture->task.error_code = (enum runtime_code)shared->code;
	memcpy(fixture->task.error, shared->error, RUNTIME_ERROR_MAX);
	munmap(shared, sizeof(*shared));
	return result;
}

static void remember(struct fixture *fixture, const char *controller)
{
	char text[256];
	snprintf(text, sizeof(text), "mote-cgroup 1\n%s %s/group\n", controller,
		 fixture->tree.folder);
	tree_write(&fixture->tree, "mote.cgroup", text);
}

TEST(from_the_cgroups_of_v1)
{
	struct fixture fixture;
	ProtobufCMessage *message;
	fixture_init(&fixture);
	remember(&fixture, "memory");
	tree_write(&fixture.tree, "group/memory.usage_in_bytes", "77\n");
	fixture.verb.oom_kills = 3;
	ASSERT_EQ(stats(&fixture, DESCRIPTOR_V1, &message), 0);
	Io__Containerd__Cgroups__V1__Metrics *metrics = (void *)message;
	ASSERT_EQ(metrics->memory->usage->usage, 77);
	ASSERT_EQ(metrics->memory_oom_control->oom_kill, 3);
	io__containerd__cgroups__v1__metrics__free_unpacked(metrics, NULL);
	fixture_deinit(&fixture);
}

/* The init has ended (pid 0), the shim may be another one, and at last the cgroup goes too. */
TEST(from_the_cgroup_of_v2_until_it_is_gone)
{
	struct fixture fixture;
	fixture_init(&fixture);
	remember(&fixture, "unified");
	tree_write(&fixture.tree, "group/memory.current", "77\n");
	fixture.verb.oom_kills = 2;
	for (int gone = 0; gone < 2; gone++) {
		ProtobufCMessage *message;
		ASSERT_EQ(stats(&fixture, DESCRIPTOR_V2, &message), 0);
		Io__Containerd__Cgroups__V2__Metrics *metrics = (void *)message;
		ASSERT_EQ(metrics->memory->usage, gone ? 0 : 77);
		ASSERT_EQ(metrics->memory_events->oom_kill, 2);
		io__containerd__cgroups__v2__metrics__free_unpacked(metrics, NULL);
		unlinkat(fixture.tree.root, "group/memory.current", 0);
		unlinkat(fixture.tree.root, "group", AT_REMOVEDIR);
	}
	fixture_deinit(&fixture);
}

static void check_not_found(struct fixture *fixture)
{
	ProtobufCMessage *message;
	fixture->task.error[0] = 0;
	ASSERT(stats(fixture, NULL, &message) != 0);
	ASSERT_EQ(fixture->task.error_code, RUNTIME_NOT_FOUND);
	ASSERT_STR(fixture->task.error, "cgroup does not exist: not found");
}

TEST(a_container_that_never_had_a_cgroup)
{
	struct fixture fixture;
	fixture_init(&fixture);
	check_not_found(&fixture);
	tree_write(&fixture.tree, "mote.cgroup", "mote-cgroup 1\n");
	check_not_found(&fixture);
	tree_write(&fixture.tree, "mote.cgroup", "not ours\n");
	check_not_found(&fixture);
	fixture.job.init_pid = 0x7fffffff; /* nobody has it */
	check_not_found(&fixture);
	fixture_deinit(&fixture);
}

/* Nothing was written down: the disk was full, or an older shim made the container. */
TEST(a_container_that_runs_is_asked_itself)
{
	struct fixture fixture;
	ProtobufCMessage *message;
	struct metrics_paths paths;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), n = 0;
	bool unified = metrics_unified(root);
	ASSERT_EQ(metrics_paths_find(root, unified, getpid(), &paths), 0);
	close(root);
	for (int i = 0; i < METRICS_CONTROLLERS; i++)
		n += paths.folders[i] != NULL;
	metrics_paths_deinit(&paths);
	if (n == 0)
		SKIP("no cgroup is mounted here");
	fixture_init(&fixture);
	fixture.job.init_pid = getpid();
	ASSERT_EQ(stats(&fixture, unified ? DESCRIPTOR_V2 : DESCRIPTOR_V1, &message), 0);
	protobuf_c_message_free_unpacked(message, NULL);
	fixture_deinit(&fixture);
}

static int runtime_stats(struct runtime_task *task, struct runtime_any *ret_metrics)
{
	static const uint8_t pids[] = {0x0a, 0x02, 0x08, 0x05}; /* pids { current: 5 } */
	(void)task;
	*ret_metrics = (struct runtime_any){"io.containerd.cgroups.v2.Metrics", pids, sizeof(pids)};
	return 0;
}

static int runtime_refuses(struct runtime_task *task, struct runtime_any *ret_metrics)
{
	(void)ret_metrics;
	return runtime_fail(task, RUNTIME_FAILED_PRECONDITION, "not now: failed precondition");
}

static int runtime_breaks(struct runtime_task *task, struct runtime_any *ret_metrics)
{
	(void)task;
	(void)ret_metrics;
	return -EIO;
}

static int runtime_exceeds(struct runtime_task *task, struct runtime_any *ret_metrics)
{
	static const uint8_t bytes[5 << 20];
	(void)task;
	*ret_metrics = (struct runtime_any){"too.much", bytes, sizeof(bytes)};
	return 0;
}

TEST(from_the_runtime)
{
	struct fixture fixture;
	ProtobufCMessage *message;
	fixture_init(&fixture);
	remember(&fixture, "memory"); /* not looked at */
	fixture.runtime.stats = runtime_stats;
	ASSERT_EQ(stats(&fixture, DESCRIPTOR_V2, &message), 0);
	ASSERT_EQ(((Io__Containerd__Cgroups__V2__Metrics *)(void *)message)->pids->current, 5);
	protobuf_c_message_free_unpacked(message, NULL);

	fixture.runtime.stats = runtime_refuses;
	ASSERT(stats(&fixture, NULL, &message) != 0);
	ASSERT_EQ(fixture.task.error_code, RUNTIME_FAILED_PRECONDITION);
	ASSERT_STR(fixture.task.error, "not now: failed precondition");
	fixture.runtime.stats = runtime_breaks;
	ASSERT_EQ(stats(&fixture, NULL, &message), -EIO);
	fixture.runtime.stats = runtime_exceeds;
	ASSERT_EQ(stats(&fixture, NULL, &message), -EMSGSIZE);
	fixture_deinit(&fixture);
}
