#include "tc/door/agents_wire.h"

static int refuse(const char **why, const char *text)
{
	*why = text;
	return E_INVALID;
}

static int up_of(struct event *out, const struct msg *m, uint64_t peer,
		 const char *address, const char **why)
{
	if (m->application.len == 0 || m->instance.len == 0)
		return refuse(why, "a hello without application or instance");
	out->type = EV_PEER_UP;
	out->up = (struct peer_up){ .peer = peer,
				    .application = m->application,
				    .instance = m->instance,
				    .address = bytes_of(address),
				    .resources = m->list,
				    .n_resources = m->n_list };
	return OK;
}

/* An agent of the first release does not say what it answers. */
static enum command_type command_of(const struct msg *m)
{
	if (m->command)
		return (enum command_type)m->command;
	switch (m->status) {
	case BRANCH_ROLLBACKED:
	case BRANCH_ROLLBACK_RETRYABLE:
	case BRANCH_ROLLBACK_UNRETRYABLE:
	case BRANCH_ROLLBACK_NOTA:
		return COMMAND_ROLLBACK;
	default:
		return COMMAND_COMMIT;
	}
}

static int done_of(struct event *out, const struct msg *m, uint64_t peer,
		   const char **why)
{
	if (m->status >= BRANCH_STATUSES)
		return refuse(why, "a branch status that does not exist");
	if (m->command > COMMAND_CALL)
		return refuse(why, "a command that does not exist");
	out->type = EV_BRANCH_DONE;
	out->done = (struct branch_done){
		.peer = peer,
		.command = m->id,
		.type = command_of(m),
		.xid = m->xid,
		.branch = m->branch,
		.in_progress = m->in_progress,
		.status = (enum branch_status)m->status,
		.error = m->text,
		.error_name = m->error_name,
		.detail = m->detail,
	};
	return OK;
}

static bool request_type_of(enum msg_type type, enum request_type *out)
{
	static const struct {
		enum msg_type msg;
		enum request_type request;
	} pairs[] = {
		{ MSG_BEGIN, RQ_BEGIN },
		{ MSG_REGISTER, RQ_REGISTER },
		{ MSG_REPORT, RQ_REPORT },
		{ MSG_COMMIT, RQ_COMMIT },
		{ MSG_ROLLBACK, RQ_ROLLBACK },
		{ MSG_STATUS, RQ_STATUS },
		{ MSG_LOCK_CHECK, RQ_LOCK_CHECK },
		{ MSG_IDS, RQ_IDS },
		{ MSG_SUBSCRIBE, RQ_SUBSCRIBE },
		{ MSG_UNSUBSCRIBE, RQ_UNSUBSCRIBE },
		{ MSG_SAGA_START, RQ_SAGA_START },
		{ MSG_SAGA_MOVE, RQ_SAGA_MOVE },
		{ MSG_SAGA_SHOW, RQ_SAGA_SHOW },
		{ MSG_MACHINE_PUT, RQ_MACHINE_PUT },
		{ MSG_MACHINE_DROP, RQ_MACHINE_DROP },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (pairs[i].msg == type) {
			*out = pairs[i].request;
			return true;
		}
	}
	return false;
}

static int check_numbers(const struct msg *m, const char **why)
{
	if (m->mode > MODE_MSG)
		return refuse(why, "a branch mode that does not exist");
	if (m->status >= BRANCH_STATUSES)
		return refuse(why, "a branch status that does not exist");
	if (m->kind > KIND_SAGA)
		return refuse(why, "a kind of transaction that does not exist");
	if (m->move > MOVE_SKIP)
		return refuse(why, "a move of a saga that does not exist");
	if (m->task > UINT32_MAX)
		return refuse(why, "a task's number above 32 bits");
	return OK;
}

static int request_of(struct event *out, const struct msg *m, uint64_t peer,
		      const char **why)
{
	enum request_type type;
	int rc;

	if (!request_type_of(m->type, &type))
		return refuse(why, "a message that agents do not send");
	rc = check_numbers(m, why);
	if (rc != OK)
		return rc;
	out->type = EV_REQUEST;
	out->request = (struct request){
		.type = type,
		.peer = peer,
		.id = m->id,
		.xid = m->xid,
		.branch = m->branch,
		.name = m->name,
		.application = m->application,
		.timeout_ms = m->timeout_ms,
		.ordered = m->ordered,
		.kind = (enum gtx_kind)m->kind,
		.check = m->check,
		.mode = (enum branch_mode)m->mode,
		.resource = m->resource,
		.participant = m->participant,
		.call_timeout_ms = m->call_timeout_ms,
		.deliver_after_ms = m->deliver_after_ms,
		.schedule_ms = m->schedule_ms,
		.n_schedule = m->n_schedule,
		.topic = m->topic,
		.application_data = m->application_data,
		.client_key = m->client_key,
		.lock_keys = m->list,
		.n_lock_keys = m->n_list,
		.wait_ms = m->wait_ms,
		.report = (enum branch_status)m->status,
		.count = m->count,
		.text = m->text,
		.reason = type == RQ_SAGA_MOVE ? m->text : (struct bytes){ 0 },
		.version = m->version,
		.business_key = m->business_key,
		.input = m->input,
		.move = (enum saga_move)m->move,
		.task = (uint32_t)m->task,
		.subscriber = m->subscriber,
	};
	return OK;
}

int event_of_msg(struct event *out, const struct msg *m, uint64_t peer,
		 const char *address, const char **why)
{
	*out = (struct event){ 0 };
	if (m->type == MSG_HELLO)
		return up_of(out, m, peer, address, why);
	if (m->type == MSG_BRANCH_DONE)
		return done_of(out, m, peer, why);
	return request_of(out, m, peer, why);
}

struct msg msg_of_reply(const struct reply *r)
{
	return (struct msg){
		.type = MSG_REPLY,
		.id = r->id,
		.err = (uint64_t)-r->err,
		.status = (uint64_t)r->status,
		.xid = r->xid,
		.branch = r->branch,
		.first_id = r->first_id,
		.count = r->count,
		.holder = r->holder,
		.key = r->key,
		.holder_age_ms = r->holder_age_ms,
		.text = r->text,
		.detail = r->detail,
		.name = r->name,
		.version = r->version,
		.existed = r->existed,
	};
}

struct msg msg_of_command(const struct command *c)
{
	return (struct msg){
		.type = MSG_COMMAND,
		.id = c->id,
		.command = (uint64_t)c->type,
		.xid = c->xid,
		.branch = c->branch,
		.mode = (uint64_t)c->mode,
		.resource = c->resource,
		.application_data = c->application_data,
		.attempt = c->attempt,
		.resolution = (uint64_t)c->resolution,
		.values = c->values,
		.participant = c->participant,
		.timeout_ms = c->timeout_ms,
		.service = c->service,
		.method = c->method,
		.compensation = c->compensation,
	};
}
