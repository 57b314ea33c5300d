#include "rm-agent/call.h"

/*
 * Numbers come in blocks. When a fifth of a block is left, the next one is
 * asked for, and lies ready when this one is used up.
 */

static void take_block(struct agent *a, const struct msg *reply)
{
	const struct id_block block = { reply->first_id,
					reply->first_id + reply->count };

	/* Another thread's block may have come meanwhile; a third is lost,
	 * which only leaves a gap. */
	if (block.end < block.next)
		return;
	if (a->ids.next == a->ids.end)
		a->ids = block;
	else if (a->ids_spare.next == a->ids_spare.end)
		a->ids_spare = block;
	/* Answers may overtake each other: the lower numbers first. */
	if (a->ids_spare.next != a->ids_spare.end &&
	    a->ids_spare.next < a->ids.next) {
		const struct id_block lower = a->ids_spare;

		a->ids_spare = a->ids;
		a->ids = lower;
	}
}

static void fetched(struct call *c, const struct session_output *end)
{
	struct agent *a = c->t->agent;

	a->ids_wanted = false;
	if (end->err == OK && end->msg.err == 0)
		take_block(a, &end->msg);
	mem_free(&mem_heap, c);
}

/* Locked. Without memory, or when it fails, the next call tries again. */
static void fetch_ahead(struct treaty *t)
{
	struct agent *a = t->agent;
	const struct msg m = { .type = MSG_IDS, .count = a->options.id_block };
	struct call *c;

	if (a->ids_wanted || a->ids_spare.next != a->ids_spare.end ||
	    a->ids.end - a->ids.next > a->options.id_block / 5)
		return;
	c = mem_alloc(&mem_heap, sizeof *c);
	if (!c)
		return;
	c->t = t;
	c->then = fetched;
	a->ids_wanted = true;
	if (call_later(t, &m, a->options.request_timeout_ms, c) != OK) {
		a->ids_wanted = false;
		mem_free(&mem_heap, c);
	}
}

/* Locked. */
static bool take_one(struct treaty *t, uint64_t *id)
{
	struct agent *a = t->agent;

	if (a->ids.next == a->ids.end) {
		a->ids = a->ids_spare;
		a->ids_spare = (struct id_block){ 0 };
	}
	if (a->ids.next == a->ids.end)
		return false;
	*id = a->ids.next++;
	fetch_ahead(t);
	return true;
}

static int fetch_now(struct treaty *t)
{
	const struct msg m = { .type = MSG_IDS,
			       .count = t->agent->options.id_block };
	struct call c = { 0 };
	int rc = call_wait(t, &m, t->agent->options.request_timeout_ms,
			   "reserve ids", &c);

	if (rc == E_UNKNOWN)
		rc = E_TIMEOUT; /* a lost block is only a gap */
	if (rc == OK && c.reply.err != 0)
		rc = call_refused(&c, "reserve ids", (struct bytes){ 0 });
	if (rc == OK && c.reply.count == 0)
		rc = agent_fail(E_CORRUPT, "reserve ids: the coordinator "
					   "gave an empty block");
	if (rc == OK) {
		handle_lock(t);
		take_block(t->agent, &c.reply);
		handle_unlock(t);
	}
	call_fini(&c);
	return rc;
}

static int next(struct treaty *t, uint64_t *id)
{
	int rc = OK;
	bool got = false;

	while (rc == OK && !got) {
		handle_lock(t);
		got = take_one(t, id);
		handle_unlock(t);
		if (!got)
			rc = fetch_now(t);
	}
	return rc;
}

int treaty_id_next(struct treaty *t, uint64_t *id)
{
	int rc = handle_enter(t);

	if (rc != OK)
		return rc;
	rc = next(t, id);
	handle_leave(t);
	return rc;
}
