# SPDX-License-Identifier: Apache-2.0

# ---- figures: make run, make bench ----

BENCH_SHARED := $(patsubst %,build/gcc/obj/test/bench/%.o,bare bundle cost deadline leave options peer \
	peer_exec peer_verb sample sink table wire)
BENCH_TOOLS := $(addprefix build/gcc/test/bench/,calls fleet flow life pages repeat)

$(addprefix build/gcc/test/bench/,calls fleet flow life): build/gcc/test/bench/%: \
		build/gcc/obj/test/bench/%.o $(BENCH_SHARED)
	$(call link,gcc)
build/gcc/test/bench/repeat: build/gcc/obj/test/bench/repeat.o \
		$(patsubst %,build/gcc/obj/test/bench/%.o,deadline sample)
	$(call link,gcc)
build/gcc/test/bench/pages: build/gcc/obj/test/bench/pages.o
	$(call link,gcc)
-include $(wildcard build/gcc/obj/test/bench/*.d)

TEST_TOOLS += $(addprefix build/gcc/test/bench/,fleet repeat)
TESTS += test/bench/others.sh

# Variables that make no sense are told before anything is got or built. What the command line sets is
# not in the environment of $(shell).
KNOBS := CONTAINERS BENCH_REPEAT BENCH_ONLY BENCH_SECONDS IDLE VM_SECONDS
KNOBS_SET := $(foreach name,$(KNOBS),$(if $(filter command,$(origin $(name))), \
	$(name)='$(subst ','\'',$($(name)))'))
FIGURES := $(if $(filter run,$(GOALS)),test/run-demo) $(if $(filter bench,$(GOALS)),test/bench/run) \
	$(if $(filter bench-vm,$(GOALS)),test/vm/bench)
refuse = $(if $(filter-out 0,$(.SHELLSTATUS)),$(error $1))
$(foreach script,$(FIGURES),$(call refuse,$(shell $(KNOBS_SET) $(script) check 2>&1)))

.PHONY: run bench bench-tools
bench-tools: $(BENCH_TOOLS)
run: $(PRODUCTS) $(BENCH_TOOLS)
	@test/run-demo
bench: $(PRODUCTS) $(BENCH_TOOLS)
	@test/bench/run
# ---- end of figures ----

# ---- figures of the ttrpc library: make bench-ttrpc ----

# musl is what ships; the same programs with glibc stand beside them.
TTRPC_BENCH := $(foreach name,musl gcc,$(addprefix build/$(name)/test/bench-ttrpc/,server client)) \
	$(addprefix build/gcc/test/bench-ttrpc/,load limit bench) build/bench-ttrpc/echo \
	build/musl/test/bench-ttrpc/counted
TTRPC_BENCH_STUBS := $(addprefix obj/gen/test/bench-ttrpc/bench.,pb-c.o ttrpc.o)
GENERATED += $(addprefix build/gen/test/bench-ttrpc/bench,.pb-c.h .ttrpc.h)

define ttrpc_bench
build/$1/test/bench-ttrpc/server build/$1/test/bench-ttrpc/echo build/$1/test/bench-ttrpc/client: \
		build/$1/test/bench-ttrpc/%: build/$1/obj/test/bench-ttrpc/%.o \
		build/$1/obj/test/bench-ttrpc/meter.o $(TTRPC_BENCH_STUBS:%=build/$1/%) \
		build/$1/libttrpc.a build/$1/libprotobuf-c.a
	$$(call link,$1)
endef
$(foreach name,musl gcc,$(eval $(call ttrpc_bench,$(name))))

build/musl/test/bench-ttrpc/counted: $(addprefix build/musl/obj/test/bench-ttrpc/,server.o count.o) \
		$(TTRPC_BENCH_STUBS:%=build/musl/%) build/musl/libttrpc.a build/musl/libprotobuf-c.a
	$(call link,musl) -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
build/bench-ttrpc/echo: build/musl/test/bench-ttrpc/echo
	$(call quiet,STRIP)strip -R .comment -o $@ $<
build/gcc/test/bench-ttrpc/load: $(patsubst %,build/gcc/obj/test/bench-ttrpc/%.o,load frames meter)
	$(call link,gcc)
build/gcc/test/bench-ttrpc/limit: $(patsubst %,build/gcc/obj/test/bench-ttrpc/%.o,limit frames)
	$(call link,gcc)
build/gcc/test/bench-ttrpc/bench: $(patsubst %,build/gcc/obj/test/bench-ttrpc/%.o, \
		bench figures frames memory peers process syscalls)
	$(call link,gcc)

.PHONY: bench-ttrpc bench-ttrpc-tools
bench-ttrpc-tools: $(TTRPC_BENCH)
bench-ttrpc: $(TTRPC_BENCH)
	@test/bench-ttrpc/build-peers
	@build/gcc/test/bench-ttrpc/bench
# ---- end of figures of the ttrpc library ----

# ---- one shim through very many processes and containers ----

TEST_TOOLS += build/gcc/test/soak-shim/soak build/test/soak-shim/runtime
TESTS += test/soak-shim/soak.sh

build/gcc/test/soak-shim/soak: build/gcc/obj/test/soak-shim/soak.o $(BENCH_SHARED)
	$(call link,gcc)
build/test/soak-shim/runtime: build/musl/obj/test/soak-shim/runtime.o
	$(call link,musl)

.PHONY: soak-shim
soak-shim: $(PRODUCTS) build/gcc/test/soak-shim/soak build/test/soak-shim/runtime
	@SOAK_EXECS=$${SOAK_EXECS:-100000} test/soak-shim/soak.sh
# ---- end of the soak ----

# ---- integration: what the scripts in test/integration use ----

TEST_TOOLS += $(addprefix build/test/,task sink pty pattern)

build/test/task: build/musl/obj/test/tools/task_fields.o
$(addprefix build/test/,task sink pty pattern): build/test/%: build/musl/obj/test/tools/%.o \
		build/musl/obj/test/tools/wire.o
	$(call link,musl)

# The tables of scenarios, with containers and with pods, under every containerd that can be had.
.PHONY: test-daemons
test-daemons: all $(TEST_TOOLS)
	@test/run $(or $(wildcard $(foreach table,daemon cri, \
		test/integration/$(table)-$(or $(DAEMON),*).sh)), \
		test/integration/daemon-base.sh test/integration/cri-base.sh) | test/integration/summary
ifdef DAEMON
DAEMONS := $(filter-out base,$(patsubst test/integration/daemon-%.sh,%,$(wildcard test/integration/daemon-*.sh)))
ifeq ($(filter $(DAEMON),$(DAEMONS))$(wildcard build/daemons/$(DAEMON)/env.sh),)
$(error DAEMON=$(DAEMON): there is no such containerd, but $(DAEMONS))
endif
export MOTE_DAEMON := $(DAEMON)
endif
# ---- end of integration ----

# ---- containers in a machine with cgroup v2 ----

VM_TOOLS := build/musl/test/unit/harden build/musl/test/unit/harden_works \
	build/musl/test/unit/cgroup_v2 build/musl/test/filter/filter-loaded

build/test/pause: build/musl/obj/test/tools/pause.o
	$(call link,musl)

.PHONY: test-vm bench-vm
test-vm: $(PRODUCTS) $(TEST_TOOLS) $(VM_TOOLS)
	@test/run test/vm/vm.sh
bench-vm: $(PRODUCTS) build/test/pause
	@test/vm/bench
# ---- end of the machine ----

# ---- fuzz targets: replayed by the tests, given to clang's libFuzzer by make fuzz ----

FUZZ_SECONDS ?= 60
FUZZ := $(filter-out replay,$(sort $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c))))

fuzz_libraries = $(addprefix build/$1/lib,runc.a shim.a ttrpc.a generator.a protobuf-c.a jansson.a)
fuzz_flags = $(shell cat test/fuzz/$1.ldflags 2>/dev/null)

# The generator without its process.
GENERATED += $(GENERATOR_PROTOS:%.proto=build/gen/%.pb-c.h)

define fuzz_generator
build/$1/libgenerator.a: $(patsubst %.c,build/$1/obj/%.o,$(filter-out %/main.c,$(sort \
		$(wildcard ttrpc/gen/*.c)))) $(GENERATOR_PROTOS:%.proto=build/$1/obj/gen/%.pb-c.o) ttrpc/gen
	$$(archive)
endef
$(foreach name,musl gcc clang asan fuzz coverage,$(eval $(call fuzz_generator,$(name))))

define fuzz_replay
build/$1/test/fuzz/%: build/$1/obj/test/fuzz/%.o build/$1/obj/test/fuzz/replay.o \
		build/$1/obj/test/test.o $(call fuzz_libraries,$1)
	$$(call link,$1) $$(call fuzz_flags,$$*)
endef
$(foreach name,musl gcc clang asan,$(eval $(call fuzz_replay,$(name))))

build/fuzz/test/fuzz/%: build/fuzz/obj/test/fuzz/%.o $(call fuzz_libraries,fuzz)
	$(call link,fuzz) $(call fuzz_flags,$*)

build/coverage/test/fuzz/%: build/coverage/obj/test/fuzz/%.o $(call fuzz_libraries,coverage)
	$(call link,coverage) $(call fuzz_flags,$*)

TESTS += $(FUZZ:%=build/musl/test/fuzz/%)
asan_TESTS += $(FUZZ:%=build/asan/test/fuzz/%)
lint-builds: $(foreach name,gcc clang,$(FUZZ:%=build/$(name)/test/fuzz/%))

# What is found is kept: new inputs in build/fuzz/found, one that ends the target beside them.
.PHONY: fuzz
fuzz: $(patsubst %,build/fuzz/test/fuzz/%,$(call CHOSEN,$(FUZZ)))
	@for name in $(notdir $^); do \
		echo "  FUZZ    $$name"; mkdir -p build/fuzz/found/$$name; \
		build/fuzz/test/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
			-artifact_prefix=build/fuzz/found/$$name- build/fuzz/found/$$name \
			test/fuzz/$$name >build/fuzz/$$name.log 2>&1 || \
			{ tail -n 40 build/fuzz/$$name.log; exit 1; }; \
	done

# Of the inputs in the tree and those that were found; each target on its own, then all together.
.PHONY: fuzz-coverage
fuzz-coverage: $(patsubst %,build/coverage/test/fuzz/%,$(call CHOSEN,$(FUZZ)))
	@test/fuzz/coverage $(notdir $^)
# ---- end of the fuzz targets ----

# ---- unit tests with a service of their own: its objects, for each test whose name begins so ----

TEST_PROTOS := $(wildcard test/unit/*.proto)
GENERATED += $(foreach proto,$(TEST_PROTOS),$(proto:%.proto=build/gen/%.pb-c.h) \
	$(proto:%.proto=build/gen/%.ttrpc.h))

define unit_service
$(patsubst %.c,build/$1/%,$(wildcard $(2:.proto=*.c))): \
	build/$1/obj/gen/$(2:.proto=.pb-c.o) build/$1/obj/gen/$(2:.proto=.ttrpc.o)
endef
$(foreach name,musl gcc clang asan,$(foreach proto,$(TEST_PROTOS), \
	$(eval $(call unit_service,$(name),$(proto)))))
# ---- end of those services ----

# ---- other implementations of ttrpc: make interop ----

INTEROP_PROTOS := $(wildcard test/interop/*.proto)
GENERATED += $(foreach proto,$(INTEROP_PROTOS),$(proto:%.proto=build/gen/%.pb-c.h) \
	$(proto:%.proto=build/gen/%.ttrpc.h))

# interop VARIANT: its objects of these sources, and of the schemas.
interop = $(patsubst %,build/$1/obj/test/interop/%.o,$2) $(foreach proto,$(INTEROP_PROTOS), \
	$(patsubst %.proto,build/$1/obj/gen/%.pb-c.o,$(proto)) \
	$(patsubst %.proto,build/$1/obj/gen/%.ttrpc.o,$(proto))) \
	build/$1/libttrpc.a build/$1/libprotobuf-c.a

INTEROP_PROGRAMS := $(addprefix build/test/,ttrpc-streaming-server ttrpc-streaming-client \
	interop-server interop-client-calls interop-client-streams interop-client-gone)
TEST_TOOLS += $(INTEROP_PROGRAMS)
TESTS += test/interop/self.sh

build/test/ttrpc-streaming-server: $(call interop,musl,streaming_server streaming_service serve)
	$(call link,musl)
build/test/ttrpc-streaming-client: $(call interop,musl,streaming_client streaming_tests peer)
	$(call link,musl)
build/test/interop-server: $(call interop,musl,interop_server streaming_service probe_service \
		probe_text flow_service serve)
	$(call link,musl)
build/test/interop-client-%: $(call interop,musl,client peer streaming_tests probe_text) \
		build/musl/obj/test/interop/client_%.o build/musl/obj/test/test.o
	$(call link,musl)

lint-builds: $(foreach name,gcc clang,$(patsubst %.c,build/$(name)/obj/%.o, \
	$(wildcard test/interop/*.c)))

.PHONY: interop
interop: $(INTEROP_PROGRAMS)
	@rm -rf build/interop/results; test/interop/build
	@status=0; test/run test/interop/{go,go-unary,rust-async,rust-sync}.sh || status=$$?; \
		test/interop/table; exit $$status
# ---- end of the other implementations ----

# ---- soak: millions of calls, streams and connections; in the tests a thousandth of them ----

SOAK_SCALE ?= 1
TESTS += build/musl/test/soak/soak

build/%/test/soak/soak: $(addprefix build/%/obj/test/soak/,crowd.o load.o server.o soak.o) \
		$(addprefix build/%/lib,ttrpc.a protobuf-c.a)
	$(call link,$*)

lint-builds: build/gcc/test/soak/soak build/clang/test/soak/soak

.PHONY: soak
soak: build/musl/test/soak/soak
	@SOAK_SCALE=$(SOAK_SCALE) $<
# ---- end of the soak ----

# ---- the library's unit tests under valgrind, if it is there ----

# The library's are those that include its headers or fixtures, and nothing of api/ and shim/. Not the
# shim's own: a filter ends the resident server at valgrind's own system calls, workers leave their
# heap to the kernel on purpose, and valgrind (3.19) knows neither pidfds nor openat2. What can't be of
# the rest is skipped by the tests themselves, where TEST_VALGRIND is set.
unit_tests_with = $(patsubst %.c,%,$(shell grep -lE '^.include "($1)' test/unit/*.c))
VALGRIND_TESTS := $(patsubst test/unit/%,build/valgrind/%,$(filter-out $(call unit_tests_with,api/|shim/), \
	$(call unit_tests_with,ttrpc/|test/unit/((stream|client|generated)_)?fixture)))
VALGRIND := valgrind --quiet --error-exitcode=99 --leak-check=full \
	--show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible

build/valgrind/%: build/gcc/test/unit/%
	$(call quiet,SCRIPT)printf '#!/bin/sh\nTEST_VALGRIND=1 TEST_SECONDS=120 exec %s %s "$$@"\n' \
		'$(VALGRIND)' '$(CURDIR)/$<' >$@; chmod +x $@

.PHONY: valgrind
ifneq ($(shell type -P valgrind),)
valgrind: $(call CHOSEN,$(VALGRIND_TESTS))
	@test/run $^
else
valgrind:
	@echo 'skip valgrind: it is not installed'
endif
# ---- end of valgrind ----
