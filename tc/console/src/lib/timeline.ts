/*
 * What happened when, drawn to scale: which lane a line of the history belongs
 * to and where on it. Pure.
 */
import type { Line } from './types';

export interface Mark {
	x: number; /* 0 … 1 of the whole time */
	lines: number[]; /* indices into the history: those too close to tell apart */
	tone: Tone;
}

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'operator';

export interface Lane {
	branch: string | null; /* null: the transaction's own; an id or a task */
	kind: 'transaction' | 'branch' | 'task';
	marks: Mark[];
	from: number;
	to: number;
}

export interface Timeline {
	start: number; /* ms since 1970 */
	end: number;
	lanes: Lane[];
	ticks: { x: number; ms: number }[];
}

const NEAR = 0.012;

/* "branch 7: …", "register branch 7 …", `task 3 "pay" …` */
export function laneOf(text: string): Pick<Lane, 'kind' | 'branch'> {
	const branch = /^(?:register |operator: |retry of )?branch (\d+)\b/.exec(text);
	if (branch) return { kind: 'branch', branch: branch[1] };
	const task = /^task (\d+)\b/.exec(text);
	if (task) return { kind: 'task', branch: task[1] };
	return { kind: 'transaction', branch: null };
}

export function toneOf(text: string): Tone {
	if (/operator|resolved|taken up again/.test(text)) return 'operator';
	if (/Unretryable|hung|hangs|given up|refused|damaged/.test(text)) return 'bad';
	if (/Retryable|no answer|not known|nobody was|timed out|time-?out|failed/i.test(text)) return 'warn';
	if (/_Committed|_Rollbacked|: done|finished|succeeded|compensated/.test(text)) return 'good';
	return 'plain';
}

/* 1, 2 or 5 times a power of ten below a second, clock steps above. */
export function tickStep(span: number, most = 8): number {
	const clock = [
		1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
		900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000,
	];
	for (let step = 1; step < 1000; step *= 10)
		for (const f of [1, 2, 5]) if (span / (step * f) <= most) return step * f;
	for (const step of clock) if (span / step <= most) return step;
	let days = 86_400_000;
	while (span / days > most) days *= 2;
	return days;
}

const WORST: Tone[] = ['plain', 'good', 'warn', 'operator', 'bad'];

function worse(a: Tone, b: Tone): Tone {
	return WORST.indexOf(b) > WORST.indexOf(a) ? b : a;
}

/* `until`: the end of what has not ended is now. */
export function timeline(history: Line[], until: number): Timeline | null {
	const times = history.map((line) => (line.at ? Date.parse(line.at) : NaN));
	const known = times.filter((t) => !Number.isNaN(t));
	if (known.length === 0) return null;
	const start = known.reduce((a, b) => Math.min(a, b));
	const end = Math.max(start + 1, until, known.reduce((a, b) => Math.max(a, b)));
	const lanes = new Map<string, Lane>();
	history.forEach((line, i) => {
		if (Number.isNaN(times[i])) return;
		const { kind, branch } = laneOf(line.text);
		const key = `${kind} ${branch}`;
		const x = (times[i] - start) / (end - start);
		let lane = lanes.get(key);
		if (!lane) lanes.set(key, (lane = { kind, branch, marks: [], from: x, to: x }));
		lane.to = Math.max(lane.to, x);
		lane.from = Math.min(lane.from, x);
		const last = lane.marks[lane.marks.length - 1];
		if (last && Math.abs(x - last.x) < NEAR) {
			last.lines.push(i);
			last.tone = worse(last.tone, toneOf(line.text));
		} else lane.marks.push({ x, lines: [i], tone: toneOf(line.text) });
	});
	const step = tickStep(end - start);
	const ticks = [];
	for (let ms = 0; ms <= end - start; ms += step) ticks.push({ x: ms / (end - start), ms });
	const order = { transaction: 0, branch: 1, task: 2 };
	const sorted = [...lanes.values()].sort((a, b) => order[a.kind] - order[b.kind]);
	return { start, end, lanes: sorted, ticks };
}
