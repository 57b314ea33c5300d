#include "tc/core/model.h"

#include "base/xid.h"

#include <inttypes.h>

/*
 * The back-check of a message.
 *
 *   Begin --timeout_ms--> asked --COMMITTED--> the decision is commit
 *                        ^    |---ROLLBACKED-> the decision is rollback
 *                        |    v
 *                        +- open, in progress, not known, no answer
 *
 * What the producer's side says is final: "committed" is a fact, and who says
 * "rolled back" has made sure that it stays so (the barrier). So such an answer
 * counts whichever attempt it answers. Anything else is no answer; nobody gives
 * up, as neither outcome may be guessed.
 */

static struct back_check *check_of(const struct job *j)
{
	return CONTAINER_OF((struct job *)(uintptr_t)j, struct back_check, job);
}

/* ---- being ---- */

static void free_check(struct core *c, struct back_check *ch)
{
	job_fini(c, &ch->job);
	model_free_bytes(c->mem, ch->participant);
	model_free_bytes(c->mem, ch->error);
	mem_free(c->mem, ch);
}

int check_new(struct core *c, struct gtx *g, const struct back_check_spec *spec)
{
	struct back_check *ch = mem_alloc(c->mem, sizeof *ch);

	if (!ch)
		return E_NOMEM;
	if (job_init(c, &ch->job, JOB_CHECK) != OK) {
		mem_free(c->mem, ch);
		return E_NOMEM;
	}
	ch->gtx = g;
	ch->job.timeout_ms = spec->call_timeout_ms;
	if (lane_get(&ch->job.lane, &c->peers, spec->resource, BYTES(""),
		     true) != OK ||
	    model_dup(&ch->participant, c->mem, spec->participant) != OK) {
		free_check(c, ch);
		return E_NOMEM;
	}
	g->check = ch;
	return OK;
}

void check_free(struct core *c, struct gtx *g)
{
	if (g->check)
		free_check(c, g->check);
	g->check = NULL;
}

bool check_is_asked(const struct gtx *g)
{
	return g->check && g->check->job.place != PLACE_NONE;
}

void check_stop(struct core *c, struct gtx *g)
{
	if (g->check)
		job_place(c, &g->check->job, PLACE_NONE);
}

/* ---- asking ---- */

int check_ask(struct core *c, struct gtx *g)
{
	struct back_check *ch = g->check;
	struct bytes who = ch->job.lane->resource->name;

	row_history(
		c,
		&(struct history){
			.gtx = g->party.number,
			.kind = HISTORY_SENT,
			.text = fx_printf(
				&c->fx,
				"undecided after %" PRIu64
				" ms: %.*s is asked whether it was committed",
				c->now_ms - g->began_ms, (int)who.len,
				(const char *)who.data),
		});
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	timer_stop(c, &g->timer);
	job_queue(c, &ch->job);
	return OK;
}

/* Who has deliveries is in doubt, the others have nothing to lose. */
int gtx_timeout(struct core *c, struct gtx *g)
{
	if (g->check && g->n_open > 0)
		return check_ask(c, g);
	return decide(c, g, GTX_EV_TIMEOUT, NULL);
}

static void check_command(struct core *c, const struct job *j,
			  struct command *out)
{
	const struct back_check *ch = check_of(j);

	(void)c;
	out->type = COMMAND_CHECK;
	out->mode = MODE_MSG;
	out->participant = ch->participant;
}

static void check_sent(struct core *c, struct job *j)
{
	(void)j;
	c->stats.checks++;
}

static uint64_t check_gtx(const struct job *j)
{
	return check_of(j)->gtx->party.number;
}

/* ---- answers ---- */

/* Not known. The history hears it once, until something else is said. */
static int ask_again(struct core *c, struct back_check *ch, struct bytes text)
{
	struct bytes error;

	text = model_cut(text, c->config.text_max);
	if (!bytes_equal(text, ch->error))
		row_history(c, &(struct history){
				       .gtx = ch->gtx->party.number,
				       .kind = HISTORY_FAILED,
				       .attempt = ch->job.attempts,
				       .text = fx_printf(
					       &c->fx,
					       "check %" PRIu32
					       ": not known yet, to be asked "
					       "again: %.*s",
					       ch->job.attempts, (int)text.len,
					       (const char *)text.data),
			       });
	if (!fx_ok(&c->fx) || model_dup(&error, c->mem, text) != OK)
		return E_NOMEM;
	model_free_bytes(c->mem, ch->error);
	ch->error = error;
	ch->job.failures++;
	job_due(c, &ch->job, job_back_off(c, ch->job.failures));
	return OK;
}

static int check_lost(struct core *c, struct job *j, struct bytes error)
{
	return ask_again(c, check_of(j), error);
}

static struct bytes what_it_said(const struct branch_done *done)
{
	if (done->error.len > 0)
		return done->error;
	if (done->in_progress || done->status == BRANCH_COMMIT_RETRYABLE ||
	    done->status == BRANCH_ROLLBACK_RETRYABLE)
		return BYTES("the local transaction is still open");
	return BYTES("no answer that says yes or no");
}

static int settle(struct core *c, struct back_check *ch, bool committed)
{
	struct bytes who = ch->job.lane->resource->name;
	struct bytes why =
		fx_printf(&c->fx, "%.*s says that the local transaction was %s",
			  (int)who.len, (const char *)who.data,
			  committed ? "committed" : "rolled back");

	if (!fx_ok(&c->fx))
		return E_NOMEM;
	return decide_because(c, ch->gtx,
			      committed ? GTX_EV_COMMIT : GTX_EV_ROLLBACK, why);
}

static struct back_check *asked_about(const struct core *c, struct bytes xid)
{
	struct bytes coordinator;
	uint64_t number;
	struct gtx *g;

	if (xid_parse(xid, &coordinator, &number) != OK ||
	    !bytes_equal(coordinator, c->config.coordinator))
		return NULL;
	g = gtx_find(c, number);
	return g && check_is_asked(g) ? g->check : NULL;
}

int check_answered(struct core *c, const struct branch_done *done)
{
	struct back_check *ch = asked_about(c, done->xid);

	if (!ch || ch->job.attempts == 0)
		return OK;
	if (!done->in_progress && done->status == BRANCH_COMMITTED)
		return settle(c, ch, true);
	if (!done->in_progress && done->status == BRANCH_ROLLBACKED)
		return settle(c, ch, false);
	if (!job_answered_by(&ch->job, done))
		return OK;
	return ask_again(c, ch, what_it_said(done));
}

const struct job_hooks message_job = {
	.command = check_command,
	.sent = check_sent,
	.lost = check_lost,
	.gtx = check_gtx,
};
