/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is attached to an interface, asked of the kernel and not of the command under test.
 *
 *	hooks list IFACE		a line "HOOK ID NAME" per program (xdp, tcx/ingress, ...)
 *	hooks occupy xdp|tcx IFACE	attach a program that passes everything, until killed;
 *					"ready" on stdout
 *	hooks occupy queue IFACE	the same with an AF_XDP socket on receive queue 0
 *
 * Classic tc filters are left to tc(8).  The bpftool of Debian 12 does not know TCX.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAMS_MAX 16
#define FRAMES	     64
#define FRAME_SIZE   2048

/* Of <linux/bpf.h> since 6.6; the header of Debian 12 is older. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47

static void die(const char *what)
{
	fprintf(stderr, "hooks: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void print_program(const char *hook, __u32 id)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return; /* gone since we asked */
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		printf("%s %u %s\n", hook, id, info.name);
	close(fd);
}

static void print_tcx(const char *hook, unsigned int ifindex, int attach_type)
{
	__u32 ids[PROGRAMS_MAX], n = PROGRAMS_MAX;

	if (bpf_prog_query((int)ifindex, attach_type, 0, NULL, ids, &n)) {
		if (errno == EINVAL)
			return; /* a kernel before 6.6 */
		die(hook);
	}
	for (__u32 i = 0; i < n; i++)
		print_program(hook, ids[i]);
}

static int list(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, xdp);

	if (bpf_xdp_query((int)ifindex, 0, &xdp))
		die("xdp");
	if (xdp.drv_prog_id)
		print_program("xdp", xdp.drv_prog_id);
	if (xdp.skb_prog_id)
		print_program("xdpgeneric", xdp.skb_prog_id);
	print_tcx("tcx/ingress", ifindex, TCX_INGRESS);
	print_tcx("tcx/egress", ifindex, TCX_EGRESS);
	return 0;
}

static int stay(void)
{
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

static int occupy_queue(unsigned int ifindex)
{
	struct sockaddr_xdp queue = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = ifindex,
		.sxdp_flags = XDP_COPY,
	};
	void *area = mmap(NULL, FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xdp_umem_reg umem = {
		.addr = (__u64)(unsigned long)area,
		.len = FRAMES * FRAME_SIZE,
		.chunk_size = FRAME_SIZE,
	};
	const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING};
	int slots = FRAMES, fd = socket(AF_XDP, SOCK_RAW, 0);

	if (fd < 0 || setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)))
		die("AF_XDP");
	for (int i = 0; i < 3; i++)
		if (setsockopt(fd, SOL_XDP, rings[i], &slots, sizeof(slots)))
			die("ring");
	if (bind(fd, (struct sockaddr *)&queue, sizeof(queue)))
		die("bind");
	return stay();
}

static int occupy(const char *hook, unsigned int ifindex)
{
	int xdp = !strcmp(hook, "xdp");
	/* r0 = XDP_PASS (2), or TCX_NEXT (-1); exit */
	struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = xdp ? 2 : -1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "occupant", "GPL",
			       program, 2, NULL);

	if (fd < 0)
		die("load");
	if (bpf_link_create(fd, (int)ifindex, xdp ? BPF_XDP : TCX_INGRESS, NULL) < 0)
		die("attach");
	return stay();
}

int main(int argc, char **argv)
{
	const char *name = argc > 2 ? argv[argc - 1] : "";
	unsigned int ifindex = if_nametoindex(name);

	if (argc > 2 && !ifindex)
		die(name);
	if (argc == 3 && !strcmp(argv[1], "list"))
		return list(ifindex);
	if (argc == 4 && !strcmp(argv[1], "occupy"))
		return strcmp(argv[2], "queue") ? occupy(argv[2], ifindex) : occupy_queue(ifindex);
	fputs("usage: hooks list IFACE | hooks occupy xdp|tcx|queue IFACE\n", stderr);
	return 2;
}
