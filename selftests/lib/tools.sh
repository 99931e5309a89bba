# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The programs that tests and demo use beside the command itself.

# build_tools: into $WORK/tools, which TOOLS names from then on; unless make has built them
build_tools() {
	local flags="-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra" tool
	[ -n "${TOOLS:-}" ] && return
	export TOOLS=$WORK/tools
	mkdir "$TOOLS"
	for tool in peer tunpump hooks storm flood dial; do
		# shellcheck disable=SC2086
		${CC:-cc} $flags -o "$TOOLS/$tool" "$SELFTESTS/tools/$tool.c" \
			$([ $tool = hooks ] && echo -lbpf) || complain "cannot build tools/$tool.c"
	done
}
