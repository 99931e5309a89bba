# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One test in a shell of its own: one.sh FILE NAME PARAMETER, called by run.  Exit status 0 passed,
# 1 failed and 77 skipped with the reason in $T/why.

set -u

. "$SELFTESTS/lib/test.sh"
. "$SELFTESTS/lib/topology.sh"
. "$SELFTESTS/lib/shrike.sh"

# what run lists
tests() { :; }
alone() { :; }

. "$1"

trap clean_up EXIT
trap 'exit 1' INT TERM HUP
export SHRIKE_BPFFS=$T/bpffs SHRIKE_STATE=$T/state
mkdir "$SHRIKE_BPFFS" && mount -t bpf "$ID" "$SHRIKE_BPFFS" || die "cannot mount a bpffs"
"test_$2" "$3"
