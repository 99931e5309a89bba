/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The settings of a policy, each in one line.  From these lists come the structs, the defaults, the
 * parser, what the programs get, what `policy show` prints and what `policy diff` compares; a
 * test looks for each in shrike-policy(5).
 */
#ifndef SHRIKE_POLICY_SETTINGS_H
#define SHRIKE_POLICY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

enum policy_routing {
	POLICY_ROUTING_AUTO,
	POLICY_ROUTING_NATIVE,
	POLICY_ROUTING_USERSPACE,
	POLICY_ROUTING_DISABLED,
	POLICY_ROUTING_NAT,
};

enum policy_hook {
	POLICY_HOOK_AUTO,
	POLICY_HOOK_XDP,
	POLICY_HOOK_TC,
};

enum policy_forwarder_input {
	POLICY_FORWARDER_INPUT_AUTO,
	POLICY_FORWARDER_INPUT_AF_XDP,
	POLICY_FORWARDER_INPUT_TUN,
};

/* clang-format off */

/*
 * MODE(name, type, kind, default): keys of "mode".  The kind decides how the value is read, printed
 * and put into the field of struct config that has the same name.
 */
#define POLICY_MODES(MODE)                                                                         \
	MODE(stateful, bool, flag, true)                                                           \
	MODE(routing, enum policy_routing, routing, POLICY_ROUTING_AUTO)                           \
	MODE(native_acl, bool, native_acl, true) /* enforce */                                     \
	MODE(netstack, bool, flag, false)                                                          \
	MODE(local_forwarding, bool, flag, false)                                                  \
	MODE(forwarder_input, enum policy_forwarder_input, forwarder_input,                        \
	     POLICY_FORWARDER_INPUT_AUTO)                                                          \
	MODE(hook, enum policy_hook, hook, POLICY_HOOK_AUTO)

/* LIMIT(name, default): keys of "limits", entries of a table, at least 1 */
#define POLICY_LIMITS(LIMIT)                                                                       \
	LIMIT(tcp, 65536)                                                                          \
	LIMIT(udp, 16384)                                                                          \
	LIMIT(icmp, 2048)                                                                          \
	LIMIT(other, 2048) /* each other protocol's */                                             \
	LIMIT(fragments, 16384)

/* SIZE_LIMIT(name, default): keys of "limits", MiB of memory in bytes, 0: none of it */
#define POLICY_SIZE_LIMITS(SIZE_LIMIT) SIZE_LIMIT(recorder, 16)

/*
 * TIMEOUT(name, default in seconds, what it is for): keys of "timeouts", in nanoseconds.  STATE()
 * is a state of flow.h, FRAGMENTS are fragmented datagrams; who expands the list defines both.
 */
#define POLICY_TIMEOUTS(TIMEOUT)                                                                   \
	TIMEOUT(tcp_established, 3 * 3600, STATE(ESTABLISHED))                                     \
	TIMEOUT(tcp_handshake, 60, STATE(SYN_SENT) STATE(SYN_RECEIVED))                            \
	TIMEOUT(tcp_fin_wait, 60, STATE(FIN_WAIT_1) STATE(FIN_WAIT_2) STATE(CLOSING))              \
	TIMEOUT(tcp_close_wait, 60, STATE(CLOSE_WAIT))                                             \
	TIMEOUT(tcp_last_ack, 30, STATE(LAST_ACK))                                                 \
	TIMEOUT(tcp_time_wait, 240, STATE(TIME_WAIT))                                              \
	TIMEOUT(udp, 30, STATE(UDP))                                                               \
	TIMEOUT(udp_stream, 120, STATE(UDP_STREAM))                                                \
	TIMEOUT(icmp, 30, STATE(ICMP))                                                             \
	TIMEOUT(other, 600, STATE(OTHER))                                                          \
	TIMEOUT(fragment, 30, FRAGMENTS)

/* SWITCH(name, default): keys beside those, true or false */
#define POLICY_SWITCHES(SWITCH)                                                                    \
	SWITCH(mss_clamp, true)

/* clang-format on */

struct policy_mode {
#define MODE(name, type, kind, value) type name;
	POLICY_MODES(MODE)
#undef MODE
};

struct policy_limits {
#define LIMIT(name, entries) uint32_t name;
	POLICY_LIMITS(LIMIT)
#undef LIMIT
#define SIZE_LIMIT(name, mebibytes) uint32_t name;
	POLICY_SIZE_LIMITS(SIZE_LIMIT)
#undef SIZE_LIMIT
};

struct policy_timeouts {
#define TIMEOUT(name, seconds, what) uint64_t name;
	POLICY_TIMEOUTS(TIMEOUT)
#undef TIMEOUT
};

#endif /* SHRIKE_POLICY_SETTINGS_H */
