/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/input_device.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forward/tun_device.h"
#include "forwarder.h"
#include "kernel/hooks.h"
#include "tun_guard.skel.h"

#define NAME	   "shrike%d"
#define QUEUE_PKTS 4096 /* as many as AF_XDP has frames */

/* No address of its own, as nobody is to talk to it; the alias says whose it is. */
static int describe(struct rtnl_link *change, const char *ifname)
{
	char alias[32];

	snprintf(alias, sizeof(alias), "shrike:%s", ifname);
	rtnl_link_set_ifalias(change, alias);
	rtnl_link_set_txqlen(change, QUEUE_PKTS);
	return rtnl_link_inet6_set_addr_gen_mode(change, IN6_ADDR_GEN_MODE_NONE);
}

/*
 * The device's own queue is the only one: the default discipline of the host might drop packets of one
 * flow early, or hold them back (fq_codel, fq).
 */
static int do_without_discipline(struct nl_sock *socket, int ifindex)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	int err;

	if (!qdisc)
		return -NLE_NOMEM;
	rtnl_tc_set_ifindex(TC_CAST(qdisc), ifindex);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
	err = rtnl_tc_set_kind(TC_CAST(qdisc), "noqueue");
	if (!err)
		err = rtnl_qdisc_add(socket, qdisc, NLM_F_CREATE | NLM_F_REPLACE);
	rtnl_qdisc_put(qdisc);
	return err;
}

/* @ifname: the interface that it is for; NULL: it is set up, and comes up */
static int change_device(const char *name, const char *ifname, int *ifindex, struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	int err = socket && change ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (!err)
		err = rtnl_link_get_kernel(socket, 0, name, &link);
	if (!err && ifname)
		err = describe(change, ifname);
	else if (!err)
		rtnl_link_set_flags(change, IFF_UP);
	if (!err) {
		*ifindex = rtnl_link_get_ifindex(link);
		err = rtnl_link_change(socket, link, change, 0);
	}
	if (!err && ifname)
		err = do_without_discipline(socket, *ifindex);
	rtnl_link_put(link);
	rtnl_link_put(change);
	nl_socket_free(socket);
	return err ? error_set(error, EIO, "%s: %s", ifname ? "cannot be set up" : "cannot come up",
			       nl_geterror(err))
		   : 0;
}

static int attach_guards(struct tun_guard_bpf *guard, struct input_device *device,
			 struct error *error)
{
	struct hook_place in = {.ifindex = device->ifindex, .point = HOOK_POINT_TC_INGRESS};
	struct hook_place out = {.ifindex = device->ifindex, .point = HOOK_POINT_TC_EGRESS};
	int err = hook_attach(&in, bpf_program__fd(guard->progs.forward_tun_in), &device->guards[0],
			      error);

	if (!err)
		err = hook_attach(&out, bpf_program__fd(guard->progs.forward_tun_out),
				  &device->guards[1], error);
	return err;
}

static int guard_device(int tun_map_fd, struct input_device *device, struct error *error)
{
	struct tun_guard_bpf *guard = tun_guard_bpf__open();
	int err;

	if (!guard)
		return error_set(error, errno, "cannot open the guards: %s", strerror(errno));
	err = bpf_map__reuse_fd(guard->maps.forward_tun_v1, tun_map_fd);
	if (!err)
		err = tun_guard_bpf__load(guard);
	if (err)
		error_set(error, -err, "cannot load the guards: %s", strerror(-err));
	else
		err = attach_guards(guard, device, error);
	tun_guard_bpf__destroy(guard);
	return err;
}

/**
 * input_device_open() - Make the device, with its guards, and set it up
 * @ifname: the interface that it is for
 * @l2_len: bytes of the interface's link header
 * @tun_map_fd: forward_tun_v1
 * @device: becomes it
 * @error: why not
 *
 * It comes up when its guards are there.  Takes CAP_NET_ADMIN and CAP_BPF.
 *
 * Return: 0 or -errno.
 */
int input_device_open(const char *ifname, uint8_t l2_len, int tun_map_fd,
		      struct input_device *device, struct error *error)
{
	struct input_device new = {.fd = -1, .guards = {-1, -1}};
	char name[TUN_NAME_SIZE] = NAME;
	int err = tun_device_open(name, l2_len, true, &new.fd, error);

	if (err)
		return err;
	err = change_device(name, ifname, &new.ifindex, error);
	if (!err)
		err = guard_device(tun_map_fd, &new, error);
	if (!err)
		err = change_device(name, NULL, &new.ifindex, error);
	if (err) {
		input_device_close(&new);
		return error_prefix(error, "%s", name);
	}
	*device = new;
	return 0;
}

/**
 * input_device_enter() - Have the dataplane hand over what it allows
 * @tun_map_fd: forward_tun_v1
 * @device: where to
 * @protected_ifindex: of the interface
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int input_device_enter(int tun_map_fd, const struct input_device *device,
		       uint32_t protected_ifindex, struct error *error)
{
	const struct forward_tun tun = {
		.ifindex = device->ifindex,
		.protected_ifindex = protected_ifindex,
	};
	uint32_t zero = 0;

	if (bpf_map_update_elem(tun_map_fd, &zero, &tun, BPF_ANY))
		return error_set(error, errno, "cannot fill BPF map forward_tun_v1: %s",
				 strerror(errno));
	return 0;
}

/**
 * input_device_close() - Let go of the device; without another descriptor of it, it is gone
 */
void input_device_close(struct input_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	for (int i = 0; i < 2; i++)
		if (device->guards[i] >= 0)
			close(device->guards[i]);
	*device = (struct input_device){.fd = -1, .guards = {-1, -1}};
}
