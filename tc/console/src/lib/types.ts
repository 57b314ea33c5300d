/* What the API answers, as far as the console shows it. Ids are strings. */
import type { Json } from './json';

export interface Tx {
	xid: string;
	number: string;
	status: string;
	status_code: number;
	finished: boolean;
	hung: boolean;
	kind: 'plain' | 'message' | 'saga' | null;
	name: string | null;
	application: string | null;
	began_at: string | null;
	ended_at: string | null;
	age_ms: number | null;
	timeout_ms: number | null;
	branch_count: number | null;
	lock_count: number | null;
	next_due_ms: number | null;
	last_error: string | null;
	check: string | null;
	machine: string | null;
	version: string | null;
	business_key: string | null;
}

export interface Page {
	transactions: Tx[];
	next: string | null;
}

export interface Participant {
	[url: string]: Json;
}

export interface Branch {
	id: string;
	mode: string;
	status: string;
	resource: string;
	application: string;
	instance: string;
	attempts: number;
	next_due_ms: number | null;
	in_flight: boolean;
	last_error: string | null;
	application_data: string | null;
	application_data_len: number;
	lock_keys: string[];
	detail: Json;
	participant: Participant | null;
	topic: string | null;
	subscriber: string | null;
}

export interface Line {
	at: string | null;
	text: string;
}

export interface TxDetail extends Tx {
	branches: Branch[];
	history: Line[];
	run?: Run | null;
}

export interface PathEntry {
	task: number;
	machine: string;
	state: string;
	of?: number;
	index?: number;
	is: string;
	attempts: number;
	error?: string;
	message?: string;
}

export interface Call {
	task: number;
	step: string;
	of?: number;
	attempt: number;
	service: string;
	method?: string;
	is: string;
}

export interface Run {
	status: string;
	machine: string;
	version: string | null;
	business_key: string | null;
	data: Json;
	error: string | null;
	message: string | null;
	path: PathEntry[];
	calls: Call[];
}

export interface Machine {
	name: string;
	version: string;
	added_at: string | null;
	runs: number;
	document?: Json;
}

export interface Letter {
	xid: string;
	branch: string;
	name: string;
	application: string;
	began_at: string | null;
	status: string;
	resource: string;
	topic: string | null;
	subscriber: string | null;
	attempts: number;
	last_error: string | null;
	application_data: string | null;
	application_data_len: number;
	participant: Participant | null;
}

export interface Subscriber {
	topic: string;
	subscriber: string;
	resource: string;
	participant: Participant | null;
}

export interface Stats {
	version: string;
	coordinator: string;
	state: 'loading' | 'ready' | 'draining';
	uptime_ms: number;
	core: Record<string, number>;
	store: Record<string, number>;
	caller: Record<string, number>;
}

export interface Unfinished {
	statuses: { status: string; hung: boolean; count: number }[];
	ages: { older_than_ms: number; count: number; hung: number }[];
	oldest_ms: number;
	oldest_hung_ms: number;
	oldest_decided_ms: number;
}

/* A row that somebody changed from outside; columns as undo/image.h has them. */
export interface DirtyRow {
	table: string;
	key: Record<string, Json>;
	before?: string;
	after?: string;
	now?: string;
	statement?: string;
	seen?: string;
	reason?: string;
	columns?: DirtyColumn[];
}

export interface DirtyColumn {
	name: string;
	type?: string;
	before?: Json;
	after?: Json;
	now?: Json;
}

export interface Difference {
	dirty: number;
	rows: DirtyRow[];
}
