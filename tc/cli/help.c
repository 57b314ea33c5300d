#include "tc/cli/cli.h"

static const struct {
	const char *command;
	const char *text;
} pages[] = {
	{ "",
	  "usage: treaty COMMAND …\n"
	  "\n"
	  "Operate a Treaty coordinator (treatyd) over its HTTP door.\n"
	  "\n"
	  "  treaty tx list      list transactions, those that hang first\n"
	  "  treaty tx show      one transaction: branches, errors, dirty "
	  "rows,\n"
	  "                      and what to do about it\n"
	  "  treaty tx retry     try again now\n"
	  "  treaty tx resolve   decide about a dirty branch\n"
	  "  treaty saga         list, show, start, forward, compensate, "
	  "skip\n"
	  "  treaty machine      list, show, put, drop: state machines\n"
	  "  treaty message      list, show, dead, replay: messages and dead\n"
	  "                      letters\n"
	  "  treaty topic        list, subscribe, unsubscribe\n"
	  "  treaty status       counters, and how many need you\n"
	  "  treaty ping         is it there and ready?\n"
	  "  treaty completion   completions for a shell\n"
	  "\n"
	  "Everywhere:\n"
	  "  -s, --server URL    the coordinator; else TREATY_SERVER, else\n"
	  "                      " SERVER_DEFAULT "\n"
	  "  --json              the coordinator's JSON as it is\n"
	  "  --no-color          no colours (also: NO_COLOR; never on pipes)\n"
	  "  -h, --help          about one command\n"
	  "\n"
	  "Exit codes: 0 done, 1 failed or outcome unknown, 2 wrong usage,\n"
	  "3 not found, 4 not reachable, 5 refused. See treaty(1).\n" },
	{ "tx list",
	  "usage: treaty tx list [OPTION …]\n"
	  "\n"
	  "List unfinished transactions: those that wait for an operator, "
	  "then\n"
	  "the others, oldest first.\n"
	  "\n"
	  "  --hung              only those that wait for an operator\n"
	  "  --status STATUS     a name such as RollbackRetrying, or a number\n"
	  "  --text TEXT         part of the name or application\n"
	  "  --resource ID       with a branch on this resource\n"
	  "  --min-age SPAN      at least so old: 500ms, 30s, 5m, 2h, 1d\n"
	  "  --finished          finished ones, newest first\n"
	  "  -n, --limit N       at most so many, up to 1000 (50)\n"
	  "  --after CURSOR      the next page\n"
	  "  -q, --quiet         xids only, one a line\n" },
	{ "tx show",
	  "usage: treaty tx show XID\n"
	  "\n"
	  "Show a transaction with its branches, attempts, last errors, the\n"
	  "difference of dirty rows, its history, and the commands that help.\n"
	  "XID may be the number alone.\n" },
	{ "tx retry",
	  "usage: treaty tx retry XID [--branch ID] [--reason TEXT]\n"
	  "\n"
	  "Phase two of all branches, or of one, is tried again at once. One\n"
	  "that hangs is taken up again.\n"
	  "\n"
	  "  -b, --branch ID     only this branch\n"
	  "  -r, --reason TEXT   for the history\n" },
	{ "tx resolve",
	  "usage: treaty tx resolve XID BRANCH WAY --reason TEXT [--yes]\n"
	  "\n"
	  "Decide about a branch whose undo found rows that somebody else has\n"
	  "changed. Shows them and asks, unless --yes is given.\n"
	  "\n"
	  "WAY is one of\n"
	  "  --use-undo          put the values from before the branch back\n"
	  "  --keep-current      leave the rows as they are\n"
	  "  --values FILE       as this JSON says (- reads standard input)\n"
	  "\n"
	  "  -r, --reason TEXT   for the history; needed\n"
	  "  -y, --yes           do not ask\n" },
	{ "saga list",
	  "usage: treaty saga list [OPTION …]\n"
	  "\n"
	  "List unfinished sagas: those that wait for an operator, then the\n"
	  "others, oldest first.\n"
	  "\n"
	  "  --hung              only those that wait for an operator\n"
	  "  --status STATUS     a name such as Rollbacking, or a number\n"
	  "  --text TEXT         part of the name or application\n"
	  "  --min-age SPAN      at least so old: 500ms, 30s, 5m, 2h, 1d\n"
	  "  --finished          finished ones, newest first\n"
	  "  -n, --limit N       at most so many, up to 1000 (50)\n"
	  "  --after CURSOR      the next page\n"
	  "  -q, --quiet         xids only, one a line\n" },
	{ "saga show", "usage: treaty saga show XID\n"
		       "\n"
		       "Show a run: the path it took, its data, its history, "
		       "and what can be\n"
		       "done if it hangs.\n" },
	{ "saga start",
	  "usage: treaty saga start MACHINE [OPTION …]\n"
	  "       treaty saga start --definition FILE [OPTION …]\n"
	  "\n"
	  "Start a run of a state machine, or of a definition of its own.\n"
	  "\n"
	  "  --definition FILE   a JSON document (- reads standard input)\n"
	  "  --version V         of the machine; else the newest\n"
	  "  -k, --key TEXT      business key: the same again is the same run\n"
	  "  -i, --input FILE    a JSON object to begin with\n"
	  "  --deadline SPAN     undo it then: 500ms, 30s, 5m, 2h, 1d\n"
	  "  -w, --wait SPAN     for its end, up to 60s\n" },
	{ "saga forward", "usage: treaty saga forward XID [--reason TEXT]\n"
			  "\n"
			  "Go on now; what hangs is tried again.\n"
			  "\n"
			  "  -r, --reason TEXT   for the history\n" },
	{ "saga compensate",
	  "usage: treaty saga compensate XID [--reason TEXT]\n"
	  "\n"
	  "Undo what was done, also what has succeeded.\n"
	  "\n"
	  "  -r, --reason TEXT   for the history\n" },
	{ "saga skip", "usage: treaty saga skip XID [--task N] --reason TEXT\n"
		       "\n"
		       "Take what fails as done, and go on.\n"
		       "\n"
		       "  -t, --task N        only this one of its path\n"
		       "  -r, --reason TEXT   for the history; needed\n" },
	{ "machine list", "usage: treaty machine list\n"
			  "\n"
			  "List state machines, each version, and how many "
			  "unfinished runs use it.\n" },
	{ "machine show", "usage: treaty machine show NAME [--version V]\n"
			  "\n"
			  "Print its document.\n"
			  "\n"
			  "  --version V         else the newest\n" },
	{ "machine put", "usage: treaty machine put FILE\n"
			 "\n"
			 "Check a document and keep it; runs can be started of "
			 "it then.\n"
			 "FILE may be - for standard input.\n" },
	{ "machine drop", "usage: treaty machine drop NAME --version V\n"
			  "\n"
			  "Forget a version that no unfinished run uses.\n"
			  "\n"
			  "  --version V         needed\n" },
	{ "message list",
	  "usage: treaty message list [OPTION …]\n"
	  "\n"
	  "List unfinished messages: those that wait for an operator, then "
	  "the\n"
	  "others, oldest first.\n"
	  "\n"
	  "  --hung              only those that wait for an operator\n"
	  "  --status STATUS     a name such as CommitRetrying, or a number\n"
	  "  --text TEXT         part of the name or application\n"
	  "  --resource ID       with a delivery to this target\n"
	  "  --min-age SPAN      at least so old: 500ms, 30s, 5m, 2h, 1d\n"
	  "  --finished          finished ones, newest first\n"
	  "  -n, --limit N       at most so many, up to 1000 (50)\n"
	  "  --after CURSOR      the next page\n"
	  "  -q, --quiet         xids only, one a line\n" },
	{ "message show", "usage: treaty message show XID\n"
			  "\n"
			  "Show a message with its deliveries and history.\n" },
	{ "message dead",
	  "usage: treaty message dead [--limit N] [--after CURSOR]\n"
	  "\n"
	  "List dead letters: deliveries that were refused, or given up.\n"
	  "\n"
	  "  -n, --limit N       about so many, up to 1000 (50)\n"
	  "  --after CURSOR      the next page\n" },
	{ "message replay",
	  "usage: treaty message replay XID BRANCH [--reason TEXT]\n"
	  "\n"
	  "Deliver a dead letter again, now.\n"
	  "\n"
	  "  -r, --reason TEXT   for the history\n" },
	{ "topic list", "usage: treaty topic list [TOPIC]\n"
			"\n"
			"List the subscribers of a topic, or of all.\n" },
	{ "topic subscribe",
	  "usage: treaty topic subscribe TOPIC SUBSCRIBER TO\n"
	  "\n"
	  "SUBSCRIBER gets what is sent to TOPIC from now on. TO is a URL, or\n"
	  "msg:NAME for what an agent consumes; it replaces an earlier "
	  "one.\n" },
	{ "topic unsubscribe",
	  "usage: treaty topic unsubscribe TOPIC SUBSCRIBER\n"
	  "\n"
	  "SUBSCRIBER gets nothing any more, but for what is under way.\n" },
	{ "status", "usage: treaty status\n"
		    "\n"
		    "Show the coordinator's state and counters, and how many "
		    "transactions\n"
		    "wait for an operator.\n" },
	{ "ping",
	  "usage: treaty ping\n"
	  "\n"
	  "Exit 0 if the coordinator takes work, 1 if it is starting or\n"
	  "stopping, 4 if it cannot be reached.\n" },
	{ "completion", "usage: treaty completion bash\n"
			"\n"
			"Print completions for the shell. In ~/.bashrc:\n"
			"  source <(treaty completion bash)\n" },
};

void print_help(struct cli *c, const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(pages[i].command, command) == 0)
			buf_put_text(&c->out, pages[i].text);
}
