#include "tc/door/http_openapi.h"

#include "tc/door/http_files.h"

/*
 * GET /api/v1/openapi.json. A client that has it already, and says so by
 * If-None-Match, is only told that it is still the same.
 */

enum http_verdict http_openapi(const struct http_api *api,
			       struct http_call *call,
			       struct http_answer *answer,
			       struct request *request)
{
	struct bytes document = { http_openapi_json, http_openapi_json_len };

	(void)api;
	(void)request;
	(void)http_answer_json(answer, 200);
	answer->etag = http_openapi_etag;
	if (http_has_tag(call->if_none_match, http_openapi_etag))
		answer->status = 304;
	else
		buf_put(&answer->body, document);
	return HTTP_ANSWERED;
}
