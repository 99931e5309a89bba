/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where does a destination lead?  Asked of the kernel's routing table for every opening: a dial
 * must neither go back into the protected interface, which would judge our own packets as this
 * host's, nor reach services of this host that no rule of peer_acl has opened.
 */
#include "forward/route.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "forward/watch.h"
#include "local.h"

#define NEWS_PER_TURN 64

/* What the kernel answered. */
struct answer {
	int type; /* RTN_*, -1: nothing */
	int ifindex;
};

static int on_route(struct nl_msg *message, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct answer *answer = arg;
	struct nlattr *oif;

	if (header->nlmsg_type != RTM_NEWROUTE)
		return NL_OK;
	answer->type = ((struct rtmsg *)nlmsg_data(header))->rtm_type;
	oif = nlmsg_find_attr(header, sizeof(struct rtmsg), RTA_OIF);
	if (oif)
		answer->ifindex = nla_get_u32(oif);
	return NL_STOP;
}

/* Something has changed, and what it is does not matter; nor does it where news were lost. */
static void news_ready(struct worker *w, struct watch *watch, uint32_t events)
{
	int fd = nl_socket_get_fd(w->route_news);
	char byte;

	(void)watch;
	(void)events;
	w->routes++;
	for (int i = 0; i < NEWS_PER_TURN; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0)
			return;
}

/* Hear of all that may change an answer: routes, and the rules that choose tables. */
static int open_news(struct worker *w, struct error *error)
{
	w->route_news = nl_socket_alloc();
	if (!w->route_news || nl_connect(w->route_news, NETLINK_ROUTE) ||
	    nl_socket_add_memberships(w->route_news, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
				      RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NONE))
		return error_set(error, EIO, "cannot open a netlink socket for changes of routes");
	w->route_watch.ready = news_ready;
	if (watch_add(w, nl_socket_get_fd(w->route_news), &w->route_watch, EPOLLIN))
		return error_set(error, errno, "cannot wait for events: %s", strerror(errno));
	return 0;
}

/**
 * route_open() - Open the sockets for questions, and for changes of the answers
 *
 * Return: 0 or -errno.
 */
int route_open(struct worker *w, struct error *error)
{
	/* the kernel answers while it is asked; this is for a kernel that does not */
	struct timeval patience = {.tv_usec = 100000};

	w->route_socket = nl_socket_alloc();
	if (!w->route_socket || nl_connect(w->route_socket, NETLINK_ROUTE))
		return error_set(error, EIO, "cannot open a netlink socket");
	nl_socket_disable_auto_ack(w->route_socket);
	nl_socket_disable_seq_check(w->route_socket);
	nl_socket_disable_msg_peek(w->route_socket); /* an answer fits a page */
	setsockopt(nl_socket_get_fd(w->route_socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	return open_news(w, error);
}

/* Ask the kernel; @answer stays as it is where there is no route. */
static void request_route(struct worker *w, uint8_t version, const union addr *to,
			  struct answer *answer)
{
	bool is4 = version == IP_VERSION_4;
	struct rtmsg route = {
		.rtm_family = is4 ? AF_INET : AF_INET6,
		.rtm_dst_len = is4 ? 32 : 128,
	};
	struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);

	if (!message)
		return;
	nlmsg_append(message, &route, sizeof(route), NLMSG_ALIGNTO);
	nla_put(message, RTA_DST, is4 ? 4 : 16, is4 ? (const void *)&to->word[3] : to);
	nl_socket_modify_cb(w->route_socket, NL_CB_VALID, NL_CB_CUSTOM, on_route, answer);
	if (nl_send_auto(w->route_socket, message) >= 0)
		nl_recvmsgs_default(w->route_socket);
	nlmsg_free(message);
}

static void set_loopback(uint8_t version, union addr *to)
{
	if (version == IP_VERSION_4)
		to->word[3] = htonl(INADDR_LOOPBACK);
	else
		memcpy(to, &in6addr_loopback, 16);
}

/* What the dataplane takes it for; false: for no address of this host. */
static bool is_known(const struct worker *w, const union addr *addr, struct local_addr *local)
{
	struct local_prefix_key key = {.prefix_len = 128};

	if (!bpf_map_lookup_elem(w->start.fds[FORWARD_FD_LOCAL_ADDR], addr, local))
		return true;
	memcpy(key.addr, addr, sizeof(key.addr));
	return !bpf_map_lookup_elem(w->start.fds[FORWARD_FD_LOCAL_PREFIX], &key, local);
}

static bool is_delivered_here(const struct answer *answer)
{
	return answer->type == RTN_LOCAL || answer->type == RTN_BROADCAST ||
	       answer->type == RTN_MULTICAST || answer->type == RTN_ANYCAST;
}

/* The rule of deliver_local() in judge.bpf.c, applied again. */
static enum route find_local(struct worker *w, const struct flow_name *name,
			     const struct local_addr *local, union addr *to)
{
	const struct config *config = &w->order.config;

	if (!config->local_forwarding || (local->kind == LOCAL_OVERLAY && !config->netstack))
		return ROUTE_REFUSED_LOCAL;
	if (local->kind == LOCAL_OVERLAY)
		set_loopback(name->ends.version, to);
	return ROUTE_LOCAL;
}

/**
 * route_find() - May a destination be dialled, and as what?
 * @name: the flow that wants to
 * @to: becomes the address to dial
 */
enum route route_find(struct worker *w, const struct flow_name *name, union addr *to)
{
	struct answer answer = {.type = -1};
	struct local_addr local;

	*to = name->ends.daddr;
	if (!bpf_map_lookup_elem(w->start.fds[FORWARD_FD_LOCAL_ADDR], to, &local))
		return find_local(w, name, &local, to);
	request_route(w, name->ends.version, to, &answer);
	/* of a prefix that is local, some may be routed all the same: the kernel knows */
	if (is_delivered_here(&answer))
		return is_known(w, to, &local) ? find_local(w, name, &local, to)
					       : ROUTE_REFUSED_LOCAL;
	if (answer.ifindex && answer.ifindex == (int)w->order.config.ifindex)
		return ROUTE_REFUSED_BACK;
	return ROUTE_OUT;
}

/**
 * route_is_local() - Is it an address of this host, which delivers and does not route?
 */
bool route_is_local(const struct worker *w, const union addr *addr)
{
	struct local_addr local;

	return is_known(w, addr, &local);
}

/**
 * route_ttl() - The time to live of an answer, as it goes on to the peer
 * @ttl: that it came with
 * @is_local: this host has given it
 *
 * Return: one less where this host has routed it, but never nothing, as it is here.
 */
uint8_t route_ttl(uint8_t ttl, bool is_local)
{
	return is_local || ttl <= 1 ? ttl : ttl - 1;
}

/**
 * route_admit() - route_find() for openings: counts what is refused
 *
 * Return: REFUSAL_NONE, or what to answer.
 */
enum refusal_kind route_admit(struct worker *w, const struct flow_name *name, union addr *to)
{
	switch (route_find(w, name, to)) {
	case ROUTE_REFUSED_BACK:
		w->status->refused_route++;
		return REFUSAL_NO_ROUTE;
	case ROUTE_REFUSED_LOCAL:
		w->status->refused_local++;
		return REFUSAL_PROHIBITED;
	default:
		return REFUSAL_NONE;
	}
}

/**
 * route_has_moved() - Is the destination of a flow to be dialled in another way now, or not at all?
 * @flow: of datagrams, or a dial
 * @to: what the destination was dialled as; NULL: that does not matter any more
 *
 * Asks once for each change of the host's routes.  A socket of datagrams takes the way, and the
 * source address, that hold for each of them.  What a connection sends into the overlay opens nothing
 * there, but a SYN that is sent again does.
 */
bool route_has_moved(struct worker *w, struct flow_entry *flow, const union addr *to)
{
	enum route route;
	union addr now;

	if (flow->routes == w->routes)
		return false;
	flow->routes = w->routes;
	route = route_find(w, &flow->name, &now);
	return (route != ROUTE_OUT && route != ROUTE_LOCAL) ||
	       (to && memcmp(&now, to, sizeof(now)));
}
