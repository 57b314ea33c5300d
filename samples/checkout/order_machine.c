#include "samples/checkout/order_machine.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* What is not certain is asked again soon, and for long. A refusal leads to
 * the CompensationTrigger, by Catch. */
#define RETRY                                                                  \
	"\"Retry\": [{\"IntervalSeconds\": 0.2, \"BackoffRate\": 1.5, "        \
	"\"MaxAttempts\": 40}]"
#define CATCH "\"Catch\": [{\"Exceptions\": [\"refused\"], \"Next\": \"Undo\"}]"
#define UNDO(name, service, input)                                             \
	"\"" name                                                              \
	"\": {\"Type\": \"ServiceTask\", \"ServiceName\": \"" service          \
	"\", \"ServiceMethod\": \"undo\", \"Input\": [" input "]}"

#define PICK "{\"item\": \"$.[item]\", \"quantity\": \"$.[quantity]\"}"
#define PAY  "{\"user\": \"$.[user]\", \"amount\": \"$.[amount]\"}"
#define WRITE                                                                  \
	"{\"id\": \"$.[id]\", \"token\": \"$.[token]\", "                      \
	"\"user\": \"$.[user]\", \"item\": \"$.[item]\", "                     \
	"\"quantity\": \"$.[quantity]\", \"amount\": \"$.[amount]\"}"

static const char machine[] =
	"{\"Name\": \"" ORDER_MACHINE "\", \"Version\": \"1\", "
	"\"StartState\": \"Pick\", \"States\": {"
	"\"Pick\": {\"Type\": \"ServiceTask\", "
	"\"ServiceName\": \"checkout-goods\", \"ServiceMethod\": \"pick\", "
	"\"Input\": [" PICK "], \"Output\": {\"amount\": \"$.#root.amount\"}, "
	"\"CompensateState\": \"PutBack\", " RETRY ", " CATCH ", "
	"\"Next\": \"Worth\"},"
	/* A gift costs nothing. */
	"\"Worth\": {\"Type\": \"Choice\", \"Choices\": ["
	"{\"Expression\": \"[amount] > 0\", \"Next\": \"Pay\"}], "
	"\"Default\": \"Write\"},"
	"\"Pay\": {\"Type\": \"ServiceTask\", "
	"\"ServiceName\": \"checkout-user\", \"ServiceMethod\": \"deduct\", "
	"\"Input\": [" PAY "], \"CompensateState\": \"GiveBack\", " RETRY
	", " CATCH ", \"Next\": \"Write\"},"
	"\"Write\": {\"Type\": \"ServiceTask\", "
	"\"ServiceName\": \"checkout-order\", \"ServiceMethod\": \"insert\", "
	"\"Input\": [" WRITE "], \"CompensateState\": \"Cancel\", " RETRY
	", " CATCH ", \"Next\": \"End\"}," UNDO(
		"PutBack", "checkout-goods",
		PICK) "," UNDO("GiveBack", "checkout-user",
			       PAY) "," UNDO("Cancel", "checkout-order",
					     WRITE) ","
						    "\"Undo\": {\"Type\": "
						    "\"CompensationTrigger\", "
						    "\"Next\": \"Refuse\"},"
						    "\"Refuse\": {\"Type\": "
						    "\"Fail\", \"ErrorCode\": "
						    "\"refused\", "
						    "\"Message\": \"refused\"},"
						    "\"End\": {\"Type\": "
						    "\"Succeed\"}}}";

static const char bonus[] =
	"{\"Type\": \"ServiceTask\", \"Input\": [" PAY "], "
	"\"CompensateState\": \"TakePoints\", " RETRY ", " CATCH ", "
	"\"Next\": \"Write\"}";
static const char take[] = "{\"Type\": \"ServiceTask\", \"Input\": [" PAY "]}";

/* The coordinator calls ServiceName/ServiceMethod, if that is a URL. */
static void add_state(cJSON *states, const char *name, const char *text,
		      const char *url)
{
	cJSON *state = cJSON_Parse(text);
	char *base = strdup(url), *method = base ? strrchr(base, '/') : NULL;

	if (method)
		*method++ = 0;
	cJSON_AddStringToObject(state, "ServiceName", base);
	cJSON_AddStringToObject(state, "ServiceMethod", method);
	cJSON_AddItemToObject(states, name, state);
	free(base);
}

char *order_machine(const char *points_url)
{
	cJSON *m = cJSON_Parse(machine), *states, *pay;
	char *text;

	if (points_url) {
		states = cJSON_GetObjectItemCaseSensitive(m, "States");
		pay = cJSON_GetObjectItemCaseSensitive(states, "Pay");
		cJSON_ReplaceItemInObjectCaseSensitive(
			pay, "Next", cJSON_CreateString("Bonus"));
		add_state(states, "Bonus", bonus, points_url);
		add_state(states, "TakePoints", take, points_url);
	}
	text = cJSON_PrintUnformatted(m);
	cJSON_Delete(m);
	return text;
}
