#include "rm-agent/handle.h"

#include <limits.h>

int treaty_fd(struct treaty *t)
{
	int fd;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	fd = transport_fd(t->agent->transport);
	handle_leave(t);
	return fd;
}

int treaty_next_deadline(struct treaty *t)
{
	uint64_t at, now;
	int rc = handle_enter(t);

	if (rc != OK)
		return -1;
	handle_lock(t);
	at = runner_waiting(t) ? 0 : loop_deadline(t);
	handle_unlock(t);
	handle_leave(t);
	now = clock_ms();
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : -1;
}

int treaty_process(struct treaty *t, unsigned handlers)
{
	bool left;
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	if (t->agent->threaded) {
		handle_leave(t);
		return agent_fail(E_STATE, "treaty_process: this handle has "
					   "threads of its own");
	}
	handle_lock(t);
	loop_turn(t);
	for (; handlers > 0 && runner_waiting(t); handlers--)
		runner_run(t);
	left = runner_waiting(t);
	handle_unlock(t);
	handle_leave(t);
	return left ? E_AGAIN : OK;
}
