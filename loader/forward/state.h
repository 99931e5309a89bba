/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the forwarder process share.
 *
 * One thread around one epoll set.  Flows are named by the packet that opened them; a flow is
 * freed at the end of the round in which it ended, as events of that round may still name it.
 */
#ifndef SHRIKE_FORWARD_STATE_H
#define SHRIKE_FORWARD_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/error.h"
#include "config.h"
#include "forward/coalesce.h"
#include "forward/ip.h"
#include "forward/order.h"
#include "forward/reassemble.h"
#include "forward/share.h"
#include "forward/split.h"
#include "forwarder.h"

#define ETHERNET_LEN   14
#define FLOW_BUCKETS   65536
#define PEER_BUCKETS   4096
#define PEERS_MAX      16384
#define UDP_BUCKETS    16384
#define REFUSALS       32 /* that a peer's dials have met lately */
#define UDP_BATCH      64
#define UDP_READS      16 /* answers read at a time, each of any size */
#define UDP_READ_BYTES (65536 + 64)
#define RELAY_BUFFER   (64 << 10) /* stays in the CPU's caches between two copies */
#define BUFFER_BYTES   (UDP_READS * UDP_READ_BYTES)
#define TUN_PACKET_MAX (65536 + 64)

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* younger than Debian 12's headers */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

struct worker;

struct watch;

typedef void (*watch_ready)(struct worker *w, struct watch *watch, uint32_t events);

/* Something that epoll watches; the first member of what it belongs to. */
struct watch {
	watch_ready ready;
};

/* Kinds of flows, in the order in which they make room for others. */
enum flow_kind {
	FLOW_KIND_UDP,
	FLOW_KIND_UDP_STREAM,
	FLOW_KIND_ECHO,
	FLOW_KIND_DIAL,
	FLOW_KIND_TCP,
	FLOW_KINDS,
};

/* What all peers share. */
enum shared {
	SHARED_FLOWS,
	SHARED_DIALS,
	SHARED_ECHOES,
	SHARED_KINDS,
};

TAILQ_HEAD(flow_list, flow_entry);

/* A token bucket in time: what is allowed once every so often, and some at once. */
struct bucket {
	uint64_t credit_ns;
	uint64_t filled_ns; /* when */
};

struct refusal;

/*
 * struct peer - where its packets go, and what it takes up
 * @by_use: while it has no flows
 * @flows: of each kind, the one that has been idle for longest first
 * @refusals: REFUSALS of them, NULL until there is one
 * @tcp_flows: of its flows those of TCP
 * @errors: ICMP errors that it may be sent
 * @path_mtu: that a router has told of, until @path_mtu_until_ns
 */
struct peer {
	struct peer *next;
	TAILQ_ENTRY(peer) by_use;
	union addr addr;
	uint8_t version;
	uint8_t mac[LINK_ADDR_LEN];
	struct share shares[SHARED_KINDS];
	struct flow_list flows[FLOW_KINDS];
	uint32_t tcp_flows;
	struct refusal *refusals;
	struct bucket errors;
	uint32_t path_mtu;
	uint64_t path_mtu_until_ns;
};

/* Names a flow: the ends of its first packet, ports in network order; echo: the identifier, 0. */
struct flow_name {
	struct ip_ends ends;
	uint8_t l4_proto;
	uint8_t pad[2];
	uint16_t sport;
	uint16_t dport;
};

/* Why a flow ends. */
enum end_reason {
	END_CLOSED,    /* both ends are done: without a reset */
	END_BROKEN,    /* a socket has failed */
	END_TIMED_OUT, /* its list's time is over; a dial: nobody has answered */
	END_REVOKED,   /* the policy in force does not forward it */
	END_DISPLACED, /* for another one, as there is no room for both */
	END_LEAVING,   /* the forwarder ends */
};

/*
 * struct flow_entry - what flows of all protocols have in common
 * @of_peer: among those of its peer and its kind
 * @on: the list it is on: all flows on a list have the same time to live, the oldest comes first
 * @routes: worker.routes when it was last asked where its destination leads
 * @end: closes its sockets and takes it out of all tables
 */
struct flow_entry {
	struct flow_entry *next;
	TAILQ_ENTRY(flow_entry) link;
	TAILQ_ENTRY(flow_entry) of_peer;
	enum flow_kind kind;
	struct flow_list *on;
	struct flow_name name;
	struct peer *peer;
	uint64_t active_ns;
	uint32_t routes;
	void (*end)(struct worker *w, struct flow_entry *flow, enum end_reason reason);
	bool is_dead;
};

enum refusal_kind {
	REFUSAL_NONE,
	REFUSAL_RESET,
	REFUSAL_NO_ROUTE,
	REFUSAL_HOST,
	REFUSAL_PROHIBITED,
	REFUSAL_SILENT, /* let the peer try again */
};

/* A destination that did not answer well, not to be dialled again before @until_ns. */
struct refusal {
	union addr addr;
	uint16_t port;
	uint8_t kind; /* enum refusal_kind */
	uint64_t until_ns;
};

struct xsk;
struct queue_fds;
struct tun_input;
struct echo_flow;
struct udp_flow;
struct udp_endpoint;

struct worker {
	struct worker_start start;
	struct forward_order order;
	struct forwarder_status *status;
	int epoll_fd;
	uint64_t now_ns;
	bool over;
	bool is_handed_over;

	struct xsk *xsks;
	uint32_t n_xsks;
	struct xsk *retired_xsks;
	struct queue_fds *coming; /* of a device that has come, until all are there */
	uint32_t n_coming;
	struct tun_input *tun_input; /* NULL: the sockets above */
	uint64_t counted_ns;	     /* when the kernel was asked what it has lost */
	struct reassembly *reassembly;
	struct coalescer coalescer;
	struct splitter splitter;

	int packet_fd;
	uint16_t next_ip_id; /* of the IPv4 packets that are made here */
	bool tx_blocked;     /* the packet socket has no room: the TUN waits */
	struct watch packet_watch;

	int tun_fd;
	int private_fd; /* a netlink socket there, for the parent */
	int steer_fd;	/* the link of the sk_lookup program */
	int listen_fds[2];
	struct watch tun_watch;
	struct watch listen_watches[2];
	uint8_t *tun_packet;
	uint8_t *buffer; /* of BUFFER_BYTES, for whoever needs one for a moment */

	int answer_filter_fd;
	const uint64_t *answer_notes; /* what the filter has noted, by socket cookie */

	struct nl_sock *route_socket;
	struct nl_sock *route_news; /* says that routes, or the rules that choose them, change */
	struct watch route_watch;
	uint32_t routes; /* how often they have */
	struct watch control_watch;

	struct flow_entry *flows[FLOW_BUCKETS];
	uint64_t hash_key[2];
	uint64_t reserved_ports[65536 / 64]; /* that are nobody's to take: ports.h */
	uint32_t flows_max;
	struct peer *peers[PEER_BUCKETS];
	TAILQ_HEAD(, peer) idle_peers; /* without flows, least recently used first */
	uint32_t n_peers;
	struct flow_list dialling;
	struct flow_list accepting;
	struct flow_list connected;
	struct flow_list unfinished; /* the relay has more to do at once */
	struct flow_list udp;
	struct flow_list udp_streams;
	struct flow_list echo;
	struct flow_list dead;
	uint32_t n_dialling;
	uint64_t dials_looked_ns; /* when it was looked which peers have given up */
	struct shares shares[SHARED_KINDS];
	struct bucket errors; /* ICMP errors that all peers together may be sent */

	struct udp_endpoint *endpoints[UDP_BUCKETS];
	TAILQ_HEAD(, udp_endpoint) dead_endpoints;
	struct udp_flow *batch_flow; /* whose datagrams wait in @batch */
	int n_batch;
	bool udp_undivided; /* the kernel divides no datagrams on the way out to peers */
	struct iovec batch[UDP_BATCH];
	struct ip_packet batch_packets[UDP_BATCH];

	int raw_fds[2];
	struct watch raw_watches[2];
	uint32_t raw_drops[2]; /* that have been counted */
	struct echo_flow *echo_by_id[65536];
	uint16_t next_echo_id;
	uint32_t n_echo;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif /* SHRIKE_FORWARD_STATE_H */
