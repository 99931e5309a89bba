/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/filters.h"

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#define OUR_PROGRAMS "shrike_"

/* What is looked for, and who hears of it. */
struct search {
	int ifindex;
	bool has_ingress; /* a qdisc with filters of what comes in */
	bool has_egress;  /* and of what leaves */
	bool is_egress;	  /* which of them are read now */
	tc_filter_fn on_filter;
	void *arg;
};

/* Note a qdisc that has filters at the hooks; its handle is always the same. */
static int on_qdisc(struct nl_msg *message, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct nlattr *attributes[TCA_MAX + 1];
	const struct tcmsg *qdisc = nlmsg_data(header);
	struct search *search = arg;

	if (!nlmsg_valid_hdr(header, sizeof(*qdisc)) || qdisc->tcm_ifindex != search->ifindex ||
	    nlmsg_parse(header, sizeof(*qdisc), attributes, TCA_MAX, NULL) < 0 ||
	    !attributes[TCA_KIND])
		return NL_OK;
	if (!nla_strcmp(attributes[TCA_KIND], "clsact"))
		search->has_ingress = search->has_egress = true;
	if (!nla_strcmp(attributes[TCA_KIND], "ingress"))
		search->has_ingress = true;
	return NL_OK;
}

static bool is_bpf(const struct tc_filter *filter)
{
	return !strcmp(filter->kind, "bpf");
}

/* The name of a filter's program, "NAME:[ID]" as it was attached. */
static void set_name(struct tc_filter *filter, struct nlattr *options)
{
	struct nlattr *bpf[TCA_BPF_MAX + 1];

	if (options && nla_parse_nested(bpf, TCA_BPF_MAX, options, NULL) >= 0 && bpf[TCA_BPF_NAME])
		nla_strlcpy(filter->name, bpf[TCA_BPF_NAME], sizeof(filter->name));
}

/*
 * A filter, or the head of those that have one preference, which has no handle: programs are named one by
 * one, of the other kinds a head stands for all.
 */
static int on_tfilter(struct nl_msg *message, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct nlattr *attributes[TCA_MAX + 1];
	const struct tcmsg *found = nlmsg_data(header);
	const struct search *search = arg;
	struct tc_filter filter = {.is_egress = search->is_egress};

	if (!nlmsg_valid_hdr(header, sizeof(*found)) || found->tcm_ifindex != search->ifindex ||
	    nlmsg_parse(header, sizeof(*found), attributes, TCA_MAX, NULL) < 0 ||
	    !attributes[TCA_KIND])
		return NL_OK;
	nla_strlcpy(filter.kind, attributes[TCA_KIND], sizeof(filter.kind));
	filter.preference = TC_H_MAJ(found->tcm_info) >> 16;
	if (is_bpf(&filter) != (found->tcm_handle != 0))
		return NL_OK;
	if (is_bpf(&filter))
		set_name(&filter, attributes[TCA_OPTIONS]);
	if (strncmp(filter.name, OUR_PROGRAMS, strlen(OUR_PROGRAMS)) != 0)
		search->on_filter(search->arg, &filter);
	return NL_OK;
}

static int dump(struct nl_sock *socket, struct search *search, int type, uint32_t parent)
{
	struct tcmsg request = {.tcm_ifindex = search->ifindex, .tcm_parent = parent};
	int err = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM,
				      type == RTM_GETQDISC ? on_qdisc : on_tfilter, search);

	if (err >= 0)
		err = nl_send_simple(socket, type, NLM_F_DUMP, &request, sizeof(request));
	return err < 0 ? err : nl_recvmsgs_default(socket);
}

/**
 * tc_filters_read() - The filters of others on an interface: of clsact and ingress qdiscs
 * @ifindex: the interface
 * @on_filter: is called for each
 * @arg: for @on_filter
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int tc_filters_read(int ifindex, tc_filter_fn on_filter, void *arg, struct error *error)
{
	struct search search = {.ifindex = ifindex, .on_filter = on_filter, .arg = arg};
	struct nl_sock *socket = nl_socket_alloc();
	int err = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (err >= 0)
		err = dump(socket, &search, RTM_GETQDISC, 0);
	if (err >= 0 && search.has_ingress)
		err = dump(socket, &search, RTM_GETTFILTER,
			   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));
	search.is_egress = true;
	if (err >= 0 && search.has_egress)
		err = dump(socket, &search, RTM_GETTFILTER,
			   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
	nl_socket_free(socket);
	return err < 0 ? error_set(error, EIO, "netlink: cannot read the filters: %s",
				   nl_geterror(err))
		       : 0;
}
