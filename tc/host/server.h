#ifndef TC_HOST_SERVER_H
#define TC_HOST_SERVER_H

/*
 * Everything between a configuration and the end of the process: data
 * directory, store, doors, signals, systemd.
 */

#include "tc/host/config.h"

/* How to read the configuration again when SIGHUP comes. */
struct server_args {
	int argc;
	char *const *argv;
	char *const *env;
};

/* Serve until SIGTERM or SIGINT, or until something breaks. The exit code of
 * the process; what went wrong has been logged. */
int server_run(struct config *config, const struct server_args *args);

#endif
