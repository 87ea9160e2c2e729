/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One accumulator, a place in the program that only moves forward, and the data of one call, which is
 * read in words of 32 bits. What a seccomp filter never needs (packets, scratch memory, the index
 * register) is refused.
 */
#include "test/filter/machine.h"

#include <string.h>

struct machine {
	const struct seccomp_data *data;
	uint32_t accumulator;
	size_t next;
};

static bool load(struct machine *machine, uint32_t offset)
{
	if (offset % 4 != 0 || offset > sizeof(*machine->data) - 4)
		return false;
	memcpy(&machine->accumulator, (const char *)machine->data + offset, 4);
	return true;
}

static bool jump(struct machine *machine, const struct sock_filter *step)
{
	bool holds;

	switch (BPF_OP(step->code)) {
	case BPF_JA:
		machine->next += step->k;
		return true;
	case BPF_JEQ:
		holds = machine->accumulator == step->k;
		break;
	case BPF_JGT:
		holds = machine->accumulator > step->k;
		break;
	case BPF_JGE:
		holds = machine->accumulator >= step->k;
		break;
	case BPF_JSET:
		holds = (machine->accumulator & step->k) != 0;
		break;
	default:
		return false;
	}
	machine->next += holds ? step->jt : step->jf;
	return true;
}

static bool run_step(struct machine *machine, const struct sock_filter *step)
{
	switch (step->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return load(machine, step->k);
	case BPF_ALU | BPF_AND | BPF_K:
		machine->accumulator &= step->k;
		return true;
	default:
		if (BPF_CLASS(step->code) != BPF_JMP || BPF_SRC(step->code) != BPF_K)
			return false;
		return jump(machine, step);
	}
}

bool machine_run(const struct sock_filter *filter, size_t length, const struct seccomp_data *data,
		 uint32_t *ret_action)
{
	struct machine machine = {.data = data};

	while (machine.next < length) {
		const struct sock_filter *step = &filter[machine.next++];

		if (step->code == (BPF_RET | BPF_K)) {
			*ret_action = step->k;
			return true;
		}
		if (!run_step(&machine, step))
			return false;
	}
	return false;
}
