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
	{ "GET", "/metrics", false, http_metrics, NULL },
	{ "GET", "/api/v1/openapi.json", false, http_openapi, NULL },
	{ "GET", "/api/v1/stats", false, http_stats, NULL },
	{ "GET", "/api/v1/unfinished", false, http_unfinished, NULL },

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

	{ "GET", "/api/v1/messages", false, http_message_list, NULL },
	{ "POST", "/api/v1/messages", false, http_message, http_message_said },
	{ "GET", MESSAGE, false, http_message_show, NULL },
	{ "POST", MESSAGE "/submit", false, http_message_submit, NULL },
	{ "POST", MESSAGE "/abort", false, http_message_abort, NULL },
	{ "GET", "/api/v1/dead-letters", false, http_letters, NULL },
	{ "POST", "/api/v1/dead-letters/{}/{}/replay", false,
	  http_letter_replay, NULL },

	{ "GET", "/api/v1/topics", false, http_topic_list, NULL },
	{ "GET", "/api/v1/topics/{}/subscribers", false, http_topic_list,
	  NULL },
	{ "POST", "/api/v1/topics/{}/subscribers", false, http_subscribe,
	  http_topic_said },
	{ "DELETE", "/api/v1/topics/{}/subscribers/{}", false, http_unsubscribe,
	  http_topic_said },

	{ "GET", "/api/v1/sagas", false, http_saga_list, NULL },
	{ "POST", "/api/v1/sagas", false, http_saga_start, http_saga_started },
	{ "GET", SAGA, false, http_saga_show, http_saga_shown },
	{ "POST", SAGA "/forward", false, http_saga_forward, http_saga_moved },
	{ "POST", SAGA "/compensate", false, http_saga_compensate,
	  http_saga_moved },
	{ "POST", SAGA "/skip", false, http_saga_skip, http_saga_moved },

	{ "GET", "/api/v1/machines", false, http_machine_list, NULL },
	{ "POST", "/api/v1/machines", false, http_machine_put,
	  http_machine_said },
	{ "GET", "/api/v1/machines/{}", false, http_machine_show, NULL },
	{ "DELETE", "/api/v1/machines/{}", false, http_machine_drop,
	  http_machine_said },
};
const size_t http_n_routes = ARRAY_LEN(http_routes);
