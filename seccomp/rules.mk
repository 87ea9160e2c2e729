# SPDX-License-Identifier: Apache-2.0
#
# The policy's compiler runs on the build host. What it makes has no trace of the host in it, so the
# headers of all architectures are made everywhere: the tests look at all of them.

SECCOMP_COMPILE := build/host/seccomp-compile
SECCOMP_HEADERS := $(patsubst %,build/gen/seccomp/server_%.h,x86_64 aarch64)

GENERATED += $(SECCOMP_HEADERS)

$(SECCOMP_COMPILE): host_LIBS := -lseccomp
$(SECCOMP_COMPILE): build/host/obj/seccomp/compile.o build/host/obj/seccomp/policy.o
	$(call link,host)

build/gen/seccomp/server_%.h: seccomp/server.policy $(SECCOMP_COMPILE)
	$(call quiet,POLICY)$(SECCOMP_COMPILE) $* $< $@

# ---- tests: the filters asked about every call, and loaded to see calls blocked ----

TESTS += build/musl/test/filter/filter-simulated build/musl/test/filter/filter-loaded

build/%/test/filter/filter-simulated: build/%/obj/test/filter/simulated.o \
		build/%/obj/test/filter/expected.o build/%/obj/test/filter/machine.o \
		build/%/obj/test/test.o
	$(call link,$*)
build/%/test/filter/filter-loaded: build/%/obj/test/filter/loaded.o build/%/obj/shim/harden.o \
		build/%/obj/test/test.o
	$(call link,$*)

-include $(wildcard build/host/obj/seccomp/*.d build/*/obj/test/filter/*.d)
