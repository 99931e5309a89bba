/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The map of the forwarder's TUN device, for the program that redirects to it (tc.bpf.c, which owns the
 * map) and for the guards of the device, which are loaded by themselves and are given the same map.
 */
#ifndef SHRIKE_BPF_FORWARD_TUN_H
#define SHRIKE_BPF_FORWARD_TUN_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "forwarder.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct forward_tun);
} forward_tun_v1 SEC(".maps");

#endif /* SHRIKE_BPF_FORWARD_TUN_H */
