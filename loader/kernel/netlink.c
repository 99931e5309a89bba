/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/tun_link.h"

_Static_assert(LINK_NAME_SIZE == IFNAMSIZ, "names fit");

#define ETHERNET_HEADER_LEN 14

/*
 * Batches of one netlink_monitor_read(): a flood of events must not keep the caller from its
 * other descriptors, and a level-triggered poll brings it back.
 */
#define MONITOR_BATCHES 64

/* libnl's default of 32 KB holds a few dozen address events; the kernel may grant less. */
#define MONITOR_BUFFER_BYTES (1 << 20)

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct netlink_monitor {
	struct nl_sock *socket;
	netlink_event_fn handle;
	void *arg;
};

/* libnl's error numbers, of either sign, as errno values. */
static int errno_of(int nl_error)
{
	switch (abs(nl_error)) {
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return ENODEV;
	case NLE_PERM:
	case NLE_NOACCESS:
		return EPERM;
	case NLE_NOMEM:
		return ENOMEM;
	case NLE_AGAIN:
	case NLE_DUMP_INTR:
		return EAGAIN;
	case NLE_INVAL:
	case NLE_RANGE:
		return EINVAL;
	default:
		return EIO;
	}
}

static int netlink_error(struct error *error, const char *what, int nl_error)
{
	return error_set(error, errno_of(nl_error), "%s: %s", what, nl_geterror(nl_error));
}

/* Open a route netlink socket. */
static int open_socket(struct nl_sock **out, struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	int err;

	if (!socket)
		return error_no_memory_for(error, "netlink");
	err = nl_connect(socket, NETLINK_ROUTE);
	if (err < 0) {
		/* libnl has no number for too many open files */
		int code = err == -NLE_FAILURE && errno ? errno : 0;

		nl_socket_free(socket);
		return code ? error_set(error, code, "netlink: cannot open a socket: %s",
					strerror(code))
			    : netlink_error(error, "netlink: cannot open a socket", err);
	}
	*out = socket;
	return 0;
}

/*
 * Bytes before the IP header where XDP and TC see a packet, -1 for links that we cannot read.
 * Tunnels with a header of their own in front of the packet (GRE) are among the latter.
 */
static int link_header_len(unsigned int hardware_type)
{
	switch (hardware_type) {
	case ARPHRD_ETHER:
		return ETHERNET_HEADER_LEN;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return 0;
	default:
		return -1;
	}
}

/* Copy what matters of a link. */
static int fill_link(struct rtnl_link *from, struct link_info *link, struct error *error)
{
	unsigned int hardware_type = rtnl_link_get_arptype(from);
	int l2_len = link_header_len(hardware_type);
	const char *name = rtnl_link_get_name(from);
	const char *kind = rtnl_link_get_type(from);
	char type_name[32];

	if (!name)
		return error_set(error, EIO, "netlink: the kernel names no interface");
	if (l2_len < 0)
		return error_set(error, EOPNOTSUPP,
				 "%s: its link type is %s (%u): only Ethernet and plain IP links "
				 "(WireGuard, TUN) can be protected",
				 name, nl_llproto2str(hardware_type, type_name, sizeof(type_name)),
				 hardware_type);
	memset(link, 0, sizeof(*link));
	link->ifindex = rtnl_link_get_ifindex(from);
	strncpy(link->name, name, sizeof(link->name) - 1);
	if (kind)
		strncpy(link->kind, kind, sizeof(link->kind) - 1);
	link->mtu = rtnl_link_get_mtu(from);
	link->rx_queues = rtnl_link_get_num_rx_queues(from);
	if (!link->rx_queues)
		link->rx_queues = 1;
	link->hardware_type = hardware_type;
	link->l2_len = l2_len;
	link->up = rtnl_link_get_flags(from) & IFF_UP;
	return 0;
}

/* By name, or where that is NULL by index; @what names the link in errors. */
static int read_link(const char *name, int ifindex, const char *what, struct link_info *link,
		     struct error *error)
{
	struct rtnl_link *from = NULL;
	struct nl_sock *socket;
	int err;

	err = open_socket(&socket, error);
	if (err)
		return err;
	err = rtnl_link_get_kernel(socket, ifindex, name, &from);
	if (err < 0 && errno_of(err) == ENODEV)
		err = error_set(error, ENODEV, "%s: no such interface in this network namespace",
				what);
	else if (err < 0)
		err = netlink_error(error, what, err);
	else
		err = fill_link(from, link, error);
	if (!err && !strcmp(link->kind, "tun")) {
		err = tun_link_read(socket, link->ifindex, &link->vnet_hdr);
		if (err)
			err = netlink_error(error, what, err);
	}
	rtnl_link_put(from);
	nl_socket_free(socket);
	return err;
}

/**
 * netlink_link_by_name() - What the kernel knows about a link
 * @name: its name in the caller's network namespace
 * @link: is filled on success
 * @error: set on failure
 *
 * Return: 0; -EINVAL (invalid input): no name that a link can have; -ENODEV: no such link;
 * -EOPNOTSUPP: a link whose packets we cannot read (neither Ethernet nor plain IP).
 */
int netlink_link_by_name(const char *name, struct link_info *link, struct error *error)
{
	if (!*name || strlen(name) >= LINK_NAME_SIZE)
		return error_input(error, "'%.64s' is not an interface name", name);
	return read_link(name, 0, name, link, error);
}

/**
 * netlink_link_by_index() - What the kernel knows about a link
 * @ifindex: its index in the caller's network namespace, above 0
 * @link: is filled on success
 * @error: set on failure
 *
 * Return: as netlink_link_by_name().
 */
int netlink_link_by_index(int ifindex, struct link_info *link, struct error *error)
{
	char what[32];

	if (ifindex <= 0)
		return error_input(error, "%d is not an interface index", ifindex);
	snprintf(what, sizeof(what), "interface %d", ifindex);
	return read_link(NULL, ifindex, what, link, error);
}

/* A libnl address as union addr; false for other families. */
static bool fill_addr(struct nl_addr *from, union addr *addr, uint8_t *ip_version)
{
	const void *bytes = from ? nl_addr_get_binary_addr(from) : NULL;

	if (!from)
		return false;
	if (nl_addr_get_family(from) == AF_INET && nl_addr_get_len(from) == 4) {
		memcpy(addr->bytes, mapped, sizeof(mapped));
		memcpy(&addr->word[3], bytes, 4);
		*ip_version = IP_VERSION_4;
		return true;
	}
	if (nl_addr_get_family(from) == AF_INET6 && nl_addr_get_len(from) == 16) {
		memcpy(addr->bytes, bytes, 16);
		*ip_version = IP_VERSION_6;
		return true;
	}
	return false;
}

/* Clears the host bits. */
static void mask_prefix(struct prefix *prefix)
{
	unsigned int network_bits = prefix->len + (prefix->ip_version == IP_VERSION_4 ? 96 : 0);
	unsigned int i;

	for (i = 0; i < sizeof(prefix->addr.bytes); i++) {
		if (network_bits >= 8 * (i + 1))
			continue;
		if (network_bits <= 8 * i)
			prefix->addr.bytes[i] = 0;
		else
			prefix->addr.bytes[i] &= 0xff << (8 - network_bits % 8);
	}
}

/* False for objects that are no IPv4 or IPv6 address of this host. */
static bool fill_address(struct rtnl_addr *from, struct interface_address *address)
{
	struct nl_addr *peer = rtnl_addr_get_peer(from);
	struct nl_addr *local = rtnl_addr_get_local(from);
	int len = rtnl_addr_get_prefixlen(from);

	memset(address, 0, sizeof(*address));
	address->ifindex = rtnl_addr_get_ifindex(from);
	if (!fill_addr(local, &address->addr, &address->ip_version) ||
	    !fill_addr(peer ? peer : local, &address->connected.addr,
		       &address->connected.ip_version))
		return false;
	if (len < 0 || len > (address->ip_version == IP_VERSION_4 ? 32 : 128))
		return false;
	address->connected.len = len;
	mask_prefix(&address->connected);
	return true;
}

/**
 * netlink_read_addresses() - Every address of every interface of the caller's network namespace
 * @addresses: set to an array that the caller frees, NULL for none; untouched on failure
 * @count: its length
 * @error: set on failure
 *
 * Broadcast and multicast addresses are not among them.
 *
 * Return: 0 or -errno.
 */
int netlink_read_addresses(struct interface_address **addresses, size_t *count, struct error *error)
{
	struct interface_address *array = NULL;
	struct nl_cache *cache = NULL;
	struct nl_object *object;
	struct nl_sock *socket;
	size_t n = 0;
	int err;

	err = open_socket(&socket, error);
	if (err)
		return err;
	err = rtnl_addr_alloc_cache(socket, &cache);
	if (err < 0) {
		err = netlink_error(error, "netlink: cannot read the addresses", err);
		goto out;
	}
	if (nl_cache_nitems(cache)) {
		array = calloc(nl_cache_nitems(cache), sizeof(*array));
		if (!array) {
			err = error_no_memory_for(error, "local addresses");
			goto out;
		}
	}
	for (object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object))
		if (fill_address((struct rtnl_addr *)object, &array[n]))
			n++;
	*addresses = array;
	*count = n;
	err = 0;
out:
	nl_cache_free(cache);
	nl_socket_free(socket);
	return err;
}

/* The routes of a dump, as they arrive. */
struct route_list {
	struct local_route *routes;
	size_t count;
	size_t room;
	bool no_memory;
};

static bool is_local_route(const struct rtmsg *route)
{
	return (route->rtm_type == RTN_LOCAL || route->rtm_type == RTN_BROADCAST ||
		route->rtm_type == RTN_ANYCAST) &&
	       (route->rtm_family == AF_INET || route->rtm_family == AF_INET6);
}

/* Copy a route of the local table; false if it is of no interest. */
static bool fill_route(const struct nlmsghdr *header, struct local_route *route)
{
	const struct rtmsg *message = nlmsg_data(header);
	bool is_v4 = message->rtm_family == AF_INET;
	struct nlattr *attributes[RTA_MAX + 1];
	int len = is_v4 ? 4 : 16;

	if (!is_local_route(message) || message->rtm_dst_len > 8 * len ||
	    nlmsg_parse((struct nlmsghdr *)header, sizeof(*message), attributes, RTA_MAX, NULL) < 0)
		return false;
	memset(route, 0, sizeof(*route));
	route->is_broadcast = message->rtm_type == RTN_BROADCAST;
	route->prefix.ip_version = is_v4 ? IP_VERSION_4 : IP_VERSION_6;
	route->prefix.len = message->rtm_dst_len;
	if (is_v4)
		memcpy(route->prefix.addr.bytes, mapped, sizeof(mapped));
	if (attributes[RTA_DST] && nla_len(attributes[RTA_DST]) >= len)
		memcpy(route->prefix.addr.bytes + 16 - len, nla_data(attributes[RTA_DST]), len);
	mask_prefix(&route->prefix);
	return true;
}

/* Append a route of a dump to the list. */
static int on_route(struct nl_msg *message, void *arg)
{
	struct route_list *list = arg;
	struct local_route *more;

	if (!nlmsg_valid_hdr(nlmsg_hdr(message), sizeof(struct rtmsg)) || list->no_memory)
		return NL_OK;
	if (list->count == list->room) {
		more = realloc(list->routes, (2 * list->room + 64) * sizeof(*more));
		list->no_memory = !more;
		if (!more)
			return NL_OK;
		list->routes = more;
		list->room = 2 * list->room + 64;
	}
	list->count += fill_route(nlmsg_hdr(message), &list->routes[list->count]);
	return NL_OK;
}

/*
 * The routes of a type and family, of every table.  With strict checking the kernel sends no
 * others, of which a router may have a million.
 */
static int dump_routes(struct nl_sock *socket, uint8_t family, uint8_t type)
{
	struct rtmsg request = {.rtm_family = family, .rtm_type = type};
	int err = nl_send_simple(socket, RTM_GETROUTE, NLM_F_DUMP, &request, sizeof(request));

	return err < 0 ? err : nl_recvmsgs_default(socket);
}

/**
 * netlink_read_local_routes() - What routing tables say is delivered here
 * @routes: set to an array that the caller frees, NULL for none; untouched on failure
 * @count: its length
 * @error: set on failure
 *
 * Routes of type local, broadcast and anycast of the caller's network namespace, every table.
 *
 * Return: 0 or -errno.
 */
int netlink_read_local_routes(struct local_route **routes, size_t *count, struct error *error)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	static const uint8_t types[] = {RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST};
	struct route_list list = {};
	struct nl_sock *socket;
	int strict = 1, err;

	err = open_socket(&socket, error);
	if (err)
		return err;
	setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict,
		   sizeof(strict));
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_route, &list);
	for (size_t i = 0; i < sizeof(families) * sizeof(types) && err >= 0; i++)
		err = dump_routes(socket, families[i % 2], types[i / 2]);
	nl_socket_free(socket);
	if (err < 0)
		err = netlink_error(error, "netlink: cannot read the local routes", err);
	else if (list.no_memory)
		err = error_no_memory_for(error, "local routes");
	if (err) {
		free(list.routes);
		return err;
	}
	*routes = list.routes;
	*count = list.count;
	return 0;
}

static void report_link(struct netlink_monitor *monitor, struct rtnl_link *link, bool gone)
{
	struct netlink_event event = {.kind = gone ? NETLINK_LINK_GONE : NETLINK_LINK_NEW};
	const char *name = rtnl_link_get_name(link);

	event.ifindex = rtnl_link_get_ifindex(link);
	event.up = rtnl_link_get_flags(link) & IFF_UP;
	if (name)
		strncpy(event.name, name, sizeof(event.name) - 1);
	monitor->handle(&event, monitor->arg);
}

static void report_address(struct netlink_monitor *monitor, struct rtnl_addr *addr, bool gone)
{
	struct netlink_event event = {.kind = gone ? NETLINK_ADDRESS_GONE : NETLINK_ADDRESS_NEW};

	if (!fill_address(addr, &event.address))
		return;
	event.ifindex = event.address.ifindex;
	monitor->handle(&event, monitor->arg);
}

static void report_resync(struct netlink_monitor *monitor)
{
	struct netlink_event event = {.kind = NETLINK_RESYNC};

	monitor->handle(&event, monitor->arg);
}

/* An object that libnl parsed from an event; @arg is the monitor. */
static void on_object(struct nl_object *object, void *arg)
{
	switch (nl_object_get_msgtype(object)) {
	case RTM_NEWLINK:
		report_link(arg, (struct rtnl_link *)object, false);
		break;
	case RTM_DELLINK:
		report_link(arg, (struct rtnl_link *)object, true);
		break;
	case RTM_NEWADDR:
		report_address(arg, (struct rtnl_addr *)object, false);
		break;
	case RTM_DELADDR:
		report_address(arg, (struct rtnl_addr *)object, true);
		break;
	}
}

/*
 * A bridge announces that a port leaves it as RTM_DELLINK of family AF_BRIDGE, although the link
 * stays.
 */
static bool is_bridge_port_event(const struct nlmsghdr *header)
{
	const struct ifinfomsg *info = nlmsg_data(header);

	return header->nlmsg_type < RTM_NEWADDR && nlmsg_valid_hdr(header, sizeof(*info)) &&
	       info->ifi_family == AF_BRIDGE;
}

/* Routes, and the rules that choose among their tables; both begin alike. */
static void report_route(struct netlink_monitor *monitor, const struct nlmsghdr *header)
{
	bool is_route = header->nlmsg_type < RTM_NEWRULE &&
			nlmsg_valid_hdr(header, sizeof(struct rtmsg));
	struct netlink_event event = {.kind = NETLINK_ROUTES};

	if (is_route && is_local_route(nlmsg_data(header)))
		event.kind = NETLINK_LOCAL_ROUTES;
	monitor->handle(&event, monitor->arg);
}

static int on_message(struct nl_msg *message, void *arg)
{
	switch (nlmsg_hdr(message)->nlmsg_type) {
	case RTM_NEWROUTE ... RTM_DELROUTE:
	case RTM_NEWRULE ... RTM_DELRULE:
		report_route(arg, nlmsg_hdr(message));
		return NL_OK;
	}
	/* What cannot be parsed may have mattered. */
	if (!is_bridge_port_event(nlmsg_hdr(message)) && nl_msg_parse(message, on_object, arg) < 0)
		report_resync(arg);
	return NL_OK;
}

/**
 * netlink_monitor_open() - Follow the links and addresses of the caller's network namespace
 * @handle: is called from netlink_monitor_read() for each event
 * @arg: for @handle
 * @monitor: set to the monitor, to be closed with netlink_monitor_close()
 * @error: set on failure
 *
 * Events count from here on: open the monitor first and read the state second, and nothing falls
 * between.  The monitor stays with the namespace it was opened in.
 *
 * Return: 0 or -errno.
 */
int netlink_monitor_open(netlink_event_fn handle, void *arg, struct netlink_monitor **monitor,
			 struct error *error)
{
	struct netlink_monitor *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return error_no_memory_for(error, "netlink");
	m->handle = handle;
	m->arg = arg;
	err = open_socket(&m->socket, error);
	if (err)
		goto out;
	nl_socket_disable_seq_check(m->socket);
	nl_socket_modify_cb(m->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, m);
	err = nl_socket_set_buffer_size(m->socket, MONITOR_BUFFER_BYTES, 0);
	if (!err)
		err = nl_socket_set_nonblocking(m->socket);
	if (!err)
		err = nl_socket_add_memberships(m->socket, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
						RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
						RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
						RTNLGRP_IPV6_RULE, RTNLGRP_NONE);
	if (err < 0) {
		err = netlink_error(error, "netlink: cannot follow links and addresses", err);
		goto out;
	}
	*monitor = m;
	m = NULL;
out:
	netlink_monitor_close(m);
	return err;
}

/**
 * netlink_monitor_fd() - The descriptor to poll, level-triggered, for POLLIN and POLLERR
 */
int netlink_monitor_fd(const struct netlink_monitor *monitor)
{
	return nl_socket_get_fd(monitor->socket);
}

/**
 * netlink_monitor_read() - Hand the waiting events to the monitor's callback
 * @monitor: an open monitor
 * @error: set on failure
 *
 * Does not block.  Where the kernel had to throw events away (ENOBUFS), or sent what cannot be
 * understood, the callback gets NETLINK_RESYNC, and events that happened later follow.
 *
 * Return: 0; -errno where the socket is beyond use.
 */
int netlink_monitor_read(struct netlink_monitor *monitor, struct error *error)
{
	int batch, err;

	for (batch = 0; batch < MONITOR_BATCHES; batch++) {
		err = nl_recvmsgs_default(monitor->socket);
		if (err == -NLE_AGAIN)
			return 0;
		if (err == -NLE_BAD_SOCK)
			return netlink_error(error, "netlink: cannot read events", err);
		if (err == -NLE_INTR)
			continue;
		if (err < 0) /* libnl reports ENOBUFS and ENOMEM alike: NLE_NOMEM */
			report_resync(monitor);
	}
	return 0;
}

/**
 * netlink_monitor_close() - Stop following; NULL is no monitor and fine
 */
void netlink_monitor_close(struct netlink_monitor *monitor)
{
	if (!monitor)
		return;
	nl_socket_free(monitor->socket);
	free(monitor);
}
