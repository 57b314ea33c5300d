#include "tests/fakes/sim_world.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t home_peer(const struct job *j)
{
	return sim.agents[j->home].peer;
}

void sim_job_timer(int job, uint64_t ms)
{
	struct ev *e = sim_ev_new(EVT_JOB_TIMER);

	e->job = job;
	e->number = sim.jobs[job].rq;
	sim_ev_at(e, sim.now + ms);
}

static struct ev *request(int job, enum request_type type, uint64_t peer)
{
	struct job *j = &sim.jobs[job];
	struct ev *e = sim_ev_new(EVT_TO_CORE_REQUEST);

	e->job = job;
	e->rq.type = type;
	e->rq.peer = peer;
	e->rq.id = j->rq;
	memcpy(e->xid, j->xid, sizeof e->xid);
	e->rq.xid = bytes_of(e->xid);
	return e;
}

static void send_register(int job)
{
	struct job *j = &sim.jobs[job];
	struct ev *e = request(job, RQ_REGISTER,
			       sim.agents[j->work[j->at].agent].peer);

	e->rq.mode = j->work[j->at].tcc ? MODE_TCC : MODE_AT;
	snprintf(e->resource, sizeof e->resource, "db%d", j->work[j->at].db);
	e->rq.resource = bytes_of(e->resource);
	e->rq.client_key = (uint64_t)j->at + 1;
	e->rq.wait_ms = sim_dice(3) ? sim_dice(2000) : 0;
	if (!j->work[j->at].tcc) {
		e->key_data[0] = (uint8_t)('a' + j->work[j->at].db);
		e->key_data[1] = (uint8_t)('0' + j->work[j->at].account);
		e->key = (struct bytes){ e->key_data, 2 };
	}
	sim_ev_send(e);
}

static void send_open(int job)
{
	struct job *j = &sim.jobs[job];
	struct ev *e;

	j->tries++;
	sim_job_timer(job, RESEND_MS + sim_dice(200));
	switch (j->state) {
	case JOB_BEGIN:
		e = request(job, RQ_BEGIN, home_peer(j));
		e->rq.xid.len = 0;
		e->rq.timeout_ms = 2000 + sim_dice(8000);
		e->rq.ordered = j->work[0].delta % 5 == 0;
		sim_ev_send(e);
		break;
	case JOB_REGISTER:
		send_register(job);
		break;
	case JOB_REPORT:
		e = request(job, RQ_REPORT,
			    sim.agents[j->work[j->at].agent].peer);
		e->rq.branch = j->work[j->at].branch;
		e->rq.report = BRANCH_PHASE_ONE_FAILED;
		sim_ev_send(e);
		break;
	case JOB_END:
		e = request(job, j->commit ? RQ_COMMIT : RQ_ROLLBACK,
			    home_peer(j));
		e->rq.wait_ms = sim_dice(2) ? ACK_WAIT_MS : 0;
		sim_ev_send(e);
		break;
	case JOB_LOCAL:
	case JOB_OVER:
		break;
	}
}

static void next_request(int job, enum job_state state)
{
	struct job *j = &sim.jobs[job];

	j->state = state;
	j->tries = 0;
	j->rq = ++sim.next_rq;
	send_open(job);
}

void sim_unlock_row(struct job *j, int i)
{
	if (!j->work[i].locked)
		return;
	j->work[i].locked = false;
	sim.bank.row_lock[j->work[i].db][j->work[i].account] = 0;
}

static void end_job(int job, bool commit)
{
	struct job *j = &sim.jobs[job];

	for (int i = 0; i < j->n; i++)
		sim_unlock_row(j, i);
	j->commit = commit;
	if (sim_bad_luck(5)) { /* the service died: the time-out decides */
		j->state = JOB_OVER;
		return;
	}
	next_request(job, JOB_END);
}

/* Begin the next piece of work: local update, then registration. */
static void next_work(int job)
{
	struct job *j = &sim.jobs[job];
	uint64_t *row;

	if (j->at == j->n) {
		end_job(job, sim_dice(5) != 0);
		return;
	}
	row = &sim.bank.row_lock[j->work[j->at].db][j->work[j->at].account];
	if (!j->work[j->at].tcc) {
		if (*row) { /* the database's own lock wait */
			if (j->state != JOB_LOCAL)
				j->tries = 0;
			j->state = JOB_LOCAL;
			j->rq = ++sim.next_rq;
			sim_job_timer(job, 50);
			return;
		}
		*row = (uint64_t)job + 1;
		j->work[j->at].locked = true;
	}
	j->work[j->at].life = sim.agents[j->work[j->at].agent].life;
	next_request(job, JOB_REGISTER);
}

static void registered(int job, const struct reply *r)
{
	struct job *j = &sim.jobs[job];
	int i = j->at;
	bool done = false;

	j->work[i].branch = r->branch;
	if (j->work[i].life == sim.agents[j->work[i].agent].life &&
	    !j->work[i].optional)
		done = bank_do(&sim.bank, j->gtx, r->branch, j->work[i].tcc,
			       j->work[i].db, j->work[i].account,
			       j->work[i].delta);
	sim_unlock_row(j, i);
	sim_trace("job %d branch %" PRIu64 " %s", job, r->branch,
		  done ? "done" : "not done");
	if (done) {
		j->at++;
		next_work(job);
	} else if (j->work[i].optional) {
		bank_fail(&sim.bank, j->gtx, r->branch, j->work[i].tcc,
			  j->work[i].db);
		next_request(job, JOB_REPORT);
	} else {
		end_job(job, false);
	}
}

static void ended(int job, const struct reply *r)
{
	struct job *j = &sim.jobs[job];
	bool yes = r->err == OK;

	sim_trace("job %d %s: %s, %s", job, j->commit ? "commit" : "rollback",
		  err_name(r->err), gtx_status_name((int)r->status));
	j->err = r->err;
	j->answered = r->status;
	j->state = JOB_OVER;
	sim.commits += yes && j->commit;
	sim.rollbacks += yes && !j->commit;
	if (r->err != OK)
		REQUIRE(r->err == E_STATE || r->err == E_NOTFOUND);
}

void sim_on_reply(int job, const struct ev *e)
{
	struct job *j = &sim.jobs[job];
	const struct reply *r = &e->reply;

	if (r->id != j->rq || j->state == JOB_OVER)
		return;
	switch (j->state) {
	case JOB_BEGIN:
		REQUIRE(r->err == OK);
		memcpy(j->xid, e->xid, sizeof j->xid);
		j->gtx = (uint64_t)strtoull(strrchr(j->xid, ':') + 1, NULL, 10);
		sim_trace("job %d is %s", job, j->xid);
		next_work(job);
		break;
	case JOB_REGISTER:
		if (r->err == OK) {
			registered(job, r);
		} else {
			sim_trace("job %d register: %s", job, err_name(r->err));
			end_job(job, false);
		}
		break;
	case JOB_REPORT:
		if (r->err == OK) {
			j->at++;
			next_work(job);
		} else {
			end_job(job, false);
		}
		break;
	case JOB_END:
		ended(job, r);
		break;
	case JOB_LOCAL:
	case JOB_OVER:
		break;
	}
}

void sim_on_timer(int job, uint64_t rq)
{
	struct job *j = &sim.jobs[job];

	if (j->state == JOB_OVER || rq != j->rq)
		return;
	if (j->state == JOB_LOCAL && j->tries++ < 20) {
		next_work(job);
		return;
	}
	/* Give up, but never on an outcome. */
	if (j->state == JOB_LOCAL || (j->state != JOB_END && j->tries > 12)) {
		if (j->state == JOB_BEGIN)
			j->state = JOB_OVER;
		else
			end_job(job, false);
		return;
	}
	send_open(job);
}
