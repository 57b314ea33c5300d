#ifndef RM_AGENT_SESSION_GREETING_H
#define RM_AGENT_SESSION_GREETING_H

/*
 * The life of a session as a table; the diagram is in session.h.
 *
 * Pure.
 */

#include "rm-agent/session/session.h"

enum session_event {
	SESSION_EV_CONNECTED,    /* a new connection */
	SESSION_EV_HELLO_WANTED, /* the coordinator does not know us */
	SESSION_EV_WELCOME,      /* it answered our newest hello */
	SESSION_EV_BYE,          /* it refused us, or goes away */
	SESSION_EV_SILENT,       /* it answers nothing */
	SESSION_EV_RESOURCES,    /* we have something new to say */
	SESSION_EV_DUE,          /* time to say hello again */
	SESSION_EVENTS,          /* how many */
};

enum session_action {
	SESSION_FORBIDDEN, /* a programming error: nothing can cause it */
	SESSION_STAY,
	SESSION_DOUBT,  /* what was sent may be lost: send it again */
	SESSION_GREET,  /* say hello now */
	SESSION_RENEW,  /* both */
	SESSION_OPEN,   /* requests may go out */
	SESSION_RETIRE, /* wait, then say hello */
};

struct session_rule {
	enum session_action action;
	enum session_state next;
};

struct session_rule session_rule(enum session_state state,
				 enum session_event event);

#endif
