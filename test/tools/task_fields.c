/* SPDX-License-Identifier: Apache-2.0 */
#include "test/tools/task_fields.h"

#include <string.h>

#define ID                                                                                         \
	{                                                                                          \
		"id", 1, STRING                                                                    \
	}
#define EXEC_ID                                                                                    \
	{                                                                                          \
		"exec_id", 2, STRING                                                               \
	}

static const struct task_field create_options[] = {
	{"no_pivot_root", 1, NUMBER},
	{"no_new_keyring", 2, NUMBER},
	{"shim_cgroup", 3, STRING},
	{"io_uid", 4, NUMBER},
	{"io_gid", 5, NUMBER},
	{"binary_name", 6, STRING},
	{"root", 7, STRING},
	{"systemd_cgroup", 9, NUMBER},
	{"criu_image_path", 10, STRING},
	{"criu_work_path", 11, STRING},
	{NULL, 0, STRING},
};

static const struct task_field checkpoint_options[] = {
	{"exit", 1, NUMBER},
	{"open_tcp", 2, NUMBER},
	{"external_unix_sockets", 3, NUMBER},
	{"terminal", 4, NUMBER},
	{"file_locks", 5, NUMBER},
	{"empty_namespaces", 6, STRING},
	{"cgroups_mode", 7, STRING},
	{"image_path", 8, STRING},
	{"work_path", 9, STRING},
	{NULL, 0, STRING},
};

static const struct task_method task_methods[] = {
	{"State",
	 {ID, EXEC_ID},
	 {ID,
	  {"bundle", 2, STRING},
	  {"pid", 3, NUMBER},
	  {"status", 4, NUMBER},
	  {"stdin", 5, STRING},
	  {"stdout", 6, STRING},
	  {"stderr", 7, STRING},
	  {"terminal", 8, NUMBER},
	  {"exit_status", 9, NUMBER},
	  {"exited_at", 10, TIME},
	  {"exec_id", 11, STRING}}},
	{"Create",
	 {ID,
	  {"bundle", 2, STRING},
	  {"rootfs", 3, MOUNT},
	  {"terminal", 4, NUMBER},
	  {"stdin", 5, STRING},
	  {"stdout", 6, STRING},
	  {"stderr", 7, STRING},
	  {"checkpoint", 8, STRING},
	  {"parent_checkpoint", 9, STRING}},
	 {{"pid", 1, NUMBER}}},
	{"Start", {ID, EXEC_ID}, {{"pid", 1, NUMBER}}},
	{"Delete",
	 {ID, EXEC_ID},
	 {{"pid", 1, NUMBER}, {"exit_status", 2, NUMBER}, {"exited_at", 3, TIME}}},
	{"Pids", {ID}, {{"pid", 1, PROCESS}}},
	{"Pause", {ID}, {{0}}},
	{"Resume", {ID}, {{0}}},
	{"Checkpoint", {ID, {"path", 2, STRING}}, {{0}}},
	{"Kill", {ID, EXEC_ID, {"signal", 3, NUMBER}, {"all", 4, NUMBER}}, {{0}}},
	{"Exec",
	 {ID,
	  EXEC_ID,
	  {"terminal", 3, NUMBER},
	  {"stdin", 4, STRING},
	  {"stdout", 5, STRING},
	  {"stderr", 6, STRING},
	  {"spec", 7, JSON}},
	 {{0}}},
	{"ResizePty", {ID, EXEC_ID, {"width", 3, NUMBER}, {"height", 4, NUMBER}}, {{0}}},
	{"CloseIO", {ID, EXEC_ID, {"stdin", 3, NUMBER}}, {{0}}},
	{"Update", {ID, {"resources", 2, JSON}}, {{0}}},
	{"Wait", {ID, EXEC_ID}, {{"exit_status", 1, NUMBER}, {"exited_at", 2, TIME}}},
	{"Stats", {ID}, {{"stats", 1, ANY}}},
	{"Connect",
	 {ID},
	 {{"shim_pid", 1, NUMBER}, {"task_pid", 2, NUMBER}, {"version", 3, STRING}}},
	{"Shutdown", {ID, {"now", 2, NUMBER}}, {{0}}},
};

static const struct task_options task_options[] = {
	{"Create", 10, "containerd.runc.v1.Options", create_options},
	{"Checkpoint", 3, "containerd.runc.v1.CheckpointOptions", checkpoint_options},
};

#define V1 "io.containerd.cgroups.v1.Metrics"
#define V2 "io.containerd.cgroups.v2.Metrics"

const struct task_metric task_metrics[] = {
	{V1, "pids_current", {2, 1}},
	{V1, "pids_limit", {2, 2}},
	{V1, "cpu_total", {3, 1, 1}},
	{V1, "memory_usage", {4, 33, 2}},
	{V1, "memory_limit", {4, 33, 1}},
	{V1, "oom_kill", {9, 3}},
	{V2, "pids_current", {1, 1}},
	{V2, "pids_limit", {1, 2}},
	{V2, "cpu_total", {2, 1}},
	{V2, "memory_usage", {4, 32}},
	{V2, "memory_limit", {4, 33}},
	{V2, "oom_kill", {8, 5}},
	{NULL, NULL, {0}},
};

const struct task_method *task_find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(task_methods) / sizeof(task_methods[0]); i++) {
		if (strcmp(task_methods[i].name, name) == 0)
			return &task_methods[i];
	}
	return NULL;
}

const struct task_options *task_find_options(const char *method)
{
	for (size_t i = 0; i < sizeof(task_options) / sizeof(task_options[0]); i++) {
		if (strcmp(task_options[i].method, method) == 0)
			return &task_options[i];
	}
	return NULL;
}
