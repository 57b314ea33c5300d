#ifndef TESTS_FAKES_MSG_FIELDS_H
#define TESTS_FAKES_MSG_FIELDS_H

/* Every scalar field of a message by its kind; wire_msg_test proves that none
 * is missing. For arrays: uint64_t *numbers[] = MSG_NUMBERS(&m). Apart
 * from them there are the list and the schedule. */

#include "wire/msg.h"

#define MSG_NUMBERS(m)                                                         \
	{                                                                      \
		&(m)->branch, &(m)->timeout_ms, &(m)->mode, &(m)->client_key,  \
			&(m)->wait_ms, &(m)->status, &(m)->count,              \
			&(m)->first_id, &(m)->err, &(m)->holder_age_ms,        \
			&(m)->command, &(m)->attempt, &(m)->resolution,        \
			&(m)->heartbeat_ms, &(m)->level, &(m)->kind,           \
			&(m)->call_timeout_ms, &(m)->deliver_after_ms,         \
			&(m)->move, &(m)->task                                 \
	}
#define MSG_TEXTS(m)                                                           \
	{                                                                      \
		&(m)->xid, &(m)->name, &(m)->application, &(m)->instance,      \
			&(m)->resource, &(m)->application_data, &(m)->holder,  \
			&(m)->key, &(m)->text, &(m)->detail, &(m)->values,     \
			&(m)->coordinator, &(m)->nonce, &(m)->signature,       \
			&(m)->traceparent, &(m)->check, &(m)->participant,     \
			&(m)->version, &(m)->business_key, &(m)->input,        \
			&(m)->subscriber, &(m)->error_name, &(m)->service,     \
			&(m)->method                                           \
	}
#define MSG_FLAGS(m)                                                           \
	{                                                                      \
		&(m)->ordered, &(m)->topic, &(m)->existed, &(m)->in_progress,  \
			&(m)->compensation                                     \
	}
#define MSG_N_NUMBERS 20
#define MSG_N_TEXTS   24

#endif
