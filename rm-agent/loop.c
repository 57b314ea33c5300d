#include "rm-agent/handle.h"

#include "base/log.h"
#include "rm-agent/call.h"

#include <limits.h>
#include <signal.h>

/* Messages that one turn reads before others get the lock. */
#define READ_MAX 256
/* When the transport takes nothing, it is asked again that often even if it
 * does not say that it can. */
#define BLOCKED_MS 20
/* The transport does not tell when there is a new connection, and over it
 * nothing comes before our hello, so it is asked that often. */
#define LOOK_MS 500
/* While a call does the loop's work the loop's thread stays away, and looks
 * that often whether it is wanted again. Waking it after each call would cost
 * more than commands that come this much later. */
#define PARK_MS 2

static void keep_coordinator(struct agent *a, struct bytes name)
{
	if (name.len >= sizeof a->coordinator)
		name.len = 0;
	if (name.len > 0)
		memcpy(a->coordinator, name.data, name.len);
	a->coordinator[name.len] = '\0';
}

/* If it fails the session asks for it again. */
static void reconnect(struct agent *a)
{
	const char *why;

	LOG_WARN("the coordinator is silent, connecting anew",
		 LOG_S("address", transport_address(a->transport)));
	if (transport_reconnect(a->transport, &why) != OK)
		LOG_ERROR("cannot connect, trying again soon; are file "
			  "descriptors or memory used up?",
			  LOG_S("address", transport_address(a->transport)),
			  LOG_S("error", why));
}

static void output(struct treaty *t, const struct session_output *out)
{
	struct agent *a = t->agent;

	switch (out->type) {
	case SESSION_DONE:
		if (out->tag)
			call_end(out->tag, out);
		if (t->state != HANDLE_OPEN)
			(void)pthread_cond_broadcast(&t->changed);
		break;
	case SESSION_COMMAND:
		runner_accept(t, &out->msg);
		break;
	case SESSION_RECONNECT:
		reconnect(a);
		break;
	case SESSION_WELCOMED:
		keep_coordinator(a, out->msg.coordinator);
		LOG_INFO("connected to the coordinator",
			 LOG_S("address", transport_address(a->transport)),
			 LOG_B("coordinator", out->msg.coordinator));
		break;
	case SESSION_BYE:
		LOG_WARN("the coordinator sends us away",
			 LOG_S("address", transport_address(a->transport)),
			 LOG_S("code", err_name(out->err)),
			 LOG_B("error", out->text));
		break;
	}
}

void loop_outputs(struct treaty *t)
{
	struct session_output out;

	while (session_take(t->agent->session, &out))
		output(t, &out);
}

static bool read_one(struct treaty *t, uint64_t now_ms)
{
	struct agent *a = t->agent;
	struct bytes body;
	int rc;

	if (transport_receive(a->transport, &body) != OK)
		return false;
	rc = session_receive(a->session, body, now_ms);
	if (rc == OK)
		loop_outputs(t);
	else
		LOG_WARN("a message of the coordinator was dropped",
			 LOG_S("code", err_name(rc)), LOG_U("bytes", body.len));
	transport_free(body);
	return true;
}

static void send_queued(struct agent *a)
{
	struct bytes body;

	a->blocked = false;
	while (!a->blocked && session_next(a->session, &body)) {
		if (transport_send(a->transport, body, ++a->sp_id) == OK)
			session_sent(a->session, clock_ms());
		else
			a->blocked = true;
	}
	transport_watch_send(a->transport, a->blocked);
}

void loop_turn(struct treaty *t)
{
	struct agent *a = t->agent;
	uint64_t now;

	if (transport_renewed(a->transport))
		session_connected(a->session, clock_ms());
	now = clock_ms();
	for (int i = 0; i < READ_MAX && read_one(t, now); i++)
		;
	if (session_deadline(a->session) <= now)
		session_time(a->session, now);
	loop_outputs(t);
	send_queued(a);
}

uint64_t loop_deadline(const struct treaty *t)
{
	uint64_t at = session_deadline(t->agent->session);
	uint64_t again =
		clock_ms() + (t->agent->blocked ? BLOCKED_MS : LOOK_MS);

	return again < at ? again : at;
}

void loop_flush(struct treaty *t)
{
	struct agent *a = t->agent;
	uint64_t at;

	send_queued(a);
	at = loop_deadline(t);
	if (a->pump_sleeps) {
		if (at < a->pump_until_ms)
			call_wake(t);
	} else if (!a->pump && a->loop_runs && at < a->loop_until_ms) {
		transport_wake(a->transport);
	}
}

int loop_timeout(uint64_t until_ms)
{
	uint64_t now = clock_ms();

	if (until_ms <= now)
		return 0;
	return until_ms - now < INT_MAX ? (int)(until_ms - now) : -1;
}

void loop_wait(struct treaty *t, uint64_t until_ms)
{
	transport_wait(t->agent->transport, loop_timeout(until_ms));
}

/* ---- the thread ---- */

static void park(struct treaty *t)
{
	t->agent->loop_until_ms = clock_ms() + PARK_MS;
	handle_unlock(t);
	transport_park(t->agent->transport, PARK_MS);
	handle_lock(t);
}

static void work_and_wait(struct treaty *t)
{
	uint64_t until;

	loop_turn(t);
	until = t->agent->loop_until_ms = loop_deadline(t);
	handle_unlock(t);
	loop_wait(t, until);
	handle_lock(t);
}

static void *loop_main(void *arg)
{
	struct treaty *t = arg;

	handle_lock(t);
	while (!t->agent->stop) {
		if (t->agent->pump)
			park(t);
		else
			work_and_wait(t);
		transport_awake(t->agent->transport);
	}
	handle_unlock(t);
	return NULL;
}

/* The program's signals are not for our threads. */
int loop_start(struct treaty *t)
{
	sigset_t every, old;
	int rc;

	(void)sigfillset(&every);
	(void)pthread_sigmask(SIG_SETMASK, &every, &old);
	rc = pthread_create(&t->agent->loop, NULL, loop_main, t);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->agent->loop_runs = rc == 0;
	return rc == 0 ? OK : E_IO;
}

void loop_stop(struct treaty *t)
{
	handle_lock(t);
	t->agent->stop = true;
	handle_unlock(t);
	if (!t->agent->loop_runs)
		return;
	transport_wake(t->agent->transport);
	(void)pthread_join(t->agent->loop, NULL);
	t->agent->loop_runs = false;
}
