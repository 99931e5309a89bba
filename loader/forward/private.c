/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The private network namespace, in which the kernel's TCP plays every destination at once.
 *
 * It holds a TUN device, whose other side we are.  What comes out of the TUN is local whatever its
 * destination, by a rule and a table with nothing but a local default route; what is sent goes
 * into the TUN.  An sk_lookup program hands every connection to one listener for each family.
 * The namespace has no name; it ends with our last descriptor of it.
 */
#include "forward/private.h"

#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "forward/tcp.h"
#include "forward/tcp_socket.h"
#include "forward/tun_device.h"
#include "forward/watch.h"
#include "kernel/netns.h"
#include "sk_lookup.skel.h"

#define TUN_NAME       "tun0"
#define TABLE_LOCAL    100 /* of the namespace's own; any free number */
#define RULE_PRIORITY  100
#define TUN_QUEUE_PKTS 2000
#define LISTENER_PORT  9009 /* never seen, as sk_lookup ignores it; any that takes no rights */
#define BACKLOG	       4096

static int netlink_failed(struct error *error, const char *what, int nl_error)
{
	return error_set(error, EIO, "private network namespace: %s: %s", what,
			 nl_geterror(nl_error));
}

/* Best effort, as /proc/sys may be read-only: the defaults work, these are better. */
static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		errno = 0;
	close(fd);
}

static int set_link(struct nl_sock *socket, const char *name, uint32_t mtu, int *ifindex,
		    struct error *error)
{
	struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	int err = change ? rtnl_link_get_kernel(socket, 0, name, &link) : -NLE_NOMEM;

	if (!err) {
		rtnl_link_set_flags(change, IFF_UP);
		if (mtu) {
			rtnl_link_set_mtu(change, mtu);
			rtnl_link_set_txqlen(change, TUN_QUEUE_PKTS);
		}
		err = rtnl_link_change(socket, link, change, 0);
		*ifindex = rtnl_link_get_ifindex(link);
	}
	rtnl_link_put(link);
	rtnl_link_put(change);
	return err ? netlink_failed(error, name, err) : 0;
}

static int add_rule(struct nl_sock *socket, int family, struct error *error)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();
	int err = -NLE_NOMEM;

	if (rule) {
		rtnl_rule_set_family(rule, family);
		rtnl_rule_set_iif(rule, TUN_NAME);
		rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
		rtnl_rule_set_table(rule, TABLE_LOCAL);
		rtnl_rule_set_prio(rule, RULE_PRIORITY);
		err = rtnl_rule_add(socket, rule, NLM_F_CREATE | NLM_F_EXCL);
		rtnl_rule_put(rule);
	}
	return err && err != -NLE_EXIST ? netlink_failed(error, "ip rule", err) : 0;
}

static int add_default(struct nl_sock *socket, int family, uint32_t table, uint8_t type,
		       uint8_t scope, int ifindex, struct error *error)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *all = NULL;
	int err = route && hop ? nl_addr_parse("default", family, &all) : -NLE_NOMEM;

	if (!err) {
		rtnl_route_set_family(route, family);
		rtnl_route_set_dst(route, all);
		rtnl_route_set_table(route, table);
		rtnl_route_set_type(route, type);
		rtnl_route_set_scope(route, scope);
		rtnl_route_nh_set_ifindex(hop, ifindex);
		rtnl_route_add_nexthop(route, hop);
		hop = NULL;
		err = rtnl_route_add(socket, route, NLM_F_CREATE | NLM_F_EXCL);
	}
	nl_addr_put(all);
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	return err && err != -NLE_EXIST ? netlink_failed(error, "ip route", err) : 0;
}

static int set_up_family(struct nl_sock *socket, int family, int lo, int tun, struct error *error)
{
	uint8_t scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	int err = add_rule(socket, family, error);

	if (!err)
		err = add_default(socket, family, TABLE_LOCAL, RTN_LOCAL, RT_SCOPE_HOST, lo, error);
	if (!err)
		err = add_default(socket, family, RT_TABLE_MAIN, RTN_UNICAST, scope, tun, error);
	return err;
}

/* What is there already stays; so it may be called again. */
static int set_up_network(struct nl_sock *socket, const struct forward_order *order,
			  struct error *error)
{
	bool is_tun = order->config.forwarder_input == FORWARDER_INPUT_TUN;
	uint32_t most = is_tun ? UINT16_MAX : forwarder_packet_max(order->config.l2_len);
	uint32_t mtu = order->mtu;
	int err, lo = 0, tun = 0;

	err = set_link(socket, "lo", 0, &lo, error);
	if (!err)
		/* by it peers learn how large their segments may be */
		err = set_link(socket, TUN_NAME, mtu < most ? mtu : most, &tun, error);
	if (!err)
		err = set_up_family(socket, AF_INET, lo, tun, error);
	/*
	 * A host without IPv6 has nothing to forward there; one that does not let us set it up, as
	 * with an MTU below 1,280, cannot dial there either.
	 */
	if (!err && !access("/proc/sys/net/ipv6", F_OK))
		set_up_family(socket, AF_INET6, lo, tun, error);
	return err;
}

/* Set up the network of the namespace that this process is in, and keep a socket for later. */
static int open_network(struct worker *w, struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	int err = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (err) {
		nl_socket_free(socket);
		return netlink_failed(error, "netlink", err);
	}
	err = set_up_network(socket, &w->order, error);
	w->private_fd = fcntl(nl_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0);
	if (!err && w->private_fd < 0)
		err = error_set(error, errno, "cannot keep a netlink socket: %s", strerror(errno));
	nl_socket_free(socket);
	return err;
}

/* Another forwarder may have handed the socket over, and it has read packets of peers. */
static bool is_foreign(int netlink_fd)
{
	uint64_t here, there;

	return !netns_cookie(&here) && !netns_cookie_of(netlink_fd, &there) && here != there;
}

/**
 * private_follow() - Set the private network up for another MTU
 * @netlink_fd: a netlink socket of that namespace
 * @order: what is new
 *
 * For the parent, as it takes CAP_NET_ADMIN.  Connections stay: their segments become smaller.  An
 * MTU below 1,280 takes IPv6 from the device, and what is routed there; a larger one brings it back.
 *
 * Return: 0 or -errno.
 */
int private_follow(int netlink_fd, const struct forward_order *order, struct error *error)
{
	int fd = is_foreign(netlink_fd) ? fcntl(netlink_fd, F_DUPFD_CLOEXEC, 0) : -1, err;
	struct nl_sock *socket;

	if (fd < 0)
		return error_set(error, errno, "private network namespace: %s", strerror(errno));
	socket = nl_socket_alloc();
	err = socket ? nl_socket_set_fd(socket, NETLINK_ROUTE, fd) : -NLE_NOMEM;
	if (err) {
		close(fd);
		err = netlink_failed(error, "netlink", err);
	} else {
		err = set_up_network(socket, order, error);
	}
	nl_socket_free(socket);
	return err;
}

static void set_option(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

static int open_listener(struct worker *w, int index, struct error *error)
{
	struct sockaddr_in6 addr6 = {.sin6_family = AF_INET6, .sin6_port = htons(LISTENER_PORT)};
	struct sockaddr_in addr4 = {.sin_family = AF_INET, .sin_port = htons(LISTENER_PORT)};
	int one = 1,
	    fd = socket(index ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	w->listen_fds[index] = fd;
	if (fd < 0 && index && errno == EAFNOSUPPORT)
		return 0;
	if (fd < 0)
		return error_set(error, errno, "cannot open a listener: %s", strerror(errno));
	tcp_set_options(fd); /* accepted sockets inherit them */
	if (index) {
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		err = setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one, sizeof(one)) ||
		      bind(fd, (struct sockaddr *)&addr6, sizeof(addr6));
	} else {
		err = setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)) ||
		      bind(fd, (struct sockaddr *)&addr4, sizeof(addr4));
	}
	if (err || listen(fd, BACKLOG))
		return error_set(error, errno, "cannot listen: %s", strerror(errno));
	return 0;
}

/* Attach the program for as long as this process lives. */
static int steer(struct worker *w, int netns, struct error *error)
{
	struct sk_lookup_bpf *skeleton = sk_lookup_bpf__open_and_load();

	if (!skeleton)
		return error_set(error, errno, "cannot load the sk_lookup program: %s",
				 strerror(errno));
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t fd = w->listen_fds[i];

		if (w->listen_fds[i] >= 0 &&
		    bpf_map_update_elem(bpf_map__fd(skeleton->maps.listeners), &i, &fd, BPF_ANY))
			return error_set(error, errno, "cannot enter a listener: %s",
					 strerror(errno));
	}
	skeleton->links.shrike_steer = bpf_program__attach_netns(skeleton->progs.shrike_steer,
								 netns);
	if (!skeleton->links.shrike_steer)
		return error_set(error, errno, "cannot attach the sk_lookup program: %s",
				 strerror(errno));
	w->steer_fd = bpf_link__fd(skeleton->links.shrike_steer);
	return 0;
}

static int fill_namespace(struct worker *w, int netns, struct error *error)
{
	char tun_name[TUN_NAME_SIZE] = TUN_NAME;
	int err;

	write_sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
	write_sysctl("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
	/* nobody there routes, and to ask would wake us now and then */
	write_sysctl("/proc/sys/net/ipv6/conf/default/router_solicitations", "0");
	/* a slow reader's sender may fill 4 MB, no more */
	write_sysctl("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 4194304");
	err = tun_device_open(tun_name, false, false, &w->tun_fd, error);
	if (!err)
		err = open_network(w, error);
	for (int i = 0; i < 2 && !err; i++)
		err = open_listener(w, i, error);
	if (!err)
		err = steer(w, netns, error);
	return err;
}

static bool watch_all(struct worker *w)
{
	w->tun_watch.ready = tcp_tun_ready;
	if (watch_add(w, w->tun_fd, &w->tun_watch, EPOLLIN))
		return false;
	for (int i = 0; i < 2; i++) {
		w->listen_watches[i].ready = tcp_listen_ready;
		if (w->listen_fds[i] >= 0 &&
		    watch_add(w, w->listen_fds[i], &w->listen_watches[i], EPOLLIN))
			return false;
	}
	return true;
}

/**
 * private_open() - Make the namespace and open its sockets
 *
 * The calling process is back in its own namespace afterwards, whatever happens.
 *
 * Return: 0 or -errno.
 */
int private_open(struct worker *w, struct error *error)
{
	int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), netns, err;

	if (host < 0 || unshare(CLONE_NEWNET))
		return error_set(error, errno, "cannot make a network namespace: %s",
				 strerror(errno));
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	err = netns < 0 ? error_set(error, errno, "/proc/self/ns/net: %s", strerror(errno))
			: fill_namespace(w, netns, error);
	if (setns(host, CLONE_NEWNET) && !err)
		err = error_set(error, errno, "cannot return to the network namespace: %s",
				strerror(errno));
	close(netns);
	close(host);
	if (!err && !watch_all(w))
		err = error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return err;
}

/**
 * private_fds() - What keeps the namespace and lets another process use it
 * @fds: become the descriptors
 *
 * Return: how many there are; without IPv6 it is one less.
 */
int private_fds(const struct worker *w, int fds[PRIVATE_FDS])
{
	const int all[PRIVATE_FDS] = {
		w->tun_fd, w->private_fd, w->steer_fd, w->listen_fds[0], w->listen_fds[1],
	};

	memcpy(fds, all, sizeof(all));
	return w->listen_fds[1] < 0 ? PRIVATE_FDS - 1 : PRIVATE_FDS;
}

/**
 * private_take() - Use the namespace that another process has made
 * @fds: of private_fds(), owned from here on if they are taken
 *
 * Return: whether they are.
 */
bool private_take(struct worker *w, const int *fds, int n)
{
	if (n != PRIVATE_FDS && n != PRIVATE_FDS - 1)
		return false;
	w->tun_fd = fds[0];
	w->private_fd = fds[1];
	w->steer_fd = fds[2];
	w->listen_fds[0] = fds[3];
	w->listen_fds[1] = n == PRIVATE_FDS ? fds[4] : -1;
	return watch_all(w);
}
