/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/heartbeat.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/error.h"

/**
 * heartbeat_new() - Make the page that parent and child share
 * @hang_ns: of silence, after which a child hangs
 * @pulse: becomes that of a child that has not begun yet
 * @error: why not
 *
 * Return: 0 or -errno.
 */
int heartbeat_new(uint64_t hang_ns, struct pulse *pulse, struct error *error)
{
	void *page = mmap(NULL, sizeof(*pulse->heartbeat), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return error_set(error, errno, "no memory for a heartbeat: %s", strerror(errno));
	*pulse = (struct pulse){.heartbeat = page, .hang_ns = hang_ns};
	return 0;
}

/**
 * heartbeat_free() - Unmap the page, if there is one
 */
void heartbeat_free(struct pulse *pulse)
{
	if (pulse->heartbeat)
		munmap(pulse->heartbeat, sizeof(*pulse->heartbeat));
	pulse->heartbeat = NULL;
}

/**
 * heartbeat_reset() - Another child is about to be started
 */
void heartbeat_reset(struct pulse *pulse)
{
	*pulse->heartbeat = (struct heartbeat){};
	*pulse = (struct pulse){.heartbeat = pulse->heartbeat, .hang_ns = pulse->hang_ns};
}

/* A process that sleeps without a limit shows nothing when it is stopped; the kernel tells. */
static void look_whether_stopped(struct pulse *pulse, pid_t pid)
{
	siginfo_t info = {};

	if (!waitid(P_PID, pid, &info, WSTOPPED | WCONTINUED | WNOHANG) && info.si_pid)
		pulse->is_stopped = info.si_code != CLD_CONTINUED;
}

static bool is_at_work(uint32_t beats)
{
	return beats & 1;
}

/* At the last look all was as it is now. */
static uint64_t silent_since(const struct pulse *pulse, uint32_t beats, uint64_t wakes_ns)
{
	return is_at_work(beats) || wakes_ns < pulse->looked_ns ? pulse->looked_ns : wakes_ns;
}

/**
 * heartbeat_look() - Look for a sign of life of the child
 * @pid: a child of this process
 * @is_ready: it has begun with its turns
 * @now_ns: CLOCK_MONOTONIC
 *
 * Return: whether it shows none that was due, and hangs: for @pulse->hang_ns, and in HANG_LOOKS
 * looks, as it may have been unable to run when this process was.
 */
enum heartbeat_state heartbeat_look(struct pulse *pulse, pid_t pid, bool is_ready, uint64_t now_ns)
{
	uint32_t beats = __atomic_load_n(&pulse->heartbeat->beats, __ATOMIC_ACQUIRE);
	uint64_t wakes_ns = __atomic_load_n(&pulse->heartbeat->wakes_ns, __ATOMIC_ACQUIRE);
	bool is_due = is_ready && (is_at_work(beats) || now_ns > wakes_ns);

	look_whether_stopped(pulse, pid);
	if (beats != pulse->beats || !(is_due || pulse->is_stopped))
		pulse->silences = 0;
	else if (!pulse->silences++)
		pulse->since_ns = is_due ? silent_since(pulse, beats, wakes_ns) : now_ns;
	pulse->beats = beats;
	pulse->looked_ns = now_ns;
	if (!pulse->silences)
		return HEARTBEAT_ALIVE;
	return pulse->silences >= HANG_LOOKS && now_ns - pulse->since_ns >= pulse->hang_ns
		       ? HEARTBEAT_HANGS
		       : HEARTBEAT_SILENT;
}

/**
 * heartbeat_sleep() - A turn is done
 * @wakes_ns: when the next one begins at the latest; UINT64_MAX: when there is something to do
 */
void heartbeat_sleep(struct heartbeat *heartbeat, uint64_t wakes_ns)
{
	__atomic_store_n(&heartbeat->wakes_ns, wakes_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&heartbeat->beats, heartbeat->beats + 1, __ATOMIC_RELEASE);
}

/**
 * heartbeat_wake() - A turn begins
 */
void heartbeat_wake(struct heartbeat *heartbeat)
{
	__atomic_store_n(&heartbeat->beats, heartbeat->beats + 1, __ATOMIC_RELEASE);
}
