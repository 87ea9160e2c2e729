# SPDX-License-Identifier: Apache-2.0

# ---- figures: make run, make bench ----

BENCH_SHARED := $(patsubst %,build/gcc/obj/test/bench/%.o,bundle options peer sample sink wire)
BENCH_TOOLS := $(addprefix build/gcc/test/bench/,fleet life pages repeat)

build/gcc/test/bench/fleet build/gcc/test/bench/life: build/gcc/test/bench/%: \
		build/gcc/obj/test/bench/%.o $(BENCH_SHARED)
	$(call link,gcc)
build/gcc/test/bench/repeat: build/gcc/obj/test/bench/repeat.o build/gcc/obj/test/bench/sample.o
	$(call link,gcc)
build/gcc/test/bench/pages: build/gcc/obj/test/bench/pages.o
	$(call link,gcc)
-include $(wildcard build/gcc/obj/test/bench/*.d)

.PHONY: run bench bench-tools
bench-tools: $(BENCH_TOOLS)
run: $(PRODUCTS) $(BENCH_TOOLS)
	@test/run-demo
bench: $(PRODUCTS) $(BENCH_TOOLS)
	@test/bench/run
# ---- end of figures ----

# ---- integration: what the scripts in test/integration use ----

TEST_TOOLS += build/test/task build/test/sink

build/test/task build/test/sink: build/test/%: build/musl/obj/test/tools/%.o \
		build/musl/obj/test/tools/wire.o
	$(call link,musl)
# ---- end of integration ----

# ---- containers in a machine with cgroup v2 ----

VM_TOOLS := build/musl/test/unit/harden build/musl/test/unit/harden_works \
	build/musl/test/filter/filter-loaded

.PHONY: test-vm
test-vm: $(PRODUCTS) $(TEST_TOOLS) $(VM_TOOLS)
	@test/run test/vm/vm.sh
# ---- end of the machine ----
