/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

/* 0.0.0.0/1 and 128.0.0.0/1; 2000::/3 is all of IPv6 that is in use. */
#define DEFAULT_BITS4 1
#define DEFAULT_BITS6 3

/* Devices, each once. */
struct devices {
	struct routed_device *list;
	size_t count;
	bool no_memory;
};

static void add_device(struct devices *devices, int ifindex, bool is_default)
{
	struct routed_device *more;

	for (size_t i = 0; i < devices->count; i++)
		if (devices->list[i].ifindex == ifindex) {
			devices->list[i].is_default |= is_default;
			return;
		}
	more = realloc(devices->list, (devices->count + 1) * sizeof(*more));
	if (!more) {
		devices->no_memory = true;
		return;
	}
	devices->list = more;
	more[devices->count++] = (struct routed_device){ifindex, is_default};
}

/* The next hops of a route that has several. */
static void add_next_hops(struct devices *devices, struct nlattr *attribute, bool is_default)
{
	struct rtnexthop *hop = nla_data(attribute);
	int left = nla_len(attribute);

	while (RTNH_OK(hop, left)) {
		add_device(devices, hop->rtnh_ifindex, is_default);
		left -= NLMSG_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
}

static bool is_default_route(const struct rtmsg *route)
{
	return route->rtm_dst_len <= (route->rtm_family == AF_INET ? DEFAULT_BITS4 : DEFAULT_BITS6);
}

static int on_route(struct nl_msg *message, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct nlattr *attributes[RTA_MAX + 1];
	const struct rtmsg *route = nlmsg_data(header);

	if (!nlmsg_valid_hdr(header, sizeof(*route)) || route->rtm_type != RTN_UNICAST ||
	    nlmsg_parse(header, sizeof(*route), attributes, RTA_MAX, NULL) < 0)
		return NL_OK;
	if (attributes[RTA_OIF])
		add_device(arg, nla_get_u32(attributes[RTA_OIF]), is_default_route(route));
	if (attributes[RTA_MULTIPATH])
		add_next_hops(arg, attributes[RTA_MULTIPATH], is_default_route(route));
	return NL_OK;
}

/* With strict checking the kernel sends no routes of other types. */
static int dump_unicast(struct nl_sock *socket, uint8_t family)
{
	struct rtmsg request = {.rtm_family = family, .rtm_type = RTN_UNICAST};
	int err = nl_send_simple(socket, RTM_GETROUTE, NLM_F_DUMP, &request, sizeof(request));

	return err < 0 ? err : nl_recvmsgs_default(socket);
}

/**
 * routes_read_devices() - The devices that unicast routes of any table lead to
 * @list: set to an array that the caller frees, each device once; untouched on failure
 * @count: its length
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int routes_read_devices(struct routed_device **list, size_t *count, struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct devices devices = {};
	int strict = 1, err = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (!err) {
		setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict,
			   sizeof(strict));
		err = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_route, &devices);
	}
	if (err >= 0)
		err = dump_unicast(socket, AF_INET);
	if (err >= 0)
		err = dump_unicast(socket, AF_INET6);
	nl_socket_free(socket);
	if (err < 0)
		err = error_set(error, EIO, "netlink: cannot read the routes: %s",
				nl_geterror(err));
	else if (devices.no_memory)
		err = error_no_memory_for(error, "routes");
	else
		err = 0;
	if (err) {
		free(devices.list);
		return err;
	}
	*list = devices.list;
	*count = devices.count;
	return 0;
}
