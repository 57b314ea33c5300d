#include "tc/door/http_service.h"

#include "tc/door/http_route.h"
#include "tc/door/service_urls.h"

bool services_allowed(const struct http_api *api, struct http_call *call,
		      struct http_answer *answer, const struct body_path *at,
		      struct bytes document)
{
	struct service_at where;
	struct buf why;
	int rc;

	buf_init(&why, &call->arena->as_mem);
	rc = service_urls_check(api->port->allow_list, call->arena, document,
				&where, &why);
	if (rc == OK)
		return true;
	if (rc == E_NOMEM || buf_error(&why) != OK) {
		(void)http_no_memory(answer);
		return false;
	}

	const struct body_path list = { at, where.list, 0 };
	const struct body_path state = {
		&list, where.state.len ? (const char *)where.state.data : NULL,
		where.index
	};

	if (rc == E_INVALID)
		return body_refuse(call, answer, &state, where.member,
				   buf_text(&why));
	body_problem(call, answer, PROBLEM_TARGET_DENIED, &state, where.member,
		     buf_text(&why));
	return false;
}
