/* treatyd, the coordinator's daemon. */
#include "tc/host/server.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TREATY_VERSION
#define TREATY_VERSION "unknown"
#endif

static int say(int fd, struct buf *text)
{
	struct bytes b = { (const uint8_t *)buf_text(text), 0 };

	for (b.len = strlen((const char *)b.data); b.len > 0;) {
		ssize_t n = write(fd, b.data, b.len);

		if (n < 0)
			return EXIT_FAILURE;
		b.data += n;
		b.len -= (size_t)n;
	}
	return EXIT_SUCCESS;
}

static int act(enum config_action action, struct config *c,
	       const struct server_args *args, struct buf *text)
{
	switch (action) {
	case CONFIG_HELP:
		config_print_help(text, c);
		break;
	case CONFIG_VERSION:
		buf_put_text(text, "treatyd " TREATY_VERSION "\n");
		break;
	case CONFIG_PRINT:
		config_print(text, c);
		break;
	case CONFIG_CHECK:
		buf_put_text(text, "configuration is good\n");
		break;
	case CONFIG_RUN:
		log_set_level((enum log_level)c->log_level);
		return server_run(c, args);
	}
	return say(STDOUT_FILENO, text);
}

int main(int argc, char *argv[], char *env[])
{
	const struct server_args args = { argc, argv, env };
	enum config_action action = CONFIG_RUN;
	struct config *config;
	struct buf text;
	int rc;

	buf_init(&text, &mem_heap);
	if (config_new(&config, &mem_heap) != OK)
		return EXIT_FAILURE;
	(void)umask(077); /* what is stored is nobody else's business */
	rc = config_read(config, argc, argv, env, &action, &text);
	if (rc == OK) {
		rc = act(action, config, &args, &text);
	} else {
		if (text.len == 0)
			buf_put_text(&text, err_name(rc));
		buf_put_char(&text, '\n');
		(void)say(STDERR_FILENO, &text);
		rc = 2; /* a usage error, as everywhere */
	}
	config_free(config);
	buf_fini(&text);
	return rc;
}
