#include "base/json.h"
#include "base/url.h"
#include "rm-agent/saga/service.h"

/*
 * A branch of mode Saga in a plain global transaction: only its compensation is
 * the coordinator's business.
 */

static int register_branch(struct treaty_tx *tx, struct bytes resource,
			   struct bytes participant, struct bytes payload,
			   uint64_t *id)
{
	const struct agent_branch b = { .mode = MODE_SAGA,
					.resource = resource,
					.participant = participant,
					.application_data = payload };

	return agent_register(tx, &b, id, NULL);
}

/* Who compensates: a resource, and for a URL how it is called. */
static int put_target(const char *compensation, struct buf *resource,
		      struct buf *participant)
{
	int rc = OK;

	if (url_is_http(bytes_of(compensation))) {
		rc = agent_target(
			&(struct agent_urls){ .rollback = compensation },
			resource, participant);
	} else if (service_name_ok(compensation)) {
		buf_put_text(resource, SERVICE_PREFIX);
		buf_put_text(resource, compensation);
	} else {
		rc = agent_fail(E_INVALID,
				"a compensation is a service's name of 1 to "
				"123 bytes, or a URL");
	}
	if (rc == OK &&
	    (buf_error(resource) != OK || buf_error(participant) != OK))
		rc = agent_fail(E_NOMEM, "out of memory for a branch");
	return rc;
}

static int branch_in(struct treaty_tx *tx, const char *compensation,
		     struct bytes payload, uint64_t *id)
{
	struct buf resource, participant;
	int rc;

	buf_init(&resource, &mem_heap);
	buf_init(&participant, &mem_heap);
	rc = put_target(compensation, &resource, &participant);
	if (rc == OK)
		rc = register_branch(tx, buf_bytes(&resource),
				     buf_bytes(&participant), payload, id);
	buf_fini(&resource);
	buf_fini(&participant);
	return rc;
}

int treaty_saga_branch(struct treaty *t, const char *compensation,
		       const char *payload, struct treaty_saga_branch *out)
{
	struct bytes data = bytes_of(payload ? payload : "{}");
	struct treaty_tx *tx;
	uint64_t id;
	int rc;

	if (!compensation)
		return agent_fail(E_INVALID, "the compensation is NULL");
	if (!json_valid(data))
		return agent_fail(E_INVALID,
				  "a payload must be one JSON value in UTF-8, "
				  "not \"%.40s\"",
				  payload);
	tx = treaty_current(t);
	rc = agent_tx_check(tx);
	if (rc == OK)
		rc = branch_in(tx, compensation, data, &id);
	if (rc != OK)
		return rc;
	*out = (struct treaty_saga_branch){ .id = id };
	agent_branch_print(out->branch_id, id);
	memcpy(out->xid, treaty_xid(tx), strlen(treaty_xid(tx)) + 1);
	return OK;
}
