/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is wrong with a policy, and where: each row is a file and the one line a user reads.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "policy/policy.h"

#define V1   "version: 1\n"
#define RULE V1 "route_acl:\n  - id: a\n    action: allow\n    "
#define PEER V1 "peer_acl:\n  - id: a\n    action: allow\n    "
#define ICMP RULE "protocol: icmp\n    "
#define TYPE "a name such as echo-request, TYPE or TYPE/CODE (0-255)"

struct bad_policy {
	const char *text;
	const char *error; /* behind "p:" */
};

static const struct bad_policy bad_policies[] = {
	{"", "1:1: the file is empty"},
	{"# nothing\n", "1:1: the file is empty"},
	{"42\n", "1:1: expected a mapping of keys to values, not a single value"},
	{"[1]\n", "1:1: expected a mapping of keys to values, not a list"},
	{"{}\n", "1:1: key 'version' is missing"},
	{"mode: {}\n", "1:1: key 'version' is missing"},
	{"version: 2\n", "1:10: version must be 1"},
	{"version: \"1\"\n", "1:10: version must be 1"},
	{"version: 1.0\n", "1:10: version must be 1"},
	{"version: [1]\n", "1:10: version must be 1"},
	{"version:\n", "1:1: version must be 1"},
	{V1 "colour: red\n", "2:1: unknown key 'colour'"},
	{V1 "mode: {stateful: true, foo: 1}\n", "2:24: unknown key 'foo'"},
	{V1 "version: 1\n", "2:1: duplicate key 'version'"},
	{V1 "mode: {hook: tc, hook: xdp}\n", "2:18: duplicate key 'hook'"},
	{V1 "mode: {stateful: maybe}\n", "2:18: expected true or false, not 'maybe'"},
	{V1 "mode: {stateful: \"true\"}\n", "2:18: expected true or false, not 'true'"},
	{V1 "mode: {stateful: 1}\n", "2:18: expected true or false, not '1'"},
	{V1 "mode: [a]\n", "2:7: expected a mapping of keys to values, not a list"},
	{V1 "mode:\n", "2:1: value missing, expected a mapping of keys to values"},
	{V1 "mode: {routing: kernel}\n",
	 "2:17: expected auto, native, userspace, disabled or nat, not 'kernel'"},
	{V1 "mode: {forwarder_input: pcap}\n", "2:25: expected auto, af_xdp or tun, not 'pcap'"},
	{V1 "mode: {hook: xdp, forwarder_input: tun}\n",
	 "2:36: forwarder_input: tun uses the TC hook, but mode.hook is xdp: set one of them to "
	 "auto"},
	{V1 "mode: {native_acl: true}\n", "2:20: expected skip or enforce, not 'true'"},
	{V1 "mode: {hook: [tc]}\n", "2:14: expected auto, xdp or tc, not a list"},
	{V1 "mode: {hook: }\n", "2:8: value missing, expected auto, xdp or tc"},
	{V1 "mss_clamp: 1\n", "2:12: expected true or false, not '1'"},
	{V1 "limits: {tcp: 0}\n", "2:15: '0' is not a number from 1 to 16777216"},
	{V1 "limits: {udp: 16777217}\n", "2:15: '16777217' is not a number from 1 to 16777216"},
	{V1 "limits: {icmp: -1}\n", "2:16: '-1' is not a number from 1 to 16777216"},
	{V1 "limits: {icmp: ten}\n", "2:16: 'ten' is not a number from 1 to 16777216"},
	{V1 "limits: {icmp: \"10\"}\n", "2:16: expected a number, not a text"},
	{V1 "limits: {fragments: 99999999999999999999999}\n",
	 "2:21: '99999999999999999999999' is not a number from 1 to 16777216"},
	{V1 "limits: {fragments: 1e3}\n", "2:21: '1e3' is not a number from 1 to 16777216"},
	{V1 "limits: {fragments: [1]}\n", "2:21: expected a number of entries, not a list"},
	{V1 "timeouts: {udp: 0}\n", "2:17: a timeout is at least 1ms"},
	{V1 "timeouts: {udp: 0ms}\n", "2:17: a timeout is at least 1ms"},
	{V1 "timeouts: {udp: 3 h}\n",
	 "2:17: '3 h' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: 3d}\n",
	 "2:17: '3d' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: -3s}\n",
	 "2:17: '-3s' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: 1m1h}\n",
	 "2:17: '1m1h' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: 1s1s}\n",
	 "2:17: '1s1s' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: 1h30}\n",
	 "2:17: '1h30' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: 9000h}\n", "2:17: duration '9000h' is longer than 366 days"},
	{V1 "timeouts: {udp: 99999999999999999h}\n",
	 "2:17: duration '99999999999999999h' is longer than 366 days"},
	{V1 "timeouts: {udp: 999999999999999999999}\n",
	 "2:17: '999999999999999999999' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {udp: ''}\n", "2:17: '' is not a duration such as 3h, 1h30m, 60s or 500ms"},
	{V1 "timeouts: {tcp: 3s}\n", "2:12: unknown key 'tcp'"},
	{V1 "peer_acl: {}\n", "2:11: expected a list, not a mapping of keys to values"},
	{V1 "peer_acl:\n", "2:1: value missing, expected a list"},
	{V1 "peer_acl: [a]\n", "2:12: expected a mapping of keys to values, not a single value"},
	{V1 "peer_acl:\n  - action: allow\n", "3:5: key 'id' is missing"},
	{V1 "peer_acl:\n  - id: a\n", "3:5: key 'action' is missing"},
	{V1 "peer_acl:\n  - id: a\n    action: deny\n    description: [a]\n",
	 "5:18: expected a text, not a list"},
	{V1 "peer_acl:\n  - id: a\n    action: permit\n",
	 "4:13: expected deny or allow, not 'permit'"},
	{PEER "destination: [10.0.0.1/8]\n",
	 "5:19: '10.0.0.1/8' has host bits set; write 10.0.0.0/8"},
	{PEER "destination: [unicast]\n",
	 "5:19: 'unicast' is not an address, a prefix, any, set:NAME, broadcast or multicast"},
	{PEER "destination: [10.0.0.256]\n", "5:19: '10.0.0.256' is not an address or prefix"},
	{PEER "destination: [[a]]\n",
	 "5:19: expected an address, a prefix, any, set:NAME, broadcast or multicast, not a list"},
	{PEER "source: [unicast]\n", "5:14: 'unicast' is not an address or prefix"},
	{PEER "source: [10.0.0.1, broadcast]\n",
	 "5:24: broadcast is a destination of peer_acl only"},
	{PEER "source: ['fd00::1']\n    destination: broadcast\n",
	 "6:18: mixed families: no source has the family of a destination"},
	{RULE "destination: multicast\n", "5:18: multicast is a destination of peer_acl only"},
	{V1 "sets: {a: [multicast]}\n", "2:12: 'multicast' is not an address or prefix"},
	{RULE "protocol: icmp\n    icmp_types: []\n",
	 "6:17: empty list of ICMP types; leave the key out for any type"},
	{RULE "icmp_types: [8]\n", "5:5: icmp_types without protocol: icmp, which is ICMPv6, too"},
	{RULE "protocol: tcp\n    icmp_types: [8]\n",
	 "6:5: icmp_types without protocol: icmp, which is ICMPv6, too"},
	{RULE "protocol: 1\n    icmp_types: [8]\n",
	 "6:5: icmp_types without protocol: icmp, which is ICMPv6, too"},
	{ICMP "icmp_types: [8, ping]\n", "6:21: 'ping' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [256]\n", "6:18: '256' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [3/256]\n", "6:18: '3/256' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [3/]\n", "6:18: '3/' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [/4]\n", "6:18: '/4' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [3/4/5]\n", "6:18: '3/4/5' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [8-9]\n", "6:18: '8-9' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [fragmentation-needed/4]\n",
	 "6:18: 'fragmentation-needed/4' is not an ICMP type: " TYPE},
	{ICMP "icmp_types: [[8]]\n", "6:18: expected an ICMP type, not a list"},
	{ICMP "icmp_types: {a: 8}\n",
	 "6:17: expected a list of ICMP types, not a mapping of keys to values"},
	{ICMP "icmp_types: [packet-too-big]\n    source: 10.0.0.0/8\n",
	 "6:17: mixed families: no ICMP type is one of the addresses' family"},
	{ICMP "destination: '::/0'\n    icmp_types: source-quench\n",
	 "7:17: mixed families: no ICMP type is one of the addresses' family"},
	{V1 "peer_acl:\n  - {id: '', action: allow}\n", "3:10: empty id"},
	{V1 "peer_acl:\n  - {id: , action: allow}\n", "3:6: value missing, expected an id"},
	{V1 "peer_acl:\n  - {id: ~, action: allow}\n", "3:10: value missing, expected an id"},
	{V1 "peer_acl:\n  - {id: [a], action: allow}\n", "3:10: expected an id, not a list"},
	{V1 "peer_acl:\n  - {id: \"a\\nb\", action: allow}\n", "3:10: control character in a text"},
	{V1 "peer_acl:\n  - {id: \"a\\u009bb\", action: allow}\n",
	 "3:10: control character in a text"},
	{V1 "peer_acl:\n  - {id: \"a\\0b\", action: allow}\n", "3:10: control character in a text"},
	{V1 "peer_acl:\n  - {id: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, "
	    "action: allow}\n",
	 "3:10: id is longer than 63 bytes"},
	{V1 "peer_acl:\n  - {id: a, action: allow}\nroute_acl:\n  - {id: a, action: allow}\n",
	 "5:10: duplicate id 'a', which line 3 has already"},
	{V1 "peer_acl:\n  - {id: a, action: allow}\n  - {id: b, action: allow}\n  - {id: b, "
	    "action: allow}\n  - {id: a, action: allow}\n",
	 "5:10: duplicate id 'b', which line 4 has already"},
	{RULE "source: 10.0.0.1/8\n", "5:13: '10.0.0.1/8' has host bits set; write 10.0.0.0/8"},
	{RULE "source: [10.0.0.0/33]\n",
	 "5:14: '10.0.0.0/33' has a prefix length that is not 0-32"},
	{RULE "source: [10.0.0.0/]\n", "5:14: '10.0.0.0/' has a prefix length that is not 0-32"},
	{RULE "source: [10.0.0.0/08]\n",
	 "5:14: '10.0.0.0/08' has a prefix length that is not 0-32"},
	{RULE "source: [10.0.0.0/-1]\n",
	 "5:14: '10.0.0.0/-1' has a prefix length that is not 0-32"},
	{RULE "source: [10.0.0]\n", "5:14: '10.0.0' is not an address or prefix"},
	{RULE "source: [010.0.0.1]\n", "5:14: '010.0.0.1' is not an address or prefix"},
	{RULE "source: [10.0.0.1:80]\n", "5:14: '10.0.0.1:80' is not an address or prefix"},
	{RULE "source: ['2001:db8::1/64']\n",
	 "5:14: '2001:db8::1/64' has host bits set; write 2001:db8::/64"},
	{RULE "source: ['2001:db8::/129']\n",
	 "5:14: '2001:db8::/129' has a prefix length that is not 0-128"},
	{RULE "source: ['::ffff:10.0.0.1']\n",
	 "5:14: '::ffff:10.0.0.1' is v4-mapped; write the IPv4 form"},
	{RULE "source: ['::ffff:0:0/96']\n",
	 "5:14: '::ffff:0:0/96' is v4-mapped; write the IPv4 form"},
	{RULE "source: ['fe80::1%eth0']\n", "5:14: 'fe80::1%eth0' is not an address or prefix"},
	{RULE "source: ['10.0.0.1/24/3']\n",
	 "5:14: '10.0.0.1/24/3' has a prefix length that is not 0-32"},
	{RULE "source: []x\n", "5:15: invalid value after mapping"},
	{RULE "source: [Any]\n", "5:14: 'Any' is not an address or prefix"},
	{RULE "source: [set:corp]\n", "5:14: unknown set 'corp'"},
	{RULE "source: ['set:']\n", "5:14: unknown set ''"},
	{RULE "source: [[10.0.0.1]]\n",
	 "5:14: expected an address, a prefix, any or set:NAME, not a list"},
	{RULE "source: {a: b}\n",
	 "5:13: expected a list of addresses, not a mapping of keys to values"},
	{RULE "source:\n", "5:5: value missing, expected a list of addresses"},
	{RULE "source: [~]\n",
	 "5:14: value missing, expected an address, a prefix, any or set:NAME"},
	{RULE "source: [10.0.0.1, 10.0.0.2\n", "6:1: flow sequence without a closing bracket"},
	{RULE "source: "
	      "[11111111111111111111111111111111111111111111111111111111111111111111111111111111111"
	      "11111111111111111]\n",
	 "5:14: '11111111111111111111111111111111111111111111111111111111111111111111111111111111' "
	 "is not an address or prefix"},
	{RULE "source: [10.0.0.1]\n    destination: ['2001:db8::1']\n",
	 "6:18: mixed families: no source has the family of a destination"},
	{RULE "protocol: nosuch\n", "5:15: unknown protocol 'nosuch' (tcp, udp, icmp, icmpv6, all, "
				    "0-255 or a name of /etc/protocols)"},
	{RULE "protocol: 256\n", "5:15: unknown protocol '256' (tcp, udp, icmp, icmpv6, all, 0-255 "
				 "or a name of /etc/protocols)"},
	{RULE "protocol: TCP\n", "5:15: unknown protocol 'TCP' (tcp, udp, icmp, icmpv6, all, 0-255 "
				 "or a name of /etc/protocols)"},
	{RULE "protocol: -1\n", "5:15: unknown protocol '-1' (tcp, udp, icmp, icmpv6, all, 0-255 "
				"or a name of /etc/protocols)"},
	{RULE "protocol: [tcp]\n", "5:15: expected a protocol, not a list"},
	{RULE "protocol:\n", "5:5: value missing, expected a protocol"},
	{RULE "protocol: 006x\n", "5:15: unknown protocol '006x' (tcp, udp, icmp, icmpv6, all, "
				  "0-255 or a name of /etc/protocols)"},
	{RULE "destination_ports: []\n",
	 "5:24: empty list of ports; leave the key out for any port"},
	{RULE "destination_ports: 65536\n",
	 "5:24: '65536' is not a port or range of ports (0-65535)"},
	{RULE "destination_ports: [80, 90-80]\n", "5:29: port range '90-80' ends before it begins"},
	{RULE "destination_ports: [80-]\n",
	 "5:25: '80-' is not a port or range of ports (0-65535)"},
	{RULE "destination_ports: [-80]\n",
	 "5:25: '-80' is not a port or range of ports (0-65535)"},
	{RULE "destination_ports: [no-such]\n", "5:25: 'no-such' is no service of /etc/services"},
	{RULE "destination_ports: [80-90-100]\n",
	 "5:25: '80-90-100' is not a port or range of ports (0-65535)"},
	{RULE "destination_ports: [80 - 90]\n",
	 "5:25: '80 - 90' is not a port or range of ports (0-65535)"},
	{RULE "destination_ports: {a: 1}\n",
	 "5:24: expected a list of ports, not a mapping of keys to values"},
	{RULE "destination_ports:\n", "5:5: value missing, expected a list of ports"},
	{RULE "destination_ports: [[80]]\n",
	 "5:25: expected a port or a range of ports, not a list"},
	{RULE "destination_ports: [8e1]\n",
	 "5:25: '8e1' is not a port or range of ports (0-65535)"},
	{RULE "protocol: icmp\n    destination_ports: [80]\n",
	 "6:5: destination_ports with a protocol that has no ports"},
	{RULE "protocol: 47\n    source_ports: [80]\n",
	 "6:5: source_ports with a protocol that has no ports"},
	{RULE "protocol: icmpv6\n    destination_ports: 80\n",
	 "6:5: destination_ports with a protocol that has no ports"},
	{RULE "protocol: 1\n    destination_ports: 80\n",
	 "6:5: destination_ports with a protocol that has no ports"},
	{RULE "sources: any\n", "5:5: unknown key 'sources'"},
	{RULE "id: b\n", "5:5: duplicate key 'id'"},
	{RULE "action: \n", "5:5: duplicate key 'action'"},
	{RULE "tos: 3\n", "5:5: unknown key 'tos'"},
	{V1 "sets: [a]\n", "2:7: expected a mapping of keys to values, not a list"},
	{V1 "sets:\n", "2:1: value missing, expected a mapping of keys to values"},
	{V1 "sets: {a: any}\n", "2:11: 'any' is not an address or prefix"},
	{V1 "sets: {a: [set:b]}\n", "2:12: 'set:b' is not an address or prefix"},
	{V1 "sets: {a: [10.0.0.1/24]}\n",
	 "2:12: '10.0.0.1/24' has host bits set; write 10.0.0.0/24"},
	{V1 "sets: {a: {b: c}}\n",
	 "2:11: expected a list of addresses and prefixes, not a mapping of keys to values"},
	{V1 "sets: {a: , b: []}\n",
	 "2:8: value missing, expected a list of addresses and prefixes"},
	{V1 "sets: {'': []}\n", "2:8: empty set name"},
	{V1 "sets: {yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy: []}\n",
	 "2:8: set name is longer than 63 bytes"},
	{V1 "sets: {a: [], a: []}\n", "2:15: duplicate key 'a'"},
	{V1 "sets: {a: [[10.0.0.1]]}\n", "2:12: expected an address or prefix, not a list"},
	{V1 "nat: []\n", "2:6: expected a mapping of keys to values, not a list"},
	{V1 "mode: {routing: nat, hook: xdp}\n",
	 "2:28: routing: nat uses the TC hook: set hook to tc or auto"},
	{V1 "mode: {routing: nat, forwarder_input: af_xdp}\n",
	 "2:39: routing: nat uses the TC hook, which does not reach AF_XDP sockets: set "
	 "forwarder_input to tun or auto"},
	{V1 "mode: {routing: nat, stateful: false}\n",
	 "2:32: routing: nat needs connection tracking, or answers could not be translated back"},
	{V1 "nat: {uplinks: []}\n", "2:16: from 1 to 16 uplinks can be named"},
	{V1 "nat: {uplinks: [a-name-that-is-long]}\n",
	 "2:17: 'a-name-that-is-long' is not an interface name"},
	{V1 "nat: {source: eth0}\n", "2:15: 'eth0' is not an address"},
	{V1 "nat: {port_range: 80-90}\n", "2:19: ports below 1024 are not for flows of peers"},
	{V1 "nat: {snat: []}\n", "2:7: unknown key 'snat'"},
	{V1 "nat: {one_to_one: {}}\n", "2:19: expected a list, not a mapping of keys to values"},
	{V1 "nat: {one_to_one: [{original: 10.0.0.1}]}\n", "2:20: key 'translated' is missing"},
	{V1 "nat: {one_to_one: [{translated: 10.0.0.1}]}\n", "2:20: key 'original' is missing"},
	{V1 "nat: {one_to_one: [{original: 10.0.0.1, translated: '2001:db8::1'}]}\n",
	 "2:53: mixed families: an IPv4 address translates to an IPv4 address, IPv6 to IPv6"},
	{V1 "nat: {one_to_one: [{original: 10.0.0.0/24, translated: 10.1.0.0/24}]}\n",
	 "2:31: '10.0.0.0/24' is not an address"},
	{V1 "nat: {one_to_one: [{original: 10.0.0.1, translated: 10.1.0.1}, {original: 10.0.0.1, "
	    "translated: 10.1.0.2}]}\n",
	 "2:64: duplicate original address"},
	{V1 "nat: {one_to_one: [{original: 10.0.0.1, translated: 10.1.0.1}, {original: 10.0.0.2, "
	    "translated: 10.1.0.1}]}\n",
	 "2:64: duplicate translated address"},
	{V1 "nat: {one_to_one: [{original: any, translated: 10.1.0.1}]}\n",
	 "2:31: 'any' is not an address"},
	{V1 "nat: {one_to_one: [{original: 10.0.0.1, translated: 10.1.0.1, x: 1}]}\n",
	 "2:63: unknown key 'x'"},
	{V1 "nat: {one_to_one: [a]}\n",
	 "2:20: expected a mapping of keys to values, not a single value"},
	{V1 "nat: {port: [{protocol: icmp, port: 1, to: 2}]}\n",
	 "2:25: expected tcp or udp, not 'icmp'"},
	{V1 "nat: {port: [{protocol: tcp, port: 0, to: 2}]}\n",
	 "2:36: '0' is not a number from 1 to 65535"},
	{V1 "nat: {port: [{protocol: tcp, port: 1, to: 65536}]}\n",
	 "2:43: '65536' is not a number from 1 to 65535"},
	{V1 "nat: {port: [{protocol: tcp, port: 1-2, to: 2}]}\n",
	 "2:36: '1-2' is not a number from 1 to 65535"},
	{V1 "nat: {port: [{port: 1, to: 2}]}\n", "2:14: key 'protocol' is missing"},
	{V1 "nat: {port: [{protocol: tcp, to: 2}]}\n", "2:14: key 'port' is missing"},
	{V1 "nat: {port: [{protocol: tcp, port: 1}]}\n", "2:14: key 'to' is missing"},
	{V1 "nat: {port: [{protocol: tcp, port: 1, to: 2, address: any}]}\n",
	 "2:55: 'any' is not an address"},
	{V1 "nat: {port: [{protocol: tcp, port: 1, to: 2}, {protocol: udp, port: 1, to: 2}, "
	    "{protocol: tcp, port: 1, to: 3}]}\n",
	 "2:80: duplicate address, protocol and port"},
	{V1 "nat: {port: [{protocol: tcp, port: 1, to: 2}]}\nmode: {stateful: false}\n",
	 "2:7: port translation needs mode.stateful, or replies could not be translated back"},
	{V1 "mode: &m {hook: tc}\n", "2:10: anchors and aliases are not supported"},
	{V1 "mode: *m\n", "2:7: anchors and aliases are not supported"},
	{V1 "mode: !!map {hook: tc}\n", "2:13: tags are not supported"},
	{V1 "mode: !x {hook: tc}\n", "2:10: tags are not supported"},
	{V1 "mss_clamp: !!bool true\n", "2:19: tags are not supported"},
	{V1 "mss_clamp: &x true\n", "2:15: anchors and aliases are not supported"},
	{V1 "<<: {mss_clamp: true}\n", "2:1: unknown key '<<'"},
	{V1 "? [a]\n: b\n", "2:3: a key must be a word"},
	{V1 "? {a: b}\n: b\n", "2:3: a key must be a word"},
	{V1 "---\nversion: 1\n", "2:1: a second document begins here"},
	{V1 "...\nfoo: 1\n", "2:1: a second document begins here"},
	{V1 "mode: [\n", "3:1: flow sequence without a closing bracket"},
	{V1 "mode: {hook: tc\n", "3:1: missing comma in flow mapping"},
	{V1 "mode: 'x\n", "2:8: single-quoted scalar without closing quote"},
	{V1 "\tmode: {}\n", "1:10: invalid multiline plain key"},
	{V1 "mode: {hook: tc}}\n", "2:17: flow mapping with invalid extra closing brace"},
	{V1 "- a\n", "2:1: did not find expected key"},
	{V1 "x: y: z\n", "2:5: invalid nested block mapping on the same line"},
	{V1 "@a\n", "2:1: plain scalar cannot start with '@'"},
	{V1 "%a b\n", "2:1: directive after the beginning of the content"},
	{V1 "mode: {hook: \"\\q\"}\n", "2:15: invalid escape 'q' in double-quoted string"},
	{V1 "a b\n", "2:1: invalid value after mapping"},
	{V1 "mo\377de: {}\n", "2:3: not UTF-8"},
	{V1 "# caf\351\n", "2:6: not UTF-8"},
	{V1 "# \007\n", "2:3: control character"},
	{"version: 1\r\nmode:\r\n  hook: foo\r\n", "3:9: expected auto, xdp or tc, not 'foo'"},
	{"\357\273\277version: 2\n", "1:10: version must be 1"},
	{"{\"version\": 1, \"mode\": {\"hook\": \"foo\"}}",
	 "1:33: expected auto, xdp or tc, not 'foo'"},
	{"  {\"version\": 2}", "1:15: version must be 1"},
	{"# c\n{\"version\": 1,\n \"mss_clamp\": 1}", "3:15: expected true or false, not '1'"},
	{"{\"version\": 1,}x", "1:16: missing document start"},
	{V1 "# \303\251\303\251\nmode: {\303\251: 1}\n", "3:8: unknown key '\303\251'"},
	{V1 "mode: {\"\303\251\": 1, x: 2}\n", "2:8: unknown key '\303\251'"},
	{"a: &a [x,x]\nb: &b [*a,*a]\n", "1:7: anchors and aliases are not supported"},
	{"'version': 2\n", "1:12: version must be 1"},
	{"\"version\": 1\n\"mode\": 3\n",
	 "2:9: expected a mapping of keys to values, not a single value"},
	{"- - - - - - - - - - - - - - - - - - - - a\n", "1:33: nested more than 16 deep"},
	{"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "1:17: nested more than 16 deep"},
	{"--- {version: 2}\n", "1:15: version must be 1"},
	{"--- \n{version: 2}\n", "2:11: version must be 1"},
	{"\t{\"version\": 2}", "1:14: version must be 1"},
	{"\"mode\": {}\n", "1:1: key 'version' is missing"},
	{V1 "peer_acl:\n  - \"id\": a\n", "3:5: key 'action' is missing"},
	{"%YAML 1.2\n---\nversion: 2\n", "3:10: version must be 1"},
	{"%FOO x\n---\nversion: 2\n", "3:10: version must be 1"},
	{"%xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxx\n---\nversion: 1\n",
	 "1:1: directive too long"},
	{"%YAML 1.2\n---\n{version: 2}\n", "3:11: version must be 1"},
	{"%TAG ! tag:x,2000:\n---\nversion: 2\n", "3:10: version must be 1"},
	{"\n\n  [version]\n", "3:3: expected a mapping of keys to values, not a list"},
	{"{\n  \"version\": 2\n}\n", "2:14: version must be 1"},
};

static void assert_refused(const char *text, size_t len, const char *wanted)
{
	struct policy *policy = NULL;
	struct error error = {0};

	assert_int_equal(policy_parse("p", text, len, &policy, &error), -EINVAL);
	assert_null(policy);
	assert_true(error.invalid_input);
	assert_int_equal(strncmp(error.text, "p:", 2), 0);
	assert_string_equal(error.text + 2, wanted);
}

static void each_mistake_is_reported_with_line_and_column(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_policies) / sizeof(bad_policies[0]); i++)
		assert_refused(bad_policies[i].text, strlen(bad_policies[i].text),
			       bad_policies[i].error);
}

/* What is told of a text, a line each. */
static void note(void *arg, const struct error *error)
{
	char *all = arg;

	assert_true(error->line > 0 && error->column > 0);
	assert_true(error->what > 2 && error->what < strlen(error->text));
	strcat(strcat(all, error->text + 2), "\n");
}

static void all_mistakes_are_told_and_none_that_follows_from_another(void **state)
{
	static const char text[] =
		"version: 2\n"
		"mode: {routing: sideways, statefull: true}\n"
		"peer_acl:\n"
		"  - {id: a, action: alow, source: [10.0.0.1/8, 300.1.1.1], protocol: tcp,\n"
		"     destination_ports: [22, 99999, x]}\n"
		"  - {id: a, action: allow, protocol: tpc, destination_ports: [22]}\n"
		"  - {action: allow}\n"
		"  - 7\n"
		"nat: {one_to_one: [{original: 10.0.0.1}], port: [{protocol: icmp}]}\n"
		"limits: {tcp: 0}\n"
		"sets: {s: [10.0.0.1/33], t: 7}\n"
		"route_acl: {rule: {id: a}}\n";
	static const char wanted[] =
		"1:10: version must be 1\n"
		"11:12: '10.0.0.1/33' has a prefix length that is not 0-32\n"
		"11:29: '7' is not an address or prefix\n"
		"2:17: expected auto, native, userspace, disabled or nat, not 'sideways'\n"
		"2:27: unknown key 'statefull'\n"
		"4:21: expected deny or allow, not 'alow'\n"
		"4:36: '10.0.0.1/8' has host bits set; write 10.0.0.0/8\n"
		"4:48: '300.1.1.1' is not an address or prefix\n"
		"5:30: '99999' is not a port or range of ports (0-65535)\n"
		"5:37: 'x' is no service of /etc/services\n"
		"6:38: unknown protocol 'tpc' (tcp, udp, icmp, icmpv6, all, 0-255 or a name of "
		"/etc/protocols)\n"
		"7:5: key 'id' is missing\n"
		"8:5: expected a mapping of keys to values, not a single value\n"
		"9:20: key 'translated' is missing\n"
		"9:61: expected tcp or udp, not 'icmp'\n"
		"9:50: key 'port' is missing\n"
		"10:15: '0' is not a number from 1 to 16777216\n"
		"12:12: expected a list, not a mapping of keys to values\n"
		"6:10: duplicate id 'a', which line 4 has already\n";
	char all[4096] = "";
	const struct policy_text source = {
		.path = "p",
		.text = text,
		.len = sizeof(text) - 1,
		.on_error = note,
		.arg = all,
	};
	struct policy *policy = NULL;
	struct error error = {0};

	(void)state;
	assert_int_equal(policy_read(&source, &policy, &error), -EINVAL);
	assert_null(policy);
	assert_string_equal(all, wanted);
}

static void a_nul_byte_is_refused_where_it_stands(void **state)
{
	static const char text[] = V1 "mode: {}\0\n";

	(void)state;
	assert_refused(text, sizeof(text) - 1, "2:9: NUL byte");
}

static void a_long_path_leaves_room_for_the_message(void **state)
{
	struct policy *policy = NULL;
	struct error error = {0};
	char path[3000];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(policy_parse(path, "[]", 2, &policy, &error), -EINVAL);
	assert_non_null(strstr(error.text, "xxx:1:1: expected a mapping"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_reported_with_line_and_column),
		cmocka_unit_test(all_mistakes_are_told_and_none_that_follows_from_another),
		cmocka_unit_test(a_nul_byte_is_refused_where_it_stands),
		cmocka_unit_test(a_long_path_leaves_room_for_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
