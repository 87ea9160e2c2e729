/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verb `start`: makes a shim for a new container, or finds the one that serves its group, and
 * answers with its address. containerd takes all that is printed, on either output, for the answer.
 *
 *   fork the monitor    before anything is read or allocated: the residents inherit this memory
 *   learn               standard input, config.json: who is to be served, and how
 *   claim               the socket; it listens from now on, and callers wait in its backlog
 *   place               the monitor: core scheduling, cgroup, OOM score; the server inherits them
 *   launch              the monitor forks the server
 *   answer
 *
 * If a shim of the group listens already, the monitor is told to go, and only the answer remains. If
 * any step fails, those before it are undone and nothing is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/address.h"
#include "shim/bootstrap.h"
#include "shim/cgroup.h"
#include "shim/config_json.h"
#include "shim/endpoint.h"
#include "shim/main.h"
#include "shim/monitor.h"
#include "shim/pair.h"

struct start {
	const struct shim_config *config;
	struct monitor_handle monitor; /* pid 0: told to go, and gone */
	struct bootstrap bootstrap;
	struct config_json spec;
	struct endpoint endpoint;
	struct monitor_setup setup;
	struct failure failure;
};

/* Later calls find the bundle by the id, so it has to stand under that name. */
static int bundle_check(struct start *start)
{
	char path[BUNDLE_SIZE];
	const char *slash = getcwd(path, sizeof(path)) ? strrchr(path, '/') : NULL;

	if (!slash && errno != ERANGE)
		return main_errno(&start->failure, "working", "directory");
	if (!slash || (size_t)(slash - path) + 1 + ID_SIZE > sizeof(path))
		return failure_set(&start->failure, "the path of the bundle is too long");
	if (strcmp(slash + 1, start->config->id) != 0)
		return failure_set(&start->failure, "bundle %s is not of container %s", path,
				   start->config->id);
	return 0;
}

static int learn(struct start *start)
{
	const struct shim_config *config = start->config;
	int result = bundle_check(start);

	if (result == 0)
		result = bootstrap_read(&start->bootstrap, STDIN_FILENO, config->id,
					config->namespace_, &start->failure);
	if (result == 0)
		result = config_json_read("config.json", &start->spec, &start->failure);
	if (result != -ENOENT)
		return result;
	/* only since BootstrapParams are there sandboxes that are no containers and have none */
	return start->bootstrap.params ? 0
				       : failure_set(&start->failure, "cannot read config.json: %s",
						     failure_errno(ENOENT));
}

static int addresses_make(struct start *start, char path[static ADDRESS_PATH_SIZE])
{
	const struct shim_config *config = start->config;
	const struct bootstrap *bootstrap = &start->bootstrap;
	const char *containerd = *config->address ? config->address : bootstrap->grpc_address;
	const char *ttrpc = getenv("TTRPC_ADDRESS");
	int result;

	if (!ttrpc || !*ttrpc)
		ttrpc = bootstrap->ttrpc_address;
	result = address_publisher(ttrpc, containerd, start->setup.publisher_path, &start->failure);
	if (result != 0)
		return result;
	return address_socket_path(*bootstrap->socket_dir ? bootstrap->socket_dir : ADDRESS_FOLDER,
				   containerd, config->namespace_,
				   start->spec.group ? start->spec.group : config->id, path,
				   &start->failure);
}

static int claim(struct start *start)
{
	char path[ADDRESS_PATH_SIZE];
	int result = addresses_make(start, path);

	if (result == 0)
		result = endpoint_open(path, &start->endpoint, &start->failure);
	if (result != 0)
		return result;
	result = address_file_write(path);
	return result == 0 ? 0
			   : failure_set(&start->failure, "cannot write file %s: %s", ADDRESS_FILE,
					 failure_errno(-result));
}

/* The cgroup that the options name, which may be of a kind that only the runtime understands. */
static int cgroup_find(struct start *start, const char **path)
{
	const struct runtime *runtime = start->config->runtime;
	struct runtime_task task = {0};

	*path = start->bootstrap.shim_cgroup;
	if (**path || !runtime->shim_cgroup || start->bootstrap.options.size == 0)
		return 0;
	main_task(start->config, &task);
	task.options = start->bootstrap.options;
	int result = runtime->shim_cgroup(&task, path);
	return result != 0 && *task.error ? failure_set(&start->failure, "%s", task.error) : result;
}

static int place(struct start *start)
{
	const char *core = getenv("SCHED_CORE"), *cgroup;
	pid_t pid = start->monitor.pid;
	int result = cgroup_find(start, &cgroup);

	if (result == 0 && core && *core)
		result = core_scheduling_set(pid, &start->failure);
	if (result == 0 && *cgroup)
		result = cgroup_move(pid, cgroup, &start->failure);
	if (result == 0)
		result = oom_score_raise(pid, &start->failure);
	return result;
}

static int launch(struct start *start)
{
	struct monitor_setup *setup = &start->setup;
	int result = place(start);

	if (result != 0)
		return result;
	memcpy(setup->socket_path, start->endpoint.path, sizeof(setup->socket_path));
	setup->debug = start->config->debug || start->bootstrap.debug;
	result = monitor_launch(&start->monitor, setup, start->endpoint.fd);
	return result == 0 ? 0
			   : failure_set(&start->failure, "the shim did not come up: %s",
					 failure_errno(-result));
}

static int answer_params(const char *address)
{
	size_t size = 0;
	void *bytes = bootstrap_result(address, &size);
	int result = bytes ? main_answer(bytes, size) : -ENOMEM;
	free(bytes);
	return result;
}

static int answer(struct start *start)
{
	char address[sizeof(ADDRESS_SCHEME) + ADDRESS_PATH_SIZE];
	size_t size =
		(size_t)(stpcpy(stpcpy(address, ADDRESS_SCHEME), start->endpoint.path) - address);
	int result = start->bootstrap.params ? answer_params(address) : main_answer(address, size);

	return result == 0
		       ? 0
		       : failure_set(&start->failure, "cannot answer: %s", failure_errno(-result));
}

/* It waits for a setup and goes when it hears that there will be none. */
static void monitor_dismiss(struct start *start)
{
	if (start->monitor.pid == 0)
		return;
	if (start->monitor.channel >= 0)
		monitor_abandon(&start->monitor);
	else
		kill(start->monitor.pid, SIGTERM);
	while (waitpid(start->monitor.pid, NULL, 0) < 0 && errno == EINTR)
		;
	start->monitor.pid = 0;
}

static int start_run(struct start *start)
{
	int result = learn(start);
	if (result == 0)
		result = claim(start);
	if (result == 0 && start->endpoint.served)
		monitor_dismiss(start);
	else if (result == 0)
		result = launch(start);
	return result == 0 ? answer(start) : result;
}

static void start_undo(struct start *start)
{
	if (start->endpoint.path[0])
		address_file_remove();
	monitor_dismiss(start);
	endpoint_remove(&start->endpoint);
}

/* Not inlined: its frame is not to lie on the stack that the monitor inherits. */
static __attribute__((noinline)) int start_rest(const struct shim_config *config,
						struct monitor_handle monitor)
{
	struct start start;

	start = (struct start){.config = config, .monitor = monitor, .endpoint = {.fd = -1}};
	bootstrap_init(&start.bootstrap);

	int result = start_run(&start);
	if (result != 0) {
		start_undo(&start);
		result = main_report(config, &start.failure, result);
	}
	endpoint_close(&start.endpoint);
	config_json_deinit(&start.spec);
	bootstrap_deinit(&start.bootstrap);
	return result;
}

int start_main(const struct shim_config *config)
{
	struct monitor_handle monitor;
	/* what a caller did not close would be kept open for as long as the shim lives */
	syscall(SYS_close_range, STDERR_FILENO + 1u, ~0u, 0u);
	int result = monitor_spawn(config, &monitor);
	if (result < 0)
		return main_fail(config, "cannot fork: %s", failure_errno(-result));
	return start_rest(config, monitor);
}
