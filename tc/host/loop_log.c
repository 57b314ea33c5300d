#include "tc/host/loop_log.h"

#include "base/log.h"
#include "base/xid.h"

static void log_gtx(struct bytes xid, const struct row *row)
{
	if (gtx_status_hung(row->status))
		LOG_WARN("transaction hangs and waits for an operator; see "
			 "treaty tx show",
			 LOG_B("xid", xid), LOG_B("name", row->name),
			 LOG_S("status", gtx_status_name(row->status)));
	else
		LOG_DEBUG("transaction", LOG_B("xid", xid),
			  LOG_S("status", gtx_status_name(row->status)));
}

static void log_branch(struct bytes xid, const struct row *row)
{
	if (row->status == BRANCH_COMMIT_UNRETRYABLE ||
	    row->status == BRANCH_ROLLBACK_UNRETRYABLE)
		LOG_WARN("branch cannot be finished without an operator; see "
			 "treaty tx show",
			 LOG_B("xid", xid), LOG_U("branch", row->id),
			 LOG_B("resource", row->name),
			 LOG_S("status", branch_status_name(row->status)));
	else
		LOG_DEBUG("branch", LOG_B("xid", xid), LOG_U("branch", row->id),
			  LOG_B("resource", row->name),
			  LOG_S("status", branch_status_name(row->status)));
}

static void log_with_xid(struct buf *xid, struct bytes coordinator,
			 const struct effect *fx)
{
	bool row = fx->type == FX_PUT || fx->type == FX_DELETE;
	uint64_t number = fx->type == FX_HISTORY            ? fx->history.gtx
			  : fx->type == FX_ARCHIVE          ? fx->archive.gtx
			  : row && fx->row.table == ROW_GTX ? fx->row.id
							    : fx->row.gtx;

	buf_clear(xid);
	xid_format(xid, coordinator, number);
	if (fx->type == FX_HISTORY)
		LOG_DEBUG("history", LOG_B("xid", buf_bytes(xid)),
			  LOG_B("text", fx->history.text));
	else if (fx->type == FX_ARCHIVE)
		LOG_DEBUG("transaction finished", LOG_B("xid", buf_bytes(xid)),
			  LOG_B("name", fx->archive.name),
			  LOG_S("status",
				gtx_status_name((int)fx->archive.status)));
	else if (fx->type == FX_PUT && fx->row.table == ROW_GTX)
		log_gtx(buf_bytes(xid), &fx->row);
	else if (fx->type == FX_PUT && fx->row.table == ROW_BRANCH)
		log_branch(buf_bytes(xid), &fx->row);
}

static void log_reply(const struct reply *r)
{
	if (r->err != OK)
		LOG_DEBUG("request refused", LOG_B("xid", r->xid),
			  LOG_U("branch", r->branch), LOG_U("peer", r->peer),
			  LOG_S("error", err_name(r->err)),
			  LOG_B("text", r->text));
}

static void log_command(const struct command *c)
{
	LOG_DEBUG("command", LOG_B("xid", c->xid), LOG_U("branch", c->branch),
		  LOG_S("type",
			c->type == COMMAND_COMMIT ? "commit" : "rollback"),
		  LOG_B("resource", c->resource), LOG_U("peer", c->peer),
		  LOG_U("attempt", c->attempt));
}

/* Worth a line whatever the level: somebody has to act. */
static bool alarming(const struct effect *fx)
{
	if (fx->type == FX_AUDIT)
		return true;
	if (fx->type != FX_PUT)
		return false;
	if (fx->row.table == ROW_GTX)
		return gtx_status_hung(fx->row.status);
	return fx->row.table == ROW_BRANCH &&
	       (fx->row.status == BRANCH_COMMIT_UNRETRYABLE ||
		fx->row.status == BRANCH_ROLLBACK_UNRETRYABLE);
}

static void log_audit(const struct audit *a)
{
	LOG_INFO("operator", LOG_B("actor", a->actor),
		 LOG_B("action", a->action), LOG_B("xid", a->xid),
		 LOG_U("branch", a->branch), LOG_B("reason", a->reason),
		 LOG_S("answer", err_name(a->err)));
}

void log_effects(struct bytes coordinator, const struct effects *fx)
{
	struct buf xid;

	buf_init(&xid, &mem_heap);
	for (size_t i = 0; i < fx->n; i++) {
		const struct effect *e = &fx->items[i];

		if (!alarming(e) && !log_wanted(LOG_LEVEL_DEBUG))
			continue;
		if (e->type == FX_REPLY)
			log_reply(&e->reply);
		else if (e->type == FX_COMMAND)
			log_command(&e->command);
		else if (e->type == FX_AUDIT)
			log_audit(&e->audit);
		else
			log_with_xid(&xid, coordinator, e);
	}
	buf_fini(&xid);
}
