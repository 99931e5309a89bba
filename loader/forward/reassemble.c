/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "forward/reassemble.h"

#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "forward/share.h"

#define PIECES_MAX     64 /* of one datagram: 65,535 bytes in pieces of 1,024 */
#define DATAGRAM_MAX   65535
#define SOURCE_BUCKETS 256

struct piece {
	uint32_t off;
	uint32_t len;
	uint8_t *data;
};

struct source;

struct datagram {
	TAILQ_ENTRY(datagram) by_age;
	TAILQ_ENTRY(datagram) of_source;
	struct source *source;
	struct ip_ends ends;
	uint32_t id;
	uint8_t l4_proto;
	uint64_t created_ns;
	uint8_t *header; /* of the first fragment, without its fragment header */
	uint32_t header_len;
	uint32_t total; /* bytes of data, 0 until the last fragment has come */
	uint32_t received;
	size_t n;
	struct piece pieces[PIECES_MAX];
};

TAILQ_HEAD(datagrams, datagram);

/* Who sends fragments; it is there as long as it has some here. */
struct source {
	struct source *next;
	union addr addr;
	uint8_t version;
	struct share bytes;    /* what its datagrams take up, not only their data */
	struct datagrams list; /* oldest first */
	size_t n;
};

struct reassembly {
	struct datagrams list; /* of all sources, oldest first */
	struct source *sources[SOURCE_BUCKETS];
	struct shares bytes;
	uint64_t hash_key; /* peers choose the addresses that they send from */
	struct reassembly_counts counts;
	uint8_t whole[IP_HEADER_MAX + 256 + DATAGRAM_MAX];
};

/**
 * reassembly_new() - An empty table, or NULL without memory
 */
struct reassembly *reassembly_new(void)
{
	struct reassembly *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (getrandom(&r->hash_key, sizeof(r->hash_key), 0) < 0) {
		free(r);
		return NULL;
	}
	TAILQ_INIT(&r->list);
	shares_init(&r->bytes);
	return r;
}

static struct source **bucket_of(struct reassembly *r, const union addr *addr)
{
	uint64_t hash = (addr->half[0] ^ r->hash_key) * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ (hash >> 32) ^ addr->half[1] ^ r->hash_key) * 0x9e3779b97f4a7c15ull;
	return &r->sources[(hash >> 32) % SOURCE_BUCKETS];
}

static struct source *source_find(struct reassembly *r, const struct ip_ends *ends)
{
	struct source *source = *bucket_of(r, &ends->saddr);

	while (source && (source->version != ends->version ||
			  memcmp(&source->addr, &ends->saddr, sizeof(source->addr))))
		source = source->next;
	return source;
}

static struct source *source_get(struct reassembly *r, const struct ip_ends *ends)
{
	struct source **bucket = bucket_of(r, &ends->saddr), *source = source_find(r, ends);

	if (source)
		return source;
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->addr = ends->saddr;
	source->version = ends->version;
	TAILQ_INIT(&source->list);
	source->next = *bucket;
	*bucket = source;
	return source;
}

static void source_put(struct reassembly *r, struct source *source)
{
	struct source **at = bucket_of(r, &source->addr);

	if (source->n)
		return;
	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	free(source);
}

static void forget(struct reassembly *r, struct datagram *d)
{
	struct source *source = d->source;

	TAILQ_REMOVE(&r->list, d, by_age);
	TAILQ_REMOVE(&source->list, d, of_source);
	share_take(&r->bytes, &source->bytes, sizeof(*d) + d->received);
	source->n--;
	for (size_t i = 0; i < d->n; i++)
		free(d->pieces[i].data);
	free(d->header);
	r->counts.waiting -= d->n;
	r->counts.lost += d->n;
	free(d);
	source_put(r, source);
}

/**
 * reassembly_free() - Forget everything
 */
void reassembly_free(struct reassembly *r)
{
	if (!r)
		return;
	while (!TAILQ_EMPTY(&r->list))
		forget(r, TAILQ_FIRST(&r->list));
	free(r);
}

static struct datagram *find(struct reassembly *r, const struct ip_packet *p)
{
	struct source *source = source_find(r, &p->ends);
	struct datagram *d;

	if (!source)
		return NULL;
	/* IPv6 later fragments may name another protocol: RFC 8200 leaves it out of the key */
	TAILQ_FOREACH(d, &source->list, of_source)
	{
		if (d->id == p->frag_id &&
		    (d->l4_proto == p->l4_proto || p->ends.version == IP_VERSION_6) &&
		    !memcmp(&d->ends.daddr, &p->ends.daddr, 16))
			break;
	}
	return d;
}

/* Make room at the cost of the source that takes up most. */
static void displace(struct reassembly *r)
{
	struct share *greediest = shares_greediest(&r->bytes);
	char *source = (char *)greediest - offsetof(struct source, bytes);

	forget(r, TAILQ_FIRST(&((struct source *)source)->list));
}

static struct datagram *open_datagram(struct reassembly *r, const struct ip_packet *p,
				      uint64_t now_ns)
{
	struct source *source = source_find(r, &p->ends);
	struct datagram *d;

	if (source && source->n >= REASSEMBLE_DATAGRAMS)
		forget(r, TAILQ_FIRST(&source->list));
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->source = source_get(r, &p->ends);
	if (!d->source) {
		free(d);
		return NULL;
	}
	d->ends = p->ends;
	d->id = p->frag_id;
	d->l4_proto = p->l4_proto;
	d->created_ns = now_ns;
	TAILQ_INSERT_TAIL(&r->list, d, by_age);
	TAILQ_INSERT_TAIL(&d->source->list, d, of_source);
	d->source->n++;
	share_add(&r->bytes, &d->source->bytes, sizeof(*d));
	return d;
}

static bool overlaps(const struct datagram *d, uint32_t off, uint32_t len)
{
	for (size_t i = 0; i < d->n; i++)
		if (off < d->pieces[i].off + d->pieces[i].len && d->pieces[i].off < off + len)
			return true;
	return false;
}

/* The headers of the first fragment, as they would be without fragmentation. */
static bool keep_header(struct datagram *d, const struct ip_packet *p)
{
	uint32_t len = p->ends.version == IP_VERSION_4 ? p->l4_off : p->frag_header_off;

	if (len > IP_HEADER_MAX + 256)
		return false;
	d->header = malloc(len);
	if (!d->header)
		return false;
	memcpy(d->header, p->data, len);
	d->header_len = len;
	d->l4_proto = p->l4_proto;
	if (p->ends.version == IP_VERSION_6)
		d->header[p->frag_next_off] = p->l4_proto;
	else
		memset(d->header + 6, 0, 2);
	return true;
}

/* Whether the fragment could be kept; if not, its datagram is lost. */
static bool keep(struct reassembly *r, struct datagram *d, const struct ip_packet *p)
{
	uint32_t len = p->len - p->l4_off, end = p->frag_off + len;
	struct piece *piece = &d->pieces[d->n];

	if (!len || end > DATAGRAM_MAX || (p->more_fragments && len % 8) || d->n == PIECES_MAX ||
	    overlaps(d, p->frag_off, len) || (d->total && end > d->total))
		return false;
	if (!p->more_fragments) {
		for (size_t i = 0; i < d->n; i++)
			if (d->pieces[i].off + d->pieces[i].len > end)
				return false;
		if (d->total)
			return false;
		d->total = end;
	}
	if (!p->frag_off && !keep_header(d, p))
		return false;
	piece->data = malloc(len);
	if (!piece->data)
		return false;
	memcpy(piece->data, p->data + p->l4_off, len);
	piece->off = p->frag_off;
	piece->len = len;
	d->n++;
	r->counts.waiting++;
	d->received += len;
	share_add(&r->bytes, &d->source->bytes, len);
	return true;
}

static bool put_together(struct reassembly *r, struct datagram *d, struct ip_packet *whole)
{
	uint32_t len = d->header_len + d->total;
	/* IPv6 counts the extension headers, but not its own (RFC 8200, section 4.5) */
	uint32_t uncounted = d->ends.version == IP_VERSION_4 ? 0 : sizeof(struct ip6_hdr);

	if (len - uncounted > DATAGRAM_MAX)
		return false;
	memcpy(r->whole, d->header, d->header_len);
	for (size_t i = 0; i < d->n; i++)
		memcpy(r->whole + d->header_len + d->pieces[i].off, d->pieces[i].data,
		       d->pieces[i].len);
	ip_length_set(r->whole, d->ends.version, d->header_len, len);
	if (ip_parse(r->whole, len, whole))
		return false;
	whole->dont_fragment = false; /* its sender has done it */
	return true;
}

/**
 * reassembly_add() - Add a fragment
 * @r: the table
 * @fragment: a packet with is_fragment
 * @now_ns: the time
 * @timeout_ns: datagrams that began longer ago are forgotten
 * @whole: becomes the datagram; valid until the next call
 *
 * Return: whether this was the last fragment missing, and @whole is filled.
 */
bool reassembly_add(struct reassembly *r, const struct ip_packet *fragment, uint64_t now_ns,
		    uint64_t timeout_ns, struct ip_packet *whole)
{
	struct datagram *d;
	size_t n;

	while ((d = TAILQ_FIRST(&r->list)) && now_ns - d->created_ns > timeout_ns)
		forget(r, d);
	while (r->bytes.total >= REASSEMBLE_BYTES)
		displace(r);
	d = find(r, fragment);
	if (!d)
		d = open_datagram(r, fragment, now_ns);
	if (!d || !keep(r, d, fragment)) {
		r->counts.lost++;
		if (d)
			forget(r, d);
		return false;
	}
	if (!d->header || !d->total || d->received != d->total)
		return false;
	n = d->n;
	if (!put_together(r, d, whole)) {
		forget(r, d);
		return false;
	}
	forget(r, d);
	r->counts.lost -= n;
	r->counts.joined += n - 1;
	return true;
}

/**
 * reassembly_count() - What has become of the fragments
 *
 * Return: those that wait now, and of the others those since the last call.
 */
struct reassembly_counts reassembly_count(struct reassembly *r)
{
	struct reassembly_counts counts = r->counts;

	r->counts.joined = r->counts.lost = 0;
	return counts;
}
