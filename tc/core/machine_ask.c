#include "tc/core/saga_run.h"

#include "tc/core/model.h"

#include <inttypes.h>

/*
 * Machines that are put and dropped, and the list of them.
 */

/* Documents that were put never change: a name and version means the same for
 * ever, or until it is dropped. */
static int answer_existing(struct core *c, const struct request *rq,
			   const struct machine *old)
{
	struct answer a = answer_to(rq, OK);
	struct bytes what;

	if (bytes_equal(old->document, rq->text)) {
		a.existed = true;
		a.name = saga_def_name(old->def);
		a.version = saga_def_version(old->def);
		return answer_give(c, &a, old->seq);
	}
	what = fx_printf(&c->fx,
			 "machine %.*s of version \"%.*s\" is there already "
			 "with another document: give the new one another "
			 "version",
			 (int)saga_def_name(old->def).len,
			 (const char *)saga_def_name(old->def).data,
			 (int)saga_def_version(old->def).len,
			 (const char *)saga_def_version(old->def).data);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	return request_deny(c, rq, E_CONFLICT, (const char *)what.data);
}

static int add(struct core *c, const struct request *rq, struct machine *m)
{
	struct answer a = answer_to(rq, OK);
	struct ask *ask;

	m->added_wall_ms = c->wall_ms;
	a.name = saga_def_name(m->def);
	a.version = saga_def_version(m->def);
	row_put_machine(c, m, true);
	if (!fx_ok(&c->fx) || answer_stage(c, &a, row_seq(c), 0, &ask) != OK) {
		machine_free(&c->sagas.machines, m);
		return E_NOMEM;
	}
	REQUIRE(ids_take(&c->ids, 1) == m->id);
	m->seq = row_seq(c);
	machines_add(&c->sagas.machines, m);
	answer_commit(c, ask);
	return OK;
}

/* What is wrong with it, but for what tc/saga finds. */
static const char *bad_machine(const struct core *c, const struct machine *m)
{
	if (saga_def_name(m->def).len == 0)
		return "a machine that is put needs a name";
	if (saga_def_name(m->def).len > c->config.text_max ||
	    saga_def_version(m->def).len > c->config.text_max)
		return "its name or version is longer than text_max";
	return NULL;
}

int handle_machine_put(struct core *c, const struct request *rq)
{
	struct machines *ms = &c->sagas.machines;
	struct machine *m, *old;
	const char *bad;
	struct buf why;
	int rc;

	if (rq->text.len > c->config.application_data_max)
		return request_deny(c, rq, E_LIMIT,
				    "document longer than "
				    "application_data_max");
	if (!ids_have(&c->ids, 1))
		return request_park(c, rq);
	buf_init(&why, &c->fx.arena.as_mem);
	rc = machine_new(&m, ms, c->ids.next, 0, rq->text, &why);
	if (rc == E_INVALID && buf_error(&why) == OK)
		return request_deny(c, rq, rc, buf_text(&why));
	if (rc != OK)
		return E_NOMEM;
	bad = bad_machine(c, m);
	old = machines_version(ms, saga_def_name(m->def),
			       saga_def_version(m->def));
	if (!bad && !old && ms->n_put < c->config.machines_max)
		return add(c, rq, m);
	machine_free(ms, m);
	if (bad)
		return request_deny(c, rq, E_INVALID, bad);
	if (old)
		return answer_existing(c, rq, old);
	return request_deny(c, rq, E_LIMIT, "more machines than machines_max");
}

/* ---- drop ---- */

static int refuse_drop(struct core *c, const struct request *rq,
		       const struct machine *m)
{
	struct bytes what;
	const char *name = (const char *)rq->name.data;
	int len = (int)rq->name.len;

	if (!m)
		what = fx_printf(&c->fx,
				 "there is no such version of machine "
				 "%.*s",
				 len, name);
	else if (m->n_runs > 0)
		what = fx_printf(&c->fx,
				 "machine %.*s has %zu unfinished sagas of "
				 "this version",
				 len, name, m->n_runs);
	else
		what = fx_printf(&c->fx,
				 "machine %.*s is a part of %zu other machines "
				 "in this version",
				 len, name, m->n_users);
	if (!fx_ok(&c->fx))
		return E_NOMEM;
	return request_deny(c, rq, m ? E_STATE : E_NOTFOUND,
			    (const char *)what.data);
}

int handle_machine_drop(struct core *c, const struct request *rq)
{
	struct machine *m =
		machines_version(&c->sagas.machines, rq->name, rq->version);
	struct answer a = answer_to(rq, OK);
	struct ask *ask;

	if (!m || m->n_runs > 0 || m->n_users > 0)
		return refuse_drop(c, rq, m);
	a.name = rq->name;
	a.version = rq->version;
	row_delete_machine(c, m, true);
	if (!fx_ok(&c->fx) || answer_stage(c, &a, row_seq(c), 0, &ask) != OK)
		return E_NOMEM;
	machines_remove(&c->sagas.machines, m);
	list_append(&c->sagas.dead_machines, &m->dead);
	answer_commit(c, ask);
	return OK;
}

/* ---- the list ---- */

void core_machines(const struct core *c,
		   bool (*each)(void *ctx, struct machine_view), void *ctx)
{
	LIST_EACH(node, &c->sagas.machines.put) {
		const struct machine *m =
			CONTAINER_OF(node, struct machine, put);
		struct machine_view v = { .name = saga_def_name(m->def),
					  .version = saga_def_version(m->def),
					  .document = m->document,
					  .added_wall_ms = m->added_wall_ms,
					  .n_runs = m->n_runs };

		if (!each(ctx, v))
			return;
	}
}
