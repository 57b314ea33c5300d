#include "tc/core/model.h"

/*
 * The invariants of the whole, for tests and the simulator.
 *
 *   I1  a branch is on one transaction's list, in order of its id, and in the
 *       map; the transaction's counters are what the list says
 *   I2  before the decision is durable no branch has a place in phase two;
 *       after it every unfinished one has
 *   I3  a transaction that decided to commit holds no lock; a finished branch
 *       holds none
 *   I4  who waits for a lock belongs to a transaction in Begin
 *   I5  nothing that has ended is still on the roll
 *   I6  timers are there for exactly what is in flight, due, in Begin, waiting
 *   I7  who is asked about a message is asked only in Begin; a message has
 *       deliveries only, and only a delivery has what belongs to one
 *   I8  dead letters are counted, and jobs by their place
 */

void job_check(const struct job *j)
{
	bool timed = j->place == PLACE_FLIGHT || j->place == PLACE_DUE;
	bool listed = j->place == PLACE_FLIGHT || j->place == PLACE_QUEUED ||
		      j->place == PLACE_SILENT;

	REQUIRE((j->timer.node.at != 0) == timed); /* I6 */
	REQUIRE(!list_empty(&j->at) == listed);
	REQUIRE((j->peer != NULL) == (j->place == PLACE_FLIGHT));
}

static void check_place(const struct branch *b)
{
	job_check(&b->job);
	if (!b->gtx->started || branch_finished(b->status))
		REQUIRE(b->job.place == PLACE_NONE); /* I2 */
	else
		REQUIRE(b->job.place != PLACE_NONE);
	if (b->job.place == PLACE_HUNG)
		REQUIRE(branch_hung(b->status));
}

static void check_branch(const struct core *c, const struct branch *b)
{
	const struct gtx *g = b->gtx;

	REQUIRE(branch_find(c, b->id) == b); /* I1 */
	check_place(b);
	if (branch_finished(b->status) || gtx_deciding_commit(g->status))
		REQUIRE(!b->locks); /* I3 */
	else
		REQUIRE(!b->locks || b->locks->claimed);
	for (size_t i = 0; b->locks && i < b->locks->n; i++)
		REQUIRE(b->locks->locks[i]->owner == &g->party);
}

static void check_any(const struct core *c, const struct gtx *g)
{
	REQUIRE((g->kind == KIND_SAGA) == (g->saga != NULL));
	REQUIRE(!tombs_find(&c->tombs, g->party.number)); /* I5 */
}

static void check_message(const struct gtx *g)
{
	if (g->check) {
		job_check(&g->check->job);
		REQUIRE(g->kind == KIND_MESSAGE && g->check->gtx == g);
	}
	REQUIRE(!check_is_asked(g) || g->status == GTX_BEGIN); /* I7 */
	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		REQUIRE(g->kind == KIND_PLAIN || b->mode == MODE_MSG);
		REQUIRE((b->delivery != NULL) == (b->mode == MODE_MSG));
	}
}

static size_t dead_letters(const struct gtx *g)
{
	size_t n = 0;

	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		n += b->mode == MODE_MSG && branch_hung(b->status);
	}
	return n;
}

static void check_gtx(const struct core *c, const struct gtx *g)
{
	size_t listed = 0, open = 0, hung = 0, held = 0;
	uint64_t last = 0;

	LIST_EACH(node, &g->branches) {
		struct branch *b = CONTAINER_OF(node, struct branch, of_gtx);

		REQUIRE(b->gtx == g && b->id > last); /* I1 */
		last = b->id;
		listed++;
		open += !branch_finished(b->status);
		hung += branch_hung(b->status);
		held += b->locks ? b->locks->n : 0;
		check_branch(c, b);
	}
	REQUIRE(listed == g->n_listed && open == g->n_open &&
		hung == g->n_hung && held == g->party.n_held);
	REQUIRE(g->n_branches >= listed);
	REQUIRE(g->status == GTX_BEGIN || open > 0); /* I5 */
	REQUIRE(g->status != GTX_BEGIN || hung == 0);
	REQUIRE(gtx_status_hung((int)g->status) == (hung > 0));
	REQUIRE((g->timer.node.at != 0) ==
		(g->status == GTX_BEGIN && !check_is_asked(g))); /* I6 */
	check_message(g);
	REQUIRE(g->party.closing == gtx_deciding_rollback(g->status));
	LIST_EACH(node, &g->party.waits)
		REQUIRE(g->status == GTX_BEGIN); /* I4 */
}

static void count_jobs(const struct gtx *g, size_t jobs[PLACES])
{
	LIST_EACH(node, &g->branches)
		jobs[CONTAINER_OF(node, struct branch, of_gtx)->job.place]++;
	if (g->check)
		jobs[g->check->job.place]++;
	if (!g->saga)
		return;
	LIST_EACH(node, &g->saga->calls)
		jobs[CONTAINER_OF(node, struct call, of_run)->job.place]++;
}

void core_check(const struct core *c)
{
	size_t branches = 0, waiters = 0, dead = 0, jobs[PLACES] = { 0 };

	lock_table_check(&c->locks);
	peers_check(&c->peers);
	topics_check(&c->topics);
	for (struct gtx *g = roll_after(&c->roll, 0); g && c->ready;
	     g = roll_after(&c->roll, g->party.number)) {
		check_any(c, g);
		if (g->saga)
			saga_check(c, g);
		else
			check_gtx(c, g);
		count_jobs(g, jobs);
		branches += g->n_listed;
		dead += dead_letters(g);
		LIST_EACH(node, &g->party.waits)
			waiters++;
	}
	if (c->ready)
		REQUIRE(branches == c->branches.count &&
			dead == c->n_dead_letters); /* I8 */
	for (int p = PLACE_NONE + 1; p < PLACES && c->ready; p++)
		REQUIRE(jobs[p] == c->n_jobs[p]); /* I8 */
	if (c->ready)
		sagas_check(c);
	REQUIRE(waiters == c->n_waiters);
	REQUIRE(c->stored <= c->seq);
	REQUIRE(c->ids.first > 0 && c->ids.first <= c->ids.next);
	REQUIRE(c->ids.next <= c->ids.end && c->ids.end <= c->ids.asked);
	REQUIRE(c->timers.count <= c->n_timers);
}
