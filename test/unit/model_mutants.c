/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That the model finds what is wrong: each cell of the tables of states by requests turned over, and
 * each step of the exit rule left out, in a process of its own. One that no order shows is a failure.
 */
#include <sys/wait.h>

#include "test/unit/model_orders.h"

#define MUTANT_DEPTH 3

/*
 * A table's cell that is turned over, or a step that is left out. The tables are const, so it is the
 * one function that reads them that answers wrongly.
 */
enum mutant_kind {
	MUTANT_NONE,
	MUTANT_CELL,
	MUTANT_BLIND,
	MUTANT_EXEC_OVER,
	MUTANT_EXITS_OVER,
	MUTANT_EXIT_TWICE,
	MUTANT_EXIT_LOST,
	MUTANT_UNASKED,
	MUTANT_RELEASE,
	MUTANT_WAITERS,
	MUTANTS
};

static struct mutant {
	enum mutant_kind kind;
	bool exec;
	enum process_request request;
	enum process_state state;
} mutant;

const struct process_rule *__real_process_rule(const struct process *process,
					       enum process_request request);
const struct process_rule *__wrap_process_rule(const struct process *process,
					       enum process_request request);
const struct process_rule *__wrap_process_rule(const struct process *process,
					       enum process_request request)
{
	static const struct process_rule allowed = {TTRPC_OK, NULL},
					 refused = {TTRPC_UNKNOWN, "turned over"};
	const struct process_rule *rule = __real_process_rule(process, request);
	if (mutant.kind != MUTANT_CELL || mutant.request != request ||
	    mutant.state != process->state || mutant.exec != (process->exec_id[0] != 0))
		return rule;
	return rule->code == TTRPC_OK ? &refused : &allowed;
}

void __real_container_exec_over(struct container *container);
void __wrap_container_exec_over(struct container *container);
void __wrap_container_exec_over(struct container *container)
{
	if (mutant.kind != MUTANT_EXEC_OVER)
		__real_container_exec_over(container);
}

void __real_process_exits_over(struct process *init);
void __wrap_process_exits_over(struct process *init);
void __wrap_process_exits_over(struct process *init)
{
	if (mutant.kind != MUTANT_EXITS_OVER)
		__real_process_exits_over(init);
}

void __real_process_exited(struct process *process, const struct report *report);
void __wrap_process_exited(struct process *process, const struct report *report);
void __wrap_process_exited(struct process *process, const struct report *report)
{
	if (mutant.kind != MUTANT_EXIT_LOST)
		__real_process_exited(process, report);
	if (mutant.kind == MUTANT_EXIT_TWICE)
		__real_process_exited(process, report);
}

void __real_task_delete_unasked(struct container *container);
void __wrap_task_delete_unasked(struct container *container);
void __wrap_task_delete_unasked(struct container *container)
{
	if (mutant.kind != MUTANT_UNASKED)
		__real_task_delete_unasked(container);
}

void __real_operation_release(struct operation *operation);
void __wrap_operation_release(struct operation *operation);
void __wrap_operation_release(struct operation *operation)
{
	if (mutant.kind == MUTANT_RELEASE)
		operation->process->exclusive = NULL;
	else
		__real_operation_release(operation);
}

void __real_process_answer_waiters(struct process *process);
void __wrap_process_answer_waiters(struct process *process);
void __wrap_process_answer_waiters(struct process *process)
{
	if (mutant.kind != MUTANT_WAITERS)
		__real_process_answer_waiters(process);
}

static void mutant_found(void)
{
	_exit(0);
}

/* Whether some order shows it. A mutant may also crash. */
static bool mutant_is_found(const struct mutant *tried)
{
	int status;
	pid_t pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		mutant = *tried;
		oom_blind = mutant.kind == MUTANT_BLIND;
		on_fault = mutant_found;
		for (int depth = 1; depth <= MUTANT_DEPTH; depth++)
			for (int i = 0; i < BEGINNINGS; i++)
				orders_try(&beginnings[i], depth);
		_exit(1);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	return !WIFEXITED(status) || WEXITSTATUS(status) == 0;
}

#define MUTANTS_SECONDS 100 /* on a machine that does much else */

static void cells_turn(bool exec, const enum process_request *requests, size_t n,
		       const enum process_state *states, size_t n_states)
{
	alarm(MUTANTS_SECONDS);
	for (size_t i = 0; i < n * n_states; i++) {
		const struct mutant cell = {MUTANT_CELL, exec, requests[i / n_states],
					    states[i % n_states]};
		if (!mutant_is_found(&cell))
			test_fail(__FILE__, __LINE__, "cell of %s: request %d in state %d",
				  exec ? "an exec" : "an init", cell.request, cell.state);
	}
}

TEST(mutants_of_the_table_of_inits)
{
	static const enum process_request requests[] = {
		REQUEST_START,  REQUEST_DELETE, REQUEST_KILL, REQUEST_PAUSE,
		REQUEST_RESUME, REQUEST_UPDATE, REQUEST_EXEC, REQUEST_RESIZE};
	static const enum process_state states[] = {PROCESS_CREATED, PROCESS_CHECKPOINT,
						    PROCESS_RUNNING, PROCESS_PAUSED,
						    PROCESS_STOPPED};
	cells_turn(false, requests, 8, states, 5);
}

TEST(mutants_of_the_table_of_execs)
{
	static const enum process_request requests[] = {REQUEST_START, REQUEST_DELETE, REQUEST_KILL,
							REQUEST_RESIZE};
	static const enum process_state states[] = {PROCESS_CREATED, PROCESS_RUNNING,
						    PROCESS_STOPPED};
	cells_turn(true, requests, 4, states, 3);
}

TEST(mutants_of_the_exit_rule)
{
	for (enum mutant_kind kind = MUTANT_BLIND; kind < MUTANTS; kind++) {
		const struct mutant tried = {.kind = kind};
		if (!mutant_is_found(&tried))
			test_fail(__FILE__, __LINE__, "left out: %u", kind);
	}
}
