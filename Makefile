# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make            build ./shrike; CC, CFLAGS, CPPFLAGS and LDFLAGS as usual
# make deps       install what building and testing need (Debian, as root)
# make test       unit, kernel and end-to-end tests (as root); KERNELS=1: and test-kernels
# make test-all   what a push does not wait for: all of that on all kernels, and test-build (as root)
# make test-kernels  the same on Debian's kernels with WireGuard, booted in QEMU; ALL=1: all of them
# make test-build    do two folders give one binary, is it hardened, does it cross build and install?
# make test-rules N=1000000        random packets: the rule engine against an oracle (as root)
# make compare OLD=main NEW=HEAD   what the command of two commits prints and does (as root)
# make soak       the fault, flood and forwarder tests in their long form, over an hour (as root)
# make demo       see it work in a lab of network namespaces (as root)
# make bench      measure (as root); ONLY=PART for one part; make bench-report writes it down
# make fuzz T=60  random packets: the programs against a model of them (as root)
# make fuzz-parsers T=60           libFuzzer: files, packets, and what DNS, nftables and daemon say
# make format     as .clang-format says; make check-format is a test
# make completion of bash, zsh and fish: made anew from the help of all commands
# make install    DESTDIR= PREFIX=/usr/local; make uninstall removes what it has installed
# make dist       build/shrike-VERSION.tar.gz, of the files that git knows
# make deb        build/shrike_VERSION_ARCH.deb, checked by lintian
# make rpm        build/rpm/RPMS/ARCH/shrike-VERSION-1.ARCH.rpm, where there is rpmbuild
# make cross-arm64   build/arm64/shrike, with Debian's compiler and libraries
# make help       these lines
# V=1 shows the commands.  SANITIZE=1 builds with address and undefined behaviour sanitizers.
# WERROR=1 makes warnings errors, as continuous integration does.

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool)
PREFIX ?= /usr/local
B := $(if $(filter 1,$(SANITIZE)),build/sanitize,build)
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2);
else
Q :=
say =
endif

CFLAGS ?= -O2 -g
# Where the tree lies is written nowhere, so that the same files give the same bytes everywhere.  The
# compilers name the folder as PWD does, which may lead through a symbolic link.
export PWD := $(CURDIR)
COMMON_FLAGS := -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -ffile-prefix-map=$(CURDIR)=.
# glibc checks buffers only in what is optimized; whoever builds may ask for another level
OPTIMIZED := $(filter-out -O0,$(lastword $(filter -O%,$(CFLAGS))))
FORTIFY := $(if $(OPTIMIZED),$(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,\
	   -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDENING := $(FORTIFY) -fstack-protector-strong -fPIE
PLAIN_FLAGS := -std=gnu11 -D_GNU_SOURCE $(COMMON_FLAGS) -Iinclude -Iloader -I$(B) \
	       -isystem $(SYSROOT)/usr/include/libnl3 $(if $(SYSROOT),--sysroot=$(SYSROOT))
C_FLAGS = $(PLAIN_FLAGS) $(HARDENING) $(CPPFLAGS) $(CFLAGS)
DEPENDENCIES := -MMD -MP
BPF_FLAGS := -target bpf -mcpu=v3 -g -O2 $(COMMON_FLAGS) -Wno-unused-parameter -fno-jump-tables \
	     $(DEPENDENCIES) -Iinclude -Ivmlinux -Ibpf
LINK_FLAGS = $(if $(SYSROOT),--sysroot=$(SYSROOT)) -pie -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
LIBS := -lbpf -lelf -lz -lxdp -lnl-route-3 -lnl-3 -lfyaml -ljansson -lmd -lpcap -lseccomp -lmicrohttpd -lnghttp2 -lminizip -lsmartcols -lncursesw -ltinfo
ifeq ($(SANITIZE),1)
# gcc 12 sees values that may be uninitialized where there are none, once it has instrumented
HARDENING := -fsanitize=address,undefined -fno-omit-frame-pointer -Wno-maybe-uninitialized \
	     -Wno-format-truncation -fPIE
LINK_FLAGS += -fsanitize=address,undefined
# undefined behaviour, too, fails the test that shows it
export UBSAN_OPTIONS := halt_on_error=1:print_stacktrace=1:$(UBSAN_OPTIONS)
endif

BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.o,$(sort $(wildcard bpf/*.bpf.c)))
SRCS := $(filter-out loader/cli/cmd_%.c,$(sort $(wildcard loader/*/*.c)))
OBJS := $(SRCS:%.c=$(B)/%.o)
CMD_OBJS := $(patsubst %.c,$(B)/%.o,loader/main.c $(sort $(wildcard loader/cli/cmd_*.c)))
TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
TOOLS := $(patsubst selftests/tools/%.c,$(B)/tools/%,$(wildcard selftests/tools/*.c))
PROBES := $(patsubst tests/bpf/%.bpf.c,$(B)/tests/%.skel.h,$(wildcard tests/bpf/*.bpf.c))
TEST_PARTS := $(patsubst %.c,$(B)/%.o,$(filter-out tests/unit/test_%,\
	      $(wildcard $(addprefix tests/,unit/*.c model/*.c fuzz/*.c))))

.PHONY: all help shrike check-tools deps cross-arm64 test test-all test-build test-kernels unit e2e soak \
	compare demo install uninstall dist clean format check-format tools bench bench-report
.SECONDARY:
.DELETE_ON_ERROR:

all: shrike

shrike: $(B)/shrike
	$(Q)ln -sf $< $@

help:
	@sed -n '/^# make/,/^$$/s/^# *//p' Makefile

# --- what the build needs: each with the package that holds it ---------------------------------

BUILD_DEPS := clang gcc libbpf-dev libelf-dev zlib1g-dev libnl-3-dev libnl-route-3-dev \
	      libxdp-dev libfyaml-dev libjansson-dev libmd-dev libpcap-dev libseccomp-dev \
	      libnghttp2-dev libminizip-dev libmicrohttpd-dev libsmartcols-dev libarchive-dev \
	      libncurses-dev bpftool pkg-config
TEST_DEPS := libcmocka-dev iproute2 iputils-ping procps util-linux ethtool tcpdump python3 \
	     man-db clang-format mount jq curl traceroute libclang-rt-14-dev \
	     bind9-dnsutils dnsmasq-base iperf3 netcat-openbsd nftables nghttp2-server python3-grpcio \
	     python3-jsonschema python3-prometheus-client tshark systemd \
	     zsh fish zstd tmux
BENCH_DEPS := iperf3 passt slirp4netns gnuplot-nox
KERNEL_DEPS := qemu-system-x86 cpio kmod xz-utils wireguard-tools
HEADERS := bpf/libbpf.h:libbpf-dev libelf.h:libelf-dev zlib.h:zlib1g-dev \
	   libnl3/netlink/netlink.h:libnl-3-dev libnl3/netlink/route/link.h:libnl-route-3-dev \
	   xdp/xsk.h:libxdp-dev libfyaml.h:libfyaml-dev jansson.h:libjansson-dev sha2.h:libmd-dev \
	   pcap/pcap.h:libpcap-dev \
	   seccomp.h:libseccomp-dev microhttpd.h:libmicrohttpd-dev libsmartcols/libsmartcols.h:libsmartcols-dev ncurses.h:libncurses-dev nghttp2/nghttp2.h:libnghttp2-dev minizip/unzip.h:libminizip-dev archive.h:libarchive-dev

check-tools:
	@missing=; \
	command -v $(firstword $(CC)) >/dev/null || missing="$$missing gcc"; \
	command -v $(CLANG) >/dev/null || missing="$$missing clang"; \
	[ -n "$(BPFTOOL)" ] || missing="$$missing bpftool"; \
	for h in $(HEADERS); do \
		echo "#include <$${h%%:*}>" | $(CC) $(PLAIN_FLAGS) $(CPPFLAGS) -E -x c - \
			>/dev/null 2>&1 || missing="$$missing $${h##*:}"; \
	done; \
	[ -z "$$missing" ] || { \
		echo "shrike: these Debian packages are missing:$$missing"; \
		echo "shrike: install them with: make deps (as root)"; exit 1; } >&2

deps:
	@need=; for p in $(BUILD_DEPS) $(TEST_DEPS); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || \
			need="$$need $$p"; done; \
	[ -z "$$need" ] || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$need; }

# --- the BPF object: one translation unit per stage, linked, then embedded ----------------------

$(B)/bpf/%.o: bpf/%.bpf.c | check-tools
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) $(BPF_FLAGS) -c $< -o $@

$(B)/shrike.bpf.o: $(BPF_OBJS)
	$(call say,LINK,$@) $(BPFTOOL) gen object $@ $^

$(B)/shrike.skel.h: $(B)/shrike.bpf.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name shrike_bpf >$@

# programs by themselves: of the forwarder's private network namespace and of its TUN device, and what
# sees DNS answers
FORWARD_SKELS := $(patsubst bpf/forward/%.bpf.c,$(B)/%.skel.h,$(wildcard bpf/forward/*.bpf.c))
NETBIRD_SKELS := $(patsubst bpf/netbird/%.bpf.c,$(B)/%.skel.h,$(wildcard bpf/netbird/*.bpf.c))

$(FORWARD_SKELS): $(B)/%.skel.h: $(B)/bpf/forward/%.o
$(NETBIRD_SKELS): $(B)/%.skel.h: $(B)/bpf/netbird/%.o
$(FORWARD_SKELS) $(NETBIRD_SKELS):
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name $*_bpf >$@

# --- the command ------------------------------------------------------------------------------

$(B)/%.o: %.c | check-tools
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(C_FLAGS) $(DEPENDENCIES) -c $< -o $@

$(OBJS) $(CMD_OBJS): | $(B)/shrike.skel.h $(FORWARD_SKELS) $(NETBIRD_SKELS) $(B)/version.h

# written again only where the version is another one
VERSION := $(shell dist/version)
$(shell mkdir -p $(B); echo '#define SHRIKE_VERSION "$(VERSION)"' | cmp -s - $(B)/version.h || \
	echo '#define SHRIKE_VERSION "$(VERSION)"' >$(B)/version.h)

$(B)/libshrike.a: $(OBJS)
	@rm -f $@
	$(call say,AR,$@) $(AR) rcsD $@ $^

$(B)/shrike: $(CMD_OBJS) $(B)/libshrike.a
	$(call say,LD,$@) $(CC) $(LINK_FLAGS) $^ -o $@ $(LIBS)

# libraries of that architecture come from Debian's packages, and are not installed
CROSS := build/arm64
CROSS_DEPS := gcc-aarch64-linux-gnu
DEB_DEPS := debhelper dpkg-dev lintian
RPM_DEPS := rpm
CROSS_LIBS := libc6-dev $(filter %-dev,$(BUILD_DEPS))

cross-arm64:
	@command -v aarch64-linux-gnu-gcc >/dev/null || \
		{ echo "shrike: this Debian package is missing: $(CROSS_DEPS)" >&2; exit 1; }
	$(Q)sysroot=$$(selftests/build/sysroot arm64 $(CROSS_LIBS)) && \
		$(MAKE) --no-print-directory B=$(CROSS) SYSROOT="$$sysroot" CC=aarch64-linux-gnu-gcc \
			AR=aarch64-linux-gnu-ar $(CROSS)/shrike

# --- tests ------------------------------------------------------------------------------------

$(B)/tests/classify_probe.bpf.o: $(B)/bpf/classify.o

$(B)/tests/%.bpf.o: $(B)/tests/%.part.o
	$(call say,LINK,$@) $(BPFTOOL) gen object $@ $^

$(B)/tests/%.part.o: tests/bpf/%.bpf.c | check-tools
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) $(BPF_FLAGS) -c $< -o $@

$(PROBES): $(B)/tests/%.skel.h: $(B)/tests/%.bpf.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name $* >$@

$(B)/tests/%.o: tests/%.c | check-tools $(PROBES)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(C_FLAGS) $(DEPENDENCIES) -Itests -I$(B)/tests -c $< -o $@

$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(TEST_PARTS) $(B)/libshrike.a
	$(call say,LD,$@) $(CC) $(LINK_FLAGS) $^ -o $@ $(LIBS) -lcmocka

$(B)/tools/%: selftests/tools/%.c | check-tools
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(C_FLAGS) $(DEPENDENCIES) $(LINK_FLAGS) $< -o $@ -lbpf

$(B)/tools/lock: selftests/tools/lock.c $(B)/libshrike.a
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(C_FLAGS) $(DEPENDENCIES) $(LINK_FLAGS) $(filter %.c %.a,$^) -o $@ $(LIBS)

tools: $(TOOLS)

unit: $(TESTS)
	$(Q)selftests/unit $(TESTS)

e2e: shrike tools
	$(Q)TOOLS=$(CURDIR)/$(B)/tools selftests/run

# On the kernels that people run, booted in QEMU.  Unit tests: those that load programs or maps; with
# ALL those, too, that send so many packets that an emulated machine takes minutes for each, and that
# test what the verifier has translated, not what a kernel does.
KERNEL_TESTS := $(addprefix $(B)/tests/test_,simulate simulation local_addresses netlink sweep snat_sweep \
		$(if $(ALL),conntrack masquerade fuzz classify))

TEST_ENV = SHRIKE=$(CURDIR)/$(B)/shrike TOOLS=$(CURDIR)/$(B)/tools VERIFY=$(CURDIR)/$(B)/kernels/verify

# as many jobs as there are processors, unless who calls make has said how many
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j $(shell nproc))

test:
	$(Q)$(MAKE) --no-print-directory deps \
		TEST_DEPS="$(TEST_DEPS) $(if $(KERNELS),$(KERNEL_DEPS)) $(if $(ALL),$(CROSS_DEPS) $(DEB_DEPS) $(RPM_DEPS))"
	$(Q)for program in "prometheus promtool" "nfdump nfcapd" "nfdump nfdump" \
		"pmacct nfacctd libmariadb3 librabbitmq4 librdkafka1 libzmq5 libpgm-5.3-0 libnorm1"; do \
		selftests/unpacked --fetch $$program >/dev/null || exit 1; done
	$(Q)$(MAKE) --no-print-directory $(JOBS) shrike tools $(TESTS) $(FUZZERS) $(B)/kernels/verify \
		bench-programs
	$(Q)$(TEST_ENV) FUZZERS="$(FUZZERS)" $(if $(KERNELS),KERNEL_TESTS="$(KERNEL_TESTS)") \
		$(if $(ALL),WHOLE=1) selftests/all $(TESTS)

test-all:
	$(Q)$(MAKE) --no-print-directory test KERNELS=1 ALL=1

test-build:
	$(Q)$(MAKE) --no-print-directory deps TEST_DEPS="$(TEST_DEPS) $(CROSS_DEPS) $(DEB_DEPS) $(RPM_DEPS)"
	$(Q)selftests/build/run

OLD ?= main
NEW ?= HEAD

# KNOWN: a file that lists what is to differ, and why
compare:
	$(Q)selftests/compare $(if $(KNOWN),--known $(KNOWN)) $(OLD) $(NEW)

# one after the other: each is to have the machine for itself
soak:
	$(Q)$(MAKE) --no-print-directory deps
	$(Q)$(MAKE) --no-print-directory shrike tools
	$(Q)SOAK=1 TEST_TIMEOUT=1800 TOOLS=$(CURDIR)/$(B)/tools FLOOD_REPORT=/dev/stderr \
		selftests/run -v -j 1 -f 'f*'

test-kernels:
	$(Q)$(MAKE) --no-print-directory deps TEST_DEPS="$(TEST_DEPS) $(KERNEL_DEPS)"
	$(Q)$(MAKE) --no-print-directory shrike tools $(KERNEL_TESTS) $(B)/kernels/verify
	$(Q)$(TEST_ENV) selftests/kernels/run $(if $(ALL),-a) $(KERNEL_TESTS)

$(B)/kernels/verify: selftests/kernels/verify.c $(B)/libshrike.a
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(C_FLAGS) $(DEPENDENCIES) $(LINK_FLAGS) $(filter %.c %.a,$^) -o $@ $(LIBS)

demo:
	$(Q)$(MAKE) --no-print-directory deps
	$(Q)$(MAKE) --no-print-directory shrike tools
	$(Q)TOOLS=$(CURDIR)/$(B)/tools selftests/demo.sh

# The classifier against the oracle: N packets for each family of rules and each IP version
.PHONY: test-rules

N ?= 1000000

test-rules: $(B)/tests/test_classify
	$(Q)RULE_PACKETS=$(N) $<

# --- fuzzing: T seconds; S: this seed alone ---------------------------------------------------

.PHONY: fuzz fuzz-parsers

T ?= 60
FUZZ := $(B)/tests/fuzz/programs
PARSERS := $(wildcard $(addprefix loader/,yaml/*.c policy/*.c netbird/*.c)) $(addprefix loader/,\
	   $(addprefix base/,error.c address.c value.c keyed.c names.c) packet/build.c \
	   $(addprefix simulate/,scenario.c fields.c expectation.c render.c numbers.c) \
	   $(addprefix forward/,ip.c reassemble.c coalesce.c split.c) kernel/nftables.c \
	   $(addprefix follow/,grpc.c member.c messages.c protobuf.c) \
	   $(addprefix incident/,past.c past_file.c unpack.c) dataplane/past_policies.c \
	   $(addprefix trace/,explain.c record_json.c record_print.c recorded.c why.c))
FUZZ_FLAGS := $(PLAIN_FLAGS) $(CFLAGS) -fno-sanitize-recover=undefined
SANITIZERS := address,undefined

$(FUZZ)/fuzz: $(FUZZ)/fuzz.o $(TEST_PARTS) $(B)/libshrike.a
	$(call say,LD,$@) $(CC) $(LINK_FLAGS) $^ -o $@ $(LIBS) -lcmocka

$(FUZZ)/%.o: loader/%.c | check-tools
	@mkdir -p $(@D)
	$(call say,FUZZ,$<) $(CLANG) $(FUZZ_FLAGS) $(DEPENDENCIES) \
		-fsanitize=fuzzer-no-link,$(SANITIZERS) -c $< -o $@

$(FUZZ)/fuzz_%: tests/fuzz/programs/fuzz_%.c $(PARSERS:loader/%.c=$(FUZZ)/%.o) $(B)/libshrike.a
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CLANG) $(FUZZ_FLAGS) $^ -o $@ $(LIBS) -fsanitize=fuzzer,$(SANITIZERS)

fuzz: $(FUZZ)/fuzz
	$(Q)$< -t $(T) $(if $(S),-s $(S) -n 1)

# sanitized in every build, but by clang, whose sanitizers cannot be linked with gcc's
FUZZERS := $(if $(filter 1,$(SANITIZE)),,$(addprefix $(FUZZ)/fuzz_,policy scenario forward netbird \
	   dns nft grpc bundle report))

fuzz-parsers: $(FUZZERS)
	$(Q)selftests/parsers -t $(T) $^

# --- benchmarks -------------------------------------------------------------------------------

BENCHES := packet acl tables trace recorder flood fill cpus swap inject
BENCH_PARTS := selftests/bench/stand.c selftests/bench/samples.c tests/model/rulesets.c

$(B)/bench/%.o: selftests/bench/%.bpf.c | check-tools
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) $(BPF_FLAGS) -Iselftests/bench -c $< -o $@

$(B)/bench/linear.o: BPF_FLAGS += -Itests

$(B)/bench/%.skel.h: $(B)/bench/%.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name $*_bpf >$@

# the programs as if there were no trace: what is compared with tracing that is off
UNTRACED_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bench/untraced/%.o,\
		 $(filter-out bpf/trace.bpf.c,$(sort $(wildcard bpf/*.bpf.c))))

$(B)/bench/untraced/%.o: bpf/%.bpf.c selftests/bench/untraced.h | check-tools
	@mkdir -p $(@D)
	$(call say,BPF,$< untraced) $(CLANG) $(BPF_FLAGS) -include selftests/bench/untraced.h \
		-c $< -o $@

$(B)/bench/untraced.o: $(UNTRACED_OBJS)
	$(call say,LINK,$@) $(BPFTOOL) gen object $@ $^

$(B)/bench/trace: $(B)/bench/untraced.skel.h

$(B)/bench/inject: $(B)/bench/inject.skel.h

$(B)/bench/%: selftests/bench/%.c $(BENCH_PARTS) $(B)/bench/rotate.skel.h $(PROBES) $(B)/libshrike.a
	$(call say,LD,$@) $(CC) $(C_FLAGS) $(LINK_FLAGS) -Itests -I$(B)/tests \
		-I$(B)/bench $(filter %.c,$^) $(filter %.a,$^) -o $@ $(LIBS)

$(B)/bench/acl: $(addprefix selftests/bench/,peers.c flat.c nft.c nft_rules.c) $(B)/bench/linear.skel.h

.PHONY: bench-programs

bench-programs: $(BENCHES:%=$(B)/bench/%)

bench:
	$(Q)$(MAKE) --no-print-directory deps TEST_DEPS="$(TEST_DEPS) $(BENCH_DEPS)"
	$(Q)$(MAKE) --no-print-directory bench-programs shrike tools
	$(Q)BENCH=$(CURDIR)/$(B)/bench TOOLS=$(CURDIR)/$(B)/tools selftests/bench/run $(ONLY)

bench-report:
	$(Q)$(MAKE) --no-print-directory deps TEST_DEPS="$(BENCH_DEPS)"
	$(Q)BENCH=$(CURDIR)/$(B)/bench selftests/bench/report

# --- the rest ---------------------------------------------------------------------------------

MAN_PAGES := $(wildcard docs/man/*.[1-8])
SBIN := $(PREFIX)/sbin
MAN := $(PREFIX)/share/man
COMPLETION := $(PREFIX)/share/bash-completion/completions/shrike
# Debian's zsh looks there for what packages bring, and for what is local where all others do
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISH_COMPLETIONS := $(PREFIX)/share/fish/vendor_completions.d
UNITS := $(PREFIX)/lib/systemd/system
UNIT_FILES := $(wildcard dist/*.service)
SHARE := $(PREFIX)/share/shrike
SHARED_FILES := $(wildcard dist/*.schema.json) dist/grafana-dashboard.json dist/alerts.yaml

install: shrike
	install -D -m 0755 $(B)/shrike $(DESTDIR)$(SBIN)/shrike
	$(Q)for page in $(MAN_PAGES); do \
		install -D -m 0644 $$page $(DESTDIR)$(MAN)/man$${page##*.}/$${page##*/} || exit 1; done
	$(Q)for file in $(SHARED_FILES); do \
		install -D -m 0644 $$file $(DESTDIR)$(SHARE)/$${file##*/} || exit 1; done
	install -D -m 0644 dist/shrike.bash-completion $(DESTDIR)$(COMPLETION)
	install -D -m 0644 dist/_shrike $(DESTDIR)$(ZSH_COMPLETIONS)/_shrike
	install -D -m 0644 dist/shrike.fish $(DESTDIR)$(FISH_COMPLETIONS)/shrike.fish
	$(Q)mkdir -p $(DESTDIR)$(UNITS)
	$(Q)for unit in $(UNIT_FILES); do \
		sed 's|@SBINDIR@|$(SBIN)|' $$unit >$(DESTDIR)$(UNITS)/$${unit##*/} || exit 1; done

# The completions are made of what the commands say of themselves, and kept in the tree.
completion: shrike
	dist/completion $(B)/shrike . dist

uninstall:
	rm -f $(addprefix $(DESTDIR),$(SBIN)/shrike $(COMPLETION) \
		$(ZSH_COMPLETIONS)/_shrike $(FISH_COMPLETIONS)/shrike.fish $(UNIT_FILES:dist/%=$(UNITS)/%) \
		$(SHARED_FILES:dist/%=$(SHARE)/%) \
		$(foreach page,$(MAN_PAGES),$(MAN)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))))

# as git knows them, changes that are not committed included; the same files give the same bytes
DATE = $(shell git log -1 --format=%ct)
dist:
	$(Q)mkdir -p build && echo $(VERSION) >build/.version
	$(Q)git ls-files -z | tar --null --files-from=- --create --sort=name --owner=0 --group=0 \
		--numeric-owner --mtime=@$(DATE) --mode=go=u,go-w --add-file=build/.version \
		--transform='s,^build/\.version,.version,;s,^,shrike-$(VERSION)/,' | \
		gzip -n -9 >build/shrike-$(VERSION).tar.gz
	@echo build/shrike-$(VERSION).tar.gz

# --- packages: of what `make dist` packs, so that nothing else gets in ---------------------------

.PHONY: deb rpm

PACKAGE := build/package/shrike-$(VERSION)

deb: dist
	@command -v dh >/dev/null && command -v lintian >/dev/null || { \
		echo "shrike: install them with: apt install $(DEB_DEPS)" >&2; exit 1; }
	$(Q)rm -rf build/package && mkdir -p build/package
	$(Q)tar -xzf build/shrike-$(VERSION).tar.gz -C build/package
	$(Q)dist/debian-changelog $(VERSION) $(DATE) >$(PACKAGE)/debian/changelog
	$(Q)cd $(PACKAGE) && unset MAKEFLAGS MFLAGS MAKEOVERRIDES V B && \
		dpkg-buildpackage --build=binary --no-sign >../log 2>&1 || { tail -n 40 ../log; exit 1; }
	$(Q)lintian --fail-on error,warning --tag-display-limit 0 build/package/*.changes
	$(Q)cp build/package/shrike_$(VERSION)_*.deb build
	@ls build/shrike_$(VERSION)_*.deb

rpm: dist
	@command -v rpmbuild >/dev/null || { echo "shrike: rpmbuild is missing" >&2; exit 1; }
	$(Q)rm -rf build/rpm && mkdir -p build/rpm/SOURCES && cp build/shrike-$(VERSION).tar.gz build/rpm/SOURCES
	$(Q)unset MAKEFLAGS MFLAGS MAKEOVERRIDES V B && rpmbuild -bb $(RPM_FLAGS) \
		--define "_topdir $(CURDIR)/build/rpm" --define "shrike_version $(VERSION)" \
		dist/shrike.spec >build/rpm/log 2>&1 || { tail -n 40 build/rpm/log; exit 1; }
	@ls build/rpm/RPMS/*/*.rpm

C_FILES = $(shell find bpf include loader selftests tests -name '*.[ch]')

format:
	$(Q)clang-format -i $(C_FILES)

check-format:
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)selftests/style

clean:
	rm -rf build shrike

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
