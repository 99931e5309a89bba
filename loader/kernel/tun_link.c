/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/tun_link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

/* Note the flag of the one link that was asked for. */
static int on_tun(struct nl_msg *message, void *arg)
{
	struct nlattr *info = nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct ifinfomsg),
					      IFLA_LINKINFO);
	struct nlattr *data = info ? nla_find(nla_data(info), nla_len(info), IFLA_INFO_DATA) : NULL;
	struct nlattr *flag = data ? nla_find(nla_data(data), nla_len(data), IFLA_TUN_VNET_HDR)
				   : NULL;
	bool *vnet_hdr = arg;

	*vnet_hdr = flag && nla_get_u8(flag);
	return NL_OK;
}

/**
 * tun_link_read() - What libnl does not know about a TUN device
 * @socket: of NETLINK_ROUTE, with nothing else to be read; its callback is replaced
 * @ifindex: the device
 * @vnet_hdr: set to whether its packets have a header that may say that they are GSO packets
 *
 * Return: 0 or a negative error number of libnl (NLE_*).
 */
int tun_link_read(struct nl_sock *socket, int ifindex, bool *vnet_hdr)
{
	struct ifinfomsg ask = {.ifi_index = ifindex};
	int err = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_tun, vnet_hdr);

	if (!err)
		err = nl_send_simple(socket, RTM_GETLINK, 0, &ask, sizeof(ask));
	if (err >= 0)
		err = nl_recvmsgs_default(socket);
	return err < 0 ? err : 0;
}
