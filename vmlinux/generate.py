#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Write vmlinux.h: the kernel types that the BPF programs name, and what those types need.

  vmlinux/generate.py [BTF]        default /sys/kernel/btf/vmlinux, C on stdout

A full dump has some 150,000 lines; the programs touch a few dozen types, all of them UAPI
and so laid out alike on every kernel: no CO-RE relocation is asked for.
"""
import re
import subprocess
import sys

ROOTS = """
__u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 __be16 __be32 __be64 __sum16 __wsum bool
xdp_md xdp_action __sk_buff bpf_sock bpf_sk_lookup bpf_map_type bpf_timer
false BPF_ANY BPF_F_PSEUDO_HDR BPF_F_MMAPABLE BPF_F_CURRENT_CPU TCX_NEXT
bpf_fib_lookup bpf_sock_tuple BPF_FIB_LKUP_RET_SUCCESS BPF_F_CURRENT_NETNS BPF_F_MARK_MANGLED_0
BPF_F_ADJ_ROOM_NO_CSUM_RESET bpf_adj_room_mode
ethhdr iphdr ipv6hdr tcphdr udphdr icmphdr icmp6hdr frag_hdr ipv6_opt_hdr in6_addr
""".split()


def declarations(text):
    """Split a C dump into top-level declarations: [(names it defines, text)]."""
    out, block = [], []
    for line in text.splitlines():
        if line.startswith(("#", "/*", "__attribute__")) or not (line or block):
            continue
        block.append(line)
        if re.match(r"^(}.*;|(struct|union|enum|typedef)\b[^{]*;)$", line):
            body = "\n".join(block)
            block = []
            head = re.match(r"^(struct|union|enum) (\w+)", body)
            names = {head.group(2)} if head else set(re.findall(r"^\t(\w+) = ", body, re.M))
            if body.startswith("typedef"):
                names = {re.findall(r"\w+", body.split("[")[0].rstrip(";"))[-1]}
                function = re.search(r"\(\*(\w+)\)|(\w+)\(", body)
                if function:
                    names = {function.group(1) or function.group(2)}
            out.append((names, body))
    return out


def main():
    btf = sys.argv[1] if len(sys.argv) > 1 else "/sys/kernel/btf/vmlinux"
    dump = subprocess.run(["bpftool", "btf", "dump", "file", btf, "format", "c"],
                          check=True, capture_output=True, text=True).stdout
    decls = declarations(dump)
    where = {}
    for index, (names, body) in enumerate(decls):
        for name in names:
            where.setdefault(name, []).append(index)
    wanted, todo = set(), [i for r in ROOTS for i in where.get(r, [])]
    while todo:
        index = todo.pop()
        if index in wanted:
            continue
        wanted.add(index)
        body = re.sub(r"\b(struct|union) \w+ \*", "void *", decls[index][1])
        body = re.sub(r"\w+(\[\d+\])*( : \d+)?;", ";", body)      # the members' own names
        for word in set(re.findall(r"\w+", body)):
            todo += [i for i in where.get(word, []) if i not in wanted]
    print("/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */")
    print("/* Kernel types named by the BPF programs; made by vmlinux/generate.py, do not edit. */")
    print("#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n")
    print("\n\n".join(decls[i][1] for i in sorted(wanted)))
    print("\n#endif /* __VMLINUX_H__ */")


if __name__ == "__main__":
    main()
