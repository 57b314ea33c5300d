#ifndef TESTS_LIVE_WIRE_H
#define TESTS_LIVE_WIRE_H

/*
 * A bad network between an agent and treatyd: a process that passes bytes of
 * TCP connections on, and stops, cuts or freezes them when told to.
 *
 *   wire_start(&w, d.agents);        agents connect to w.address
 *   atomic_store(&w.c->hold_down, 1);    answers stay on the way
 *   wire_cut(&w);                    and are lost for good
 *   wire_stop(&w);
 *
 * "Up" is towards treatyd.
 */

#include <stdatomic.h>
#include <sys/types.h>

struct wire_control {
	_Atomic int hold_up; /* nothing gets through, nothing is lost */
	_Atomic int hold_down;
	_Atomic int refuse;    /* new connections are reset */
	_Atomic int chop;      /* at most that many bytes at once; 0: any */
	_Atomic unsigned cuts; /* asked for */
	_Atomic unsigned cut;  /* done */
	_Atomic unsigned freezes, frozen;
	_Atomic unsigned links; /* connections ever made */
};

struct wire {
	pid_t pid;
	char address[64];
	struct wire_control *c; /* shared with the process */
};

/* `to` is tcp://127.0.0.1:port; connected to anew for each connection. */
void wire_start(struct wire *w, const char *to);
void wire_stop(struct wire *w);
/* Reset every connection, with what is on its way. Returns when done. */
void wire_cut(struct wire *w);
/* The connections of now stay open and pass nothing any more; new ones work. */
void wire_freeze(struct wire *w);

#endif
