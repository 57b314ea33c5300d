#include "tc/host/server.h"

#include "tc/host/data_dir.h"
#include "tc/host/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define COORDINATOR_MAX 100 /* so that ":number" still fits into an xid */

struct server {
	struct config *config;
	const struct server_args *args;
	const struct mem *mem;
	struct data_dir dir;
	struct loop *loop;
	struct allow_list *allow_list;
	struct buf coordinator;
	struct buf addresses; /* what goes into DIR/address */
	struct buf error;
	int signals;
};

static int refuse(struct server *s, int err, const char *text)
{
	buf_clear(&s->error);
	buf_put_text(&s->error, text);
	return err;
}

/* ---- signals ---- */

static int open_signals(struct server *s)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a file too large is an error, too */
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return refuse(s, E_IO, strerror(errno));
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signals >= 0 ? OK : refuse(s, E_IO, strerror(errno));
}

static void log_changes(struct bytes lines)
{
	while (lines.len > 0) {
		const uint8_t *nl = memchr(lines.data, '\n', lines.len);
		size_t n = nl ? (size_t)(nl - lines.data) : lines.len;

		LOG_INFO("configuration",
			 LOG_B("change", ((struct bytes){ lines.data, n })));
		n += nl != NULL;
		lines.data += n;
		lines.len -= n;
	}
}

/* What http_targets says from now on. */
static int allow_targets(struct server *s, const struct config *config,
			 struct buf *error)
{
	struct allow_list *list;
	int rc = allow_list_new(&list, s->mem, bytes_of(config->http_targets),
				error);

	if (rc != OK)
		return rc;
	loop_port(s->loop)->allow_list = list;
	allow_list_free(s->allow_list);
	s->allow_list = list;
	return OK;
}

/* A bad file changes nothing: what is running goes on. */
static int take_new(struct server *s, struct config *fresh, struct buf *text)
{
	enum config_action action;
	int rc = config_read(fresh, s->args->argc, s->args->argv, s->args->env,
			     &action, text);

	if (rc != OK)
		return rc;
	rc = allow_targets(s, fresh, text);
	if (rc == OK)
		rc = config_reload(s->config, fresh, text);
	if (rc != OK)
		return rc;
	log_set_level((enum log_level)s->config->log_level);
	return loop_reconfigure(s->loop);
}

static uint64_t monotonic_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void reload(struct server *s)
{
	struct config *fresh;
	struct buf text;
	int rc;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)monotonic_us());
	buf_init(&text, s->mem);
	rc = config_new(&fresh, s->mem);
	if (rc == OK) {
		rc = take_new(s, fresh, &text);
		config_free(fresh);
	}
	if (rc != OK)
		LOG_ERROR("configuration not reloaded; the old one stays",
			  LOG_S("error",
				text.len ? buf_text(&text) : err_name(rc)));
	else if (text.len == 0)
		log_write(LOG_LEVEL_INFO,
			  "configuration reloaded, nothing changed", NULL, 0);
	else
		log_changes(buf_bytes(&text));
	buf_fini(&text);
	(void)sd_notify(0, "READY=1");
}

static void on_signal(void *ctx, int fd)
{
	struct server *s = ctx;
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			reload(s);
			continue;
		}
		LOG_INFO("stopping: no new transactions",
			 LOG_S("signal", strsignal((int)info.ssi_signo)));
		(void)sd_notify(0, "STOPPING=1");
		loop_drain(s->loop);
	}
}

static void on_tick(void *ctx)
{
	(void)ctx;
	(void)sd_notify(0, "WATCHDOG=1");
}

/* ---- who we are ---- */

/* "tcp://127.0.0.1:7090 …" to "127.0.0.1:7090"; a socket file has no port, so
 * the machine's name stands for it. */
static void name_after(struct buf *out, const char *address)
{
	char host[65] = "localhost";

	if (strncmp(address, "tcp://", 6) == 0) {
		size_t n = strcspn(address + 6, " ");

		buf_put(out, (struct bytes){ (const uint8_t *)address + 6, n });
		return;
	}
	(void)gethostname(host, sizeof host - 1);
	buf_printf(out, "%s:0", host);
}

static bool name_ok(struct bytes name)
{
	const uint8_t *colon = memchr(name.data, ':', name.len);

	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f)
			return false;
	return colon && colon > name.data && name.len <= COORDINATOR_MAX;
}

/* The name in every xid must be the same after each restart. */
static int find_name(struct server *s, const char *address)
{
	int rc = OK;

	if (s->config->coordinator[0] != '\0') {
		buf_put_text(&s->coordinator, s->config->coordinator);
	} else {
		rc = data_dir_read(&s->dir, "coordinator", &s->coordinator);
		if (rc == E_NOTFOUND) {
			name_after(&s->coordinator, address);
			rc = data_dir_write(&s->dir, "coordinator",
					    buf_bytes(&s->coordinator));
		}
	}
	if (rc != OK)
		return refuse(s, rc,
			      "the file `coordinator` in the data directory "
			      "cannot be read or written; check its owner and "
			      "mode, and that the disk isn't full");
	if (!name_ok(buf_bytes(&s->coordinator)))
		return refuse(s, E_INVALID,
			      "coordinator must be host:port, printable, at "
			      "most 100 bytes");
	return buf_error(&s->coordinator);
}

static uint64_t draw(void)
{
	uint64_t number = 0;

	while (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		;
	return number;
}

/*
 * Where the numbers of a new store begin: one of 4.6 thousand million places,
 * so that those of a store that is lost do not come a second time, and are not
 * taken for its own. Decimal, so that the end of a number stays readable:
 * 2718281828000000001. Half of all numbers are above the last place.
 */
#define EPOCH UINT64_C(1000000000)

static uint64_t draw_first_id(void)
{
	return (1 + draw() % (INT64_MAX / 2 / EPOCH - 1)) * EPOCH + 1;
}

/* ---- start ---- */

static int open_agents(struct server *s)
{
	struct door door;
	int rc = agents_open(&door, s->mem, &s->config->agents,
			     loop_port(s->loop), &s->error);

	if (rc != OK)
		return rc;
	buf_printf(&s->addresses, "agents %s\n", door.address);
	rc = loop_add(s->loop, &door);
	if (rc == OK)
		rc = find_name(s, door.address);
	return rc;
}

static int open_http(struct server *s)
{
	struct door door;
	int rc;

	if (strcmp(s->config->http_listen, "off") == 0)
		return OK;
	s->config->http.address = s->config->http_listen;
	s->config->http.version = TREATY_VERSION;
	rc = http_open(&door, s->mem, &s->config->http, loop_port(s->loop),
		       &s->error);
	if (rc != OK)
		return rc;
	buf_printf(&s->addresses, "http %s\n", door.address);
	return loop_add(s->loop, &door);
}

static int open_caller(struct server *s)
{
	struct door door;
	int rc = allow_targets(s, s->config, &s->error);

	if (rc != OK)
		return rc;
	s->config->caller.version = TREATY_VERSION;
	rc = caller_open(&door, s->mem, &s->config->caller, loop_port(s->loop),
			 &s->error);
	return rc == OK ? loop_add(s->loop, &door) : rc;
}

static int load(struct server *s)
{
	struct store_sqlite_options options = s->config->store;
	struct core_config core;
	struct store *store;
	int rc;

	options.path = buf_text(&s->dir.store);
	rc = store_sqlite_new(&store, s->mem, &options);
	if (rc != OK)
		return refuse(s, rc, "out of memory");
	s->config->core.coordinator = buf_bytes(&s->coordinator);
	s->config->core.seed = draw();
	core = s->config->core; /* what was drawn is no setting */
	if (core.first_id == 0)
		core.first_id = draw_first_id();
	return loop_load(s->loop, store, &core, &s->error);
}

static int tell(struct server *s)
{
	uint64_t watchdog_us = 0;

	buf_printf(&s->addresses, "coordinator %s\npid %d\n",
		   buf_text(&s->coordinator), (int)getpid());
	if (buf_error(&s->addresses) ||
	    data_dir_write(&s->dir, "address", buf_bytes(&s->addresses)))
		return refuse(s, E_IO,
			      "cannot write the file `address` into the data "
			      "directory; check that the disk isn't full");
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		loop_set_tick(s->loop, watchdog_us / 2000 + 1, on_tick, s);
	LOG_INFO("ready", LOG_S("version", TREATY_VERSION),
		 LOG_B("coordinator", buf_bytes(&s->coordinator)),
		 LOG_S("data_dir", s->config->data_dir));
	if (s->config->agents.allow_unauthenticated)
		LOG_WARN("agents are not authenticated: whoever reaches the "
			 "address can commit and roll back",
			 LOG_S("agents_listen", s->config->agents_listen));
	(void)sd_notify(0, "READY=1");
	return OK;
}

static int start(struct server *s)
{
	int rc = open_signals(s);

	if (rc == OK)
		rc = data_dir_open(&s->dir, s->mem, s->config->data_dir,
				   &s->error);
	if (rc == OK)
		rc = loop_new(&s->loop, s->mem, s->config);
	if (rc == OK)
		rc = loop_watch(s->loop, s->signals, on_signal, s);
	if (rc == OK)
		rc = open_agents(s);
	if (rc == OK)
		rc = load(s);
	if (rc == OK)
		rc = open_caller(s);
	if (rc == OK)
		rc = open_http(s);
	return rc == OK ? tell(s) : rc;
}

static void stop(struct server *s)
{
	loop_free(s->loop);
	allow_list_free(s->allow_list);
	if (s->dir.mem && s->dir.lock >= 0)
		data_dir_remove(&s->dir, "address");
	data_dir_close(&s->dir);
	if (s->signals >= 0)
		(void)close(s->signals);
	buf_fini(&s->coordinator);
	buf_fini(&s->addresses);
	buf_fini(&s->error);
}

int server_run(struct config *config, const struct server_args *args)
{
	struct server s = {
		.config = config, .args = args, .mem = &mem_heap, .signals = -1
	};
	int rc;

	buf_init(&s.coordinator, s.mem);
	buf_init(&s.addresses, s.mem);
	buf_init(&s.error, s.mem);
	rc = start(&s);
	if (rc == OK)
		rc = loop_run(s.loop, &s.error);
	if (rc != OK)
		LOG_ERROR("treatyd ends", LOG_S("error", err_name(rc)),
			  LOG_S("text", s.error.len ? buf_text(&s.error)
						    : "no memory"));
	else
		log_write(LOG_LEVEL_INFO, "stopped", NULL, 0);
	stop(&s);
	return rc == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
