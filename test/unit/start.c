/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `start`: its answers, and that whatever fails says why and leaves nothing behind. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/bootstrap.pb-c.h"
#include "proto/google/protobuf/any.pb-c.h"
#include "proto/runc_options.pb-c.h"
#include "test/unit/program.h"

#define NAME "io.containerd.test.v2"
#define LINE "shim -namespace ns -address /nowhere.sock -id one start"

static const struct runtime runtime = {.name = NAME};

/* protobuf-c's strings are not const, and are not written to. */
static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

/* BootstrapParams for container id, with its socket's folder below the test's own. */
static size_t params_pack(const char *id, const char *shim_cgroup, uint8_t bytes[static 1024])
{
	uint8_t value[256];
	Containerd__Runtime__Bootstrap__V1__BootstrapParams params =
		CONTAINERD__RUNTIME__BOOTSTRAP__V1__BOOTSTRAP_PARAMS__INIT;
	Containerd__Runtime__Bootstrap__V1__Extension extension =
		CONTAINERD__RUNTIME__BOOTSTRAP__V1__EXTENSION__INIT;
	Containerd__Runtime__Bootstrap__V1__Extension *extensions[] = {&extension};
	Containerd__Runc__V1__Options options = CONTAINERD__RUNC__V1__OPTIONS__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	options.shim_cgroup = text(shim_cgroup);
	any.type_url = text("containerd.runc.v1.Options");
	any.value.len = protobuf_c_message_pack(&options.base, value);
	any.value.data = value;
	extension.value = &any;
	params.instance_id = text(id);
	params.namespace_ = text("ns");
	params.socket_dir = text(program_path("s"));
	params.n_extensions = 1;
	params.extensions = extensions;
	return protobuf_c_message_pack(&params.base, bytes);
}

static void start_params(struct program *program, const char *id, const char *line)
{
	uint8_t bytes[1024];
	program->runtime = &runtime;
	program->cwd = id;
	program->input_size = params_pack(id, "", bytes);
	program->input = bytes;
	program_run(program, line);
	program->input = NULL;
	program->input_size = 0;
}

/* The address in a BootstrapResult; to be freed. */
static char *answer_address(const struct program *program)
{
	ASSERT_STR(program->err, "");
	ASSERT_EQ(program->status, 0);
	Containerd__Runtime__Bootstrap__V1__BootstrapResult *result =
		containerd__runtime__bootstrap__v1__bootstrap_result__unpack(
			NULL, program->out_size, (const uint8_t *)program->out);
	ASSERT(result != NULL);
	ASSERT_EQ(result->version, 3);
	ASSERT_STR(result->protocol, "ttrpc");
	ASSERT(strncmp(result->address, "unix://", 7) == 0);
	char *address = strdup(result->address);
	protobuf_c_message_free_unpacked(&result->base, NULL);
	return address;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static void file_compare(const char *name, const char *expected)
{
	char content[256];
	int fd = open(program_path(name), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	program_drain(fd, content, sizeof(content));
	ASSERT_STR(content, expected);
}

/* No file but those that the test made, no socket, no process. */
static void nothing_left(const char *bundle)
{
	char file[128];
	snprintf(file, sizeof(file), "%s/address", bundle);
	ASSERT(!program_exists(file));
	/* the folder may stand; a socket in it would keep it from being removed */
	ASSERT(rmdir(program_path("s")) == 0 || errno == ENOENT);
	ASSERT_EQ(program_child(), 0);
}

TEST(answer_and_second_start)
{
	struct program program = {0};

	program_prepare();
	program_bundle("one", "{}");
	start_params(&program, "one", LINE);
	char *address = answer_address(&program);
	ASSERT(strncmp(address + 7, program_path("s/"), strlen(program_path("s/"))) == 0);
	ASSERT_EQ(connect_to(address + 7), 0);
	file_compare("one/address", address);
	ASSERT(!program_exists("one/.address.new"));
	pid_t monitor = program_child();
	ASSERT(monitor > 0);

	/* the second finds the first's: same answer, no further process, the file is written again */
	ASSERT_EQ(unlink(program_path("one/address")), 0);
	start_params(&program, "one", LINE);
	char *again = answer_address(&program);
	ASSERT_STR(again, address);
	file_compare("one/address", address);
	ASSERT_EQ(program_child(), monitor);
	free(again);
	free(address);
	program_end_residents();
	program_clean();
}

static long oom_score(pid_t pid)
{
	char path[64], content[32];
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	program_drain(fd, content, sizeof(content));
	return strtol(content, NULL, 10);
}

TEST(monitor_is_the_likelier_oom_victim)
{
	struct program program = {0};
	long mine = oom_score(getpid());

	program_prepare();
	program_bundle("one", "{}");
	start_params(&program, "one", LINE);
	free(answer_address(&program));
	ASSERT_EQ(oom_score(program_child()), mine < 1000 ? mine + 1 : 1000);
	program_end_residents();
	program_clean();
}

/* Of linux/prctl.h since 5.14. */
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#define COOKIE_GET 0
#define ONE_THREAD 0

static uint64_t cookie_of(pid_t pid)
{
	uint64_t cookie = 0;
	ASSERT_EQ(prctl(PR_SCHED_CORE, COOKIE_GET, pid, ONE_THREAD, &cookie), 0);
	return cookie;
}

/* One that nobody else has; a kernel without it, or a machine without such cores, fails the start. */
TEST(core_scheduling)
{
	struct program program = {.variable = "SCHED_CORE=1"};

	program_prepare();
	program_bundle("one", "{}");
	start_params(&program, "one", LINE);
	if (program.status != 0) {
		const char *begin = NAME ": cannot enable core scheduling: ";
		ASSERT_EQ(program.out_size, 0);
		ASSERT(strncmp(program.err, begin, strlen(begin)) == 0);
		nothing_left("one");
		program_clean();
		SKIP("the kernel has none");
	}
	free(answer_address(&program));
	uint64_t cookie = cookie_of(program_child());
	ASSERT(cookie != 0 && cookie != cookie_of(getpid()));
	program_end_residents();
	program_clean();
}

static const struct {
	const char *config;
	bool same; /* address as that of group "pod" */
} groups[] = {
	{"{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}", true},
	{"{\"annotations\":{\"io.containerd.runc.v2.group\":\"pod\"}}", true},
	{"{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"x\","
	 "\"io.containerd.runc.v2.group\":\"pod\"}}",
	 true},
	{"{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\","
	 "\"io.containerd.runc.v2.group\":\"x\"}}",
	 false},
	{"{\"annotations\":{\"other\":\"pod\"}}", false},
	{"{}", false},
	{NULL, false},
};

TEST(groups_share_a_shim)
{
	struct program program = {0};

	program_prepare();
	program_bundle("pod", "{}");
	start_params(&program, "pod", "shim -namespace ns -address /a.sock -id pod start");
	char *first = answer_address(&program);
	pid_t monitor = program_child();
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		char id[16], line[128];
		snprintf(id, sizeof(id), "member%zu", i);
		snprintf(line, sizeof(line), "shim -namespace ns -address /a.sock -id %s start",
			 id);
		program_bundle(id, groups[i].config);
		start_params(&program, id, line);
		char *address = answer_address(&program);
		ASSERT_EQ(strcmp(address, first) == 0, groups[i].same);
		if (groups[i].same)
			ASSERT_EQ(program_child(), monitor);
		free(address);
	}
	free(first);
	/* one after the other: each has a shim of its own */
	while (program_child() > 0) {
		pid_t pid = program_child();
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
	program_clean();
}

/* The text form, at the place that is fixed. */
TEST(plain_answer)
{
	struct program program = {.runtime = &runtime};
	char line[256];

	if (geteuid() != 0)
		SKIP("only root may make sockets in /run/containerd/s");
	program_prepare();
	program_bundle("one", "{}");
	program.cwd = "one";
	snprintf(line, sizeof(line), "shim -namespace ns -address %s/a.sock -id one start",
		 program_root);
	program_run(&program, line);
	ASSERT_STR(program.err, "");
	ASSERT_EQ(program.status, 0);
	ASSERT(strncmp(program.out, "unix:///run/containerd/s/", 25) == 0);
	ASSERT_EQ(program.out_size, 25 + 64);
	ASSERT_EQ(connect_to(program.out + 7), 0);
	file_compare("one/address", program.out);
	program_end_residents();
	unlink(program.out + 7);
	program_clean();
}

static const struct {
	const char *line, *err;
	int status;
} refused[] = {
	{"shim start", NAME ": shim namespace cannot be empty", 1},
	{"shim -namespace ns start", NAME ": shim id cannot be empty", 1},
	{"shim -namespace a/b -id one start", NAME ": invalid namespace \"a/b\"", 1},
	{"shim -namespace ns -id .. start", NAME ": invalid id \"..\"", 1},
	{"shim -namespace ns -id a/b start", NAME ": invalid id \"a/b\"", 1},
	{"shim -namespace ns -id one", NAME ": the server is only run by start", 1},
	{"shim -namespace ns -id one stop", NAME ": unknown command \"stop\"", 1},
	{"shim -namespace ns -id one -debug=x start",
	 "invalid boolean value \"x\" for -debug: parse error\nUsage of shim:\n", 2},
	{"shim -nope", "flag provided but not defined: -nope\nUsage of shim:\n", 2},
};

TEST(bad_command_lines)
{
	program_prepare();
	program_bundle("one", "{}");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct program program = {.runtime = &runtime, .cwd = "one"};
		program_run(&program, refused[i].line);
		ASSERT_EQ(program.status, refused[i].status);
		ASSERT_EQ(program.out_size, 0);
		if (refused[i].status == 2)
			program.err[strlen(refused[i].err)] = 0;
		ASSERT_STR(program.err, refused[i].err);
		nothing_left("one");
	}
	program_clean();
}

TEST(bundle_of_another)
{
	struct program program = {.runtime = &runtime};
	char expected[256];

	program_prepare();
	program_bundle("two", "{}");
	program.cwd = "two";
	program_run(&program, LINE);
	snprintf(expected, sizeof(expected), NAME ": bundle %s/two is not of container one",
		 program_root);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, expected);
	nothing_left("two");
	program_clean();
}

static const struct {
	const char *config, *input, *err; /* err: how the text begins */
	size_t input_size;
} malformed[] = {
	{"{}", "\x0a", NAME ": bootstrap parameters on standard input are malformed", 1},
	{"{}", "garbage", NAME ": bootstrap parameters on standard input are malformed", 7},
	{"{}",
	 "\x0a\x1a"
	 "containerd.runc.v1.Options"
	 "\x12\x01\x01",
	 NAME ": the runtime's options on standard input are malformed", 31},
	{"{", "", NAME ": config.json: ", 0},
	{"", "", NAME ": config.json: ", 0},
	{"[]", "", NAME ": config.json: ", 0},
};

TEST(bad_input)
{
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct program program = {.runtime = &runtime,
					  .input = malformed[i].input,
					  .input_size = malformed[i].input_size};
		program_prepare();
		program_bundle("one", malformed[i].config);
		program.cwd = "one";
		program_run(&program, LINE);
		ASSERT_EQ(program.status, 1);
		ASSERT_EQ(program.out_size, 0);
		ASSERT(strlen(program.err) >= strlen(malformed[i].err));
		ASSERT(!strchr(program.err, '\n'));
		if (malformed[i].input_size == 0)
			program.err[strlen(malformed[i].err)] = 0;
		ASSERT_STR(program.err, malformed[i].err);
		nothing_left("one");
		program_clean();
	}
}

/* Since 2.3 there are sandboxes without one, which groups_share_a_shim starts. */
TEST(no_config)
{
	struct program program = {.runtime = &runtime, .cwd = "one"};

	program_prepare();
	program_bundle("one", NULL);
	program_run(&program, LINE);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, NAME ": cannot read config.json: no such file or directory");
	nothing_left("one");
	program_clean();
}

/* What a caller left open is not kept by the residents: the pipe's reader sees its end. */
TEST(leaked_descriptors)
{
	struct program program = {0};
	char byte;
	int leak[2];

	program_prepare();
	program_bundle("one", "{}");
	ASSERT_EQ(pipe(leak), 0);
	program.leak = leak[1];
	start_params(&program, "one", LINE);
	free(answer_address(&program));
	close(leak[1]);
	ASSERT_EQ(read(leak[0], &byte, 1), 0);
	close(leak[0]);
	program_end_residents();
	program_clean();
}

/* The socket stands and listens when this fails. */
TEST(failure_after_the_socket)
{
	struct program program = {.runtime = &runtime};
	uint8_t bytes[1024];

	program_prepare();
	program_bundle("one", "{}");
	program.cwd = "one";
	program.input = bytes;
	program.input_size = params_pack("one", "/no/such/cgroup", bytes);
	program_run(&program, LINE);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, NAME ": cannot join shim cgroup \"/no/such/cgroup\": "
				     "no such file or directory");
	nothing_left("one");

	program.input_size = params_pack("one", "/a/../../b", bytes);
	program_run(&program, LINE);
	ASSERT_STR(program.err, NAME ": cannot join shim cgroup \"/a/../../b\": invalid argument");
	nothing_left("one");

	/* the address file cannot be made where a folder stands */
	ASSERT_EQ(mkdir(program_path("one/address"), 0700), 0);
	start_params(&program, "one", LINE);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, NAME ": cannot write file address: is a directory");
	ASSERT_EQ(rmdir(program_path("one/address")), 0);
	nothing_left("one");
	program_clean();
}

TEST(answer_that_cannot_be_given)
{
	struct program program = {.output = "/dev/full"};

	program_prepare();
	program_bundle("one", "{}");
	start_params(&program, "one", LINE);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, NAME ": cannot answer: no space left on device");
	/* the server outlives the monitor by what it takes the kernel to end it */
	while (waitpid(-1, NULL, 0) > 0)
		;
	nothing_left("one");
	program_clean();
}

/* Whatever limit containerd was given, it ends no process of ours. */
TEST(limit_on_the_size_of_files)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
	struct program program = {0};

	program_prepare();
	program_bundle("one", "{}");
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
	start_params(&program, "one", LINE);
	ASSERT_EQ(program.status, 1);
	ASSERT_STR(program.err, NAME ": cannot write file address: file too large");
	nothing_left("one");
	program_clean();
}

TEST(addresses_that_are_too_long)
{
	char variable[256] = "TTRPC_ADDRESS=", expected[512];
	struct program program = {.variable = variable};

	program_prepare();
	program_bundle("one", "{}");
	memset(variable + strlen(variable), 'a', 108);
	start_params(&program, "one", LINE);
	ASSERT_EQ(program.status, 1);
	snprintf(expected, sizeof(expected), NAME ": containerd's address is too long: %s",
		 strchr(variable, '=') + 1);
	ASSERT_STR(program.err, expected);
	nothing_left("one");
	program_clean();
}
