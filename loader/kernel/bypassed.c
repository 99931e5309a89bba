/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/bypassed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#include "kernel/legacy.h"

/* Names with ", " between; what does not fit ends with "...". */
struct names {
	char *text;
	size_t size;
	size_t len;
};

static void add_name(struct names *names, const char *name)
{
	int len = snprintf(names->text + names->len, names->size - names->len, "%s%s",
			   names->len ? ", " : "", name);

	if (names->len + len < names->size)
		names->len += len;
	else if (names->len > 4)
		strcpy(names->text + names->len - 3, "...");
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_INET:
		return "inet";
	default:
		return NULL;
	}
}

static void add_object(struct names *names, const struct nfgenmsg *message,
		       struct nlattr *const *attributes, int table, int name)
{
	const char *family = family_name(message->nfgen_family);
	char text[600];

	if (!family || !attributes[table] || !attributes[name])
		return;
	snprintf(text, sizeof(text), "%s %s %s", family, nla_get_string(attributes[table]),
		 nla_get_string(attributes[name]));
	add_name(names, text);
}

/* Whether a chain does anything: it has rules, or drops what none of them accepts. */
static bool has_effect(struct nlattr *const *attributes)
{
	return (attributes[NFTA_CHAIN_USE] && nla_get_u32(attributes[NFTA_CHAIN_USE])) ||
	       (attributes[NFTA_CHAIN_POLICY] &&
		ntohl(nla_get_u32(attributes[NFTA_CHAIN_POLICY])) == NF_DROP);
}

/* Note a base chain that would see what the kernel sends or routes. */
static int on_chain(struct nl_msg *message, void *arg)
{
	struct nlattr *attributes[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(message);
	uint32_t number;

	if (nlmsg_parse(header, sizeof(struct nfgenmsg), attributes, NFTA_CHAIN_MAX, NULL) < 0 ||
	    !attributes[NFTA_CHAIN_HOOK] || !has_effect(attributes) ||
	    nla_parse_nested(hook, NFTA_HOOK_MAX, attributes[NFTA_CHAIN_HOOK], NULL) < 0 ||
	    !hook[NFTA_HOOK_HOOKNUM])
		return NL_OK;
	number = ntohl(nla_get_u32(hook[NFTA_HOOK_HOOKNUM]));
	if (number == NF_INET_FORWARD || number == NF_INET_LOCAL_OUT ||
	    number == NF_INET_POST_ROUTING)
		add_object(arg, nlmsg_data(header), attributes, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME);
	return NL_OK;
}

static void on_legacy_chain(void *names, const char *name)
{
	add_name(names, name);
}

static int on_flowtable(struct nl_msg *message, void *arg)
{
	struct nlattr *attributes[NFTA_FLOWTABLE_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(message);

	if (nlmsg_parse(header, sizeof(struct nfgenmsg), attributes, NFTA_FLOWTABLE_MAX, NULL) >= 0)
		add_object(arg, nlmsg_data(header), attributes, NFTA_FLOWTABLE_TABLE,
			   NFTA_FLOWTABLE_NAME);
	return NL_OK;
}

/* Note an IPsec policy of what leaves by its destination. */
static int on_policy(struct nl_msg *message, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	const struct xfrm_userpolicy_info *policy = nlmsg_data(header);
	char address[INET6_ADDRSTRLEN], text[64];

	if (!nlmsg_valid_hdr(header, sizeof(*policy)) || policy->dir != XFRM_POLICY_OUT ||
	    policy->action != XFRM_POLICY_ALLOW ||
	    !inet_ntop(policy->sel.family, &policy->sel.daddr, address, sizeof(address)))
		return NL_OK;
	snprintf(text, sizeof(text), "%s/%u", address, policy->sel.prefixlen_d);
	add_name(arg, text);
	return NL_OK;
}

/* How each is asked for. */
static const struct {
	int protocol;
	int type;
	nl_recvmsg_msg_cb_t on_message;
} dumps[] = {
	[BYPASSED_CHAINS] = {NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
			     on_chain},
	[BYPASSED_FLOWTABLES] = {NETLINK_NETFILTER,
				 NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETFLOWTABLE, on_flowtable},
	[BYPASSED_POLICIES] = {NETLINK_XFRM, XFRM_MSG_GETPOLICY, on_policy},
};

static int dump(struct nl_sock *socket, enum bypassed what, struct names *names)
{
	union {
		struct nfgenmsg netfilter;
		struct xfrm_userpolicy_id policy;
	} request = {};
	size_t len = dumps[what].protocol == NETLINK_XFRM ? sizeof(request.policy)
							  : sizeof(request.netfilter);
	int err = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, dumps[what].on_message,
				      names);

	if (err >= 0)
		err = nl_send_simple(socket, dumps[what].type, NLM_F_DUMP, &request, len);
	return err < 0 ? err : nl_recvmsgs_default(socket);
}

/**
 * bypassed_list() - What there is of the kernel's that a packet misses which a program sends on
 * @what: of which kind
 * @names: set to their names with ", " between: family, table and chain, or the destination; empty
 *	where there is none, and where the kernel knows nothing of the kind
 * @size: of @names, at least 1
 * @error: set on failure
 *
 * Return: 0 or -errno.
 */
int bypassed_list(enum bypassed what, char *names, size_t size, struct error *error)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct names list = {names, size, 0};
	int err;

	names[0] = '\0';
	if (!socket)
		return error_no_memory_for(error, "netlink");
	err = nl_connect(socket, dumps[what].protocol);
	if (err >= 0)
		err = dump(socket, what, &list);
	nl_socket_free(socket);
	if (what == BYPASSED_CHAINS)
		legacy_chains(on_legacy_chain, &list);
	if (err == -NLE_PERM || err == -NLE_NOMEM)
		return error_set(error, EIO, "cannot ask for rules of the kernel: %s",
				 nl_geterror(err));
	return 0; /* another error: neither is built in */
}
