/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Links and addresses of the caller's network namespace, asked from the kernel by rtnetlink.
 *
 * Nothing here reads /sys/class/net, which shows the namespace that mounted /sys and not the one
 * that the caller is in (nsenter --net, ip netns exec).
 */
#ifndef SHRIKE_KERNEL_NETLINK_H
#define SHRIKE_KERNEL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"

/*
 * IF_NAMESIZE without <net/if.h>, which no file can have together with the kernel's <linux/if.h>
 * unless it comes first.
 */
#define LINK_NAME_SIZE 16

struct link_info {
	int ifindex;
	char name[LINK_NAME_SIZE];
	char kind[32];	    /* IFLA_INFO_KIND: "wireguard", "tun", "veth"; empty for most NICs */
	uint32_t mtu;	    /* of the IP packet */
	uint32_t rx_queues; /* at least 1 */
	uint16_t hardware_type; /* ARPHRD_* */
	uint8_t l2_len;		/* bytes of link header before the IP header: 14 or 0 */
	bool up;
	bool vnet_hdr; /* a TUN or TAP device with IFF_VNET_HDR: its packets may be GSO packets */
};

/* One address of one interface; IPv4 is v4-mapped. */
struct interface_address {
	int ifindex;
	union addr addr;	 /* this host's own address */
	struct prefix connected; /* the network it opens, masked; of the other end on a
				  * point-to-point address */
	uint8_t ip_version;	 /* enum ip_version */
};

/* A route of type local, broadcast or anycast, of any table: what the kernel delivers here. */
struct local_route {
	struct prefix prefix; /* IPv4 is v4-mapped */
	bool is_broadcast;
};

enum netlink_event_kind {
	NETLINK_LINK_NEW,  /* the link exists: created, renamed, set up or down */
	NETLINK_LINK_GONE, /* deleted, or moved to another namespace */
	NETLINK_ADDRESS_NEW,
	NETLINK_ADDRESS_GONE,
	NETLINK_LOCAL_ROUTES, /* a route of struct local_route came or went */
	NETLINK_ROUTES,	      /* any other route, or a rule that chooses a table */
	NETLINK_RESYNC,	      /* events were lost: read links and addresses anew */
};

struct netlink_event {
	enum netlink_event_kind kind;
	int ifindex;			  /* links and addresses */
	char name[LINK_NAME_SIZE];	  /* link events */
	bool up;			  /* link events */
	struct interface_address address; /* address events */
};

typedef void (*netlink_event_fn)(const struct netlink_event *event, void *arg);

struct netlink_monitor;

int netlink_link_by_name(const char *name, struct link_info *link, struct error *error);
int netlink_link_by_index(int ifindex, struct link_info *link, struct error *error);
int netlink_read_addresses(struct interface_address **addresses, size_t *count,
			   struct error *error);
int netlink_read_local_routes(struct local_route **routes, size_t *count, struct error *error);

int netlink_monitor_open(netlink_event_fn handle, void *arg, struct netlink_monitor **monitor,
			 struct error *error);
int netlink_monitor_fd(const struct netlink_monitor *monitor);
int netlink_monitor_read(struct netlink_monitor *monitor, struct error *error);
void netlink_monitor_close(struct netlink_monitor *monitor);

#endif /* SHRIKE_KERNEL_NETLINK_H */
