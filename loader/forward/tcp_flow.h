/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A TCP connection of the forwarder, as tcp.c opens it and relay.c moves its data.
 */
#ifndef SHRIKE_FORWARD_TCP_FLOW_H
#define SHRIKE_FORWARD_TCP_FLOW_H

#include "forward/state.h"

#define RELAY_CHUNK_MIN (16 << 10)

enum tcp_state { TCP_DIALLING, TCP_ACCEPTING, TCP_CONNECTED };

/* One direction of the relay. */
struct half {
	uint32_t chunk; /* bytes to try at a time: what the writer takes */
	bool readable;	/* the reader may have something: an event said so, and not all was read */
	bool ended;	/* the reader's peer has sent its FIN, though perhaps not all is read */
	bool shut;	/* and so has the writer */
	bool blocked;
	bool urgent; /* the reader has a byte that its peer has called urgent */
};

struct tcp_flow {
	struct flow_entry entry;
	struct watch host_watch;
	struct watch peer_watch;
	int host_fd;
	int peer_fd;
	enum tcp_state state;
	bool was_reset; /* by the destination, before the peer's handshake */
	uint32_t syn_len;
	uint8_t *syn;	     /* while dialling */
	uint64_t syn_ns;     /* when the last SYN came */
	uint64_t syn_gap_ns; /* and how long after the one before it */
	uint64_t cookie;     /* of the host's socket, for answer.c */
	uint8_t answer_tos;  /* of what has come in on it last */
	uint8_t answer_ttl;  /* 0: nothing has */
	uint8_t dscp;	     /* that it sends with: the peer's */
	bool is_local;	     /* the destination is this host */
	struct half up;	     /* from the peer to the destination */
	struct half down;
};

#define TCP_EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* What another forwarder has to know of a connection to go on with it, besides its sockets. */
struct tcp_handover {
	struct flow_name name;
	uint8_t mac[LINK_ADDR_LEN]; /* the peer's */
	uint8_t state;		    /* enum tcp_state, but not dialling */
	uint8_t dscp;
	bool up_shut;
	bool down_shut;
};

static inline struct tcp_flow *tcp_flow_of(struct flow_entry *entry)
{
	return container_of(entry, struct tcp_flow, entry);
}

#endif /* SHRIKE_FORWARD_TCP_FLOW_H */
