#include "tc/door/http_route.h"

/*
 * All of them. What is the same path with several methods stands together.
 */

#define TRANSACTION "/api/v1/transactions/{}"
#define MESSAGE     "/api/v1/messages/{}"
#define SAGA        "/api/v1/sagas/{}"

const struct http_route http_routes[] = {
	{ "GET", "/healthz", true, http_health, NULL },
	{ "GET", "/readyz", true, http_ready, NULL },
	{ "GET", "/api/v1/stats", false, http_stats, NULL },

	{ "GET", "/api/v1/transactions", false, http_list, NULL },
	{ "POST", "/api/v1/transactions", false, http_begin, http_begun },
	{ "GET", TRANSACTION, false, http_show, NULL },
	{ "POST", TRANSACTION "/branches", false, http_branch, http_branched },
	{ "POST", TRANSACTION "/branches/{}/report", false, http_report, NULL },
	{ "POST", TRANSACTION "/commit", false, http_commit, NULL },
	{ "POST", TRANSACTION "/rollback", false, http_rollback, NULL },
	{ "POST", TRANSACTION "/retry", false, http_retry, NULL },
	{ "POST", TRANSACTION "/branches/{}/retry", false, http_retry, NULL },
	{ "POST", TRANSACTION "/branches/{}/resolve", false, http_resolve,
	  NULL },
};
const size_t http_n_routes = ARRAY_LEN(http_routes);
