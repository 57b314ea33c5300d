import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curve, layout, NODE_H, NODE_W, type EdgeIn } from '../src/lib/layered';
import { graphOf, graphOfPath, taken, visits } from '../src/lib/machine';
import { laneOf, tickStep, timeline, toneOf } from '../src/lib/timeline';
import type { PathEntry, Run } from '../src/lib/types';
import { differenceOf, keyText, resolution, valueText } from '../src/pages/dirty';

const edge = (from: string, to: string): EdgeIn => ({ from, to });

function overlaps(l: ReturnType<typeof layout>): string[] {
	const out: string[] = [];
	const spots = [...l.spots.values()];
	spots.forEach((a, i) =>
		spots.slice(i + 1).forEach((b) => {
			if (Math.abs(a.x - b.x) < NODE_W && Math.abs(a.y - b.y) < NODE_H) out.push(`${a.id} ${b.id}`);
		}),
	);
	return out;
}

test('a chain goes to the right, on one line', () => {
	const l = layout(['a', 'b', 'c'].map((id) => ({ id })), [edge('a', 'b'), edge('b', 'c')]);
	const [a, b, c] = ['a', 'b', 'c'].map((id) => l.spots.get(id)!);
	assert.ok(a.x < b.x && b.x < c.x);
	assert.equal(a.y, c.y);
	assert.match(curve(l.wires[0]), /^M168,23L/);
});

test('branches that meet again stand side by side', () => {
	const l = layout(
		['a', 'b', 'c', 'd'].map((id) => ({ id })),
		[edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')],
	);
	assert.equal(l.spots.get('b')!.x, l.spots.get('c')!.x);
	assert.notEqual(l.spots.get('b')!.y, l.spots.get('c')!.y);
	assert.deepEqual(overlaps(l), []);
});

test('a loop is drawn backwards and does not hang the layout', () => {
	const l = layout(
		['a', 'b', 'c'].map((id) => ({ id })),
		[edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('b', 'b')],
	);
	assert.deepEqual(l.wires.map((w) => w.back), [false, false, true, true]);
});

test('a compensation stands below its step', () => {
	const l = layout([{ id: 'a' }, { id: 'b' }, { id: 'undo', owner: 'a' }], [edge('a', 'b'), edge('a', 'undo')]);
	assert.equal(l.spots.get('undo')!.x, l.spots.get('a')!.x);
	assert.ok(l.spots.get('undo')!.y >= l.spots.get('a')!.y + NODE_H);
});

/* Seeded, so that a failure can be looked at again. */
function randomOf(seed: number): () => number {
	return () => {
		seed = (seed * 1103515245 + 12345) & 0x7fffffff;
		return seed / 0x7fffffff;
	};
}

test('no two nodes overlap, and everything is inside, whatever the graph', () => {
	for (let seed = 1; seed <= 60; seed++) {
		const random = randomOf(seed);
		const n = 2 + Math.floor(random() * 18);
		const nodes = Array.from({ length: n }, (_, i) => ({
			id: `n${i}`,
			owner: i > 0 && random() < 0.2 ? `n${i - 1}` : undefined,
		}));
		// An owner that has an owner is none of ours: satellites have no satellites.
		for (const node of nodes)
			if (node.owner && nodes.find((o) => o.id === node.owner)!.owner) node.owner = undefined;
		const edges = Array.from({ length: n * 2 }, () =>
			edge(`n${Math.floor(random() * n)}`, `n${Math.floor(random() * n)}`),
		);
		const l = layout(nodes, edges);
		assert.equal(l.spots.size, n, `seed ${seed}`);
		assert.deepEqual(overlaps(l), [], `seed ${seed}`);
		assert.equal(l.wires.length, edges.length);
		for (const s of l.spots.values()) {
			assert.ok(s.x >= 0 && s.x + NODE_W <= l.width + 0.001, `seed ${seed}: ${s.id}`);
			assert.ok(s.y >= -0.001 && s.y + NODE_H <= l.height + 0.001, `seed ${seed}: ${s.id}`);
		}
	}
});

const MACHINE = {
	Name: 'buy',
	StartState: 'Take',
	States: {
		Take: { Type: 'ServiceTask', ServiceName: 'stock', ServiceMethod: 'take', CompensateState: 'Back', Next: 'Ok?' },
		'Ok?': { Type: 'Choice', Choices: [{ Expression: '[n] > 1', Next: 'Pay' }], Default: 'End' },
		Pay: { Type: 'ServiceTask', ServiceName: 'bank', Catch: [{ Exceptions: ['*'], Next: 'End' }], Next: 'End' },
		Back: { Type: 'ServiceTask', ServiceName: 'stock' },
		End: { Type: 'Succeed' },
	},
};

test('a state machine is a graph', () => {
	const g = graphOf(MACHINE)!;
	assert.deepEqual(g.nodes.filter((n) => n.start).map((n) => n.id), ['Take']);
	assert.equal(g.nodes.find((n) => n.id === 'Back')!.owner, 'Take');
	assert.equal(g.nodes.find((n) => n.id === 'Take')!.note, 'stock.take');
	assert.deepEqual(g.edges.filter((e) => e.from === 'Ok?').map((e) => [e.to, e.label]), [
		['Pay', '[n] > 1'], ['End', '*'],
	]);
	assert.equal(graphOf({ anything: 1 }), null);
	assert.equal(graphOf(null), null);
});

test('steps without "after" are a chain, with it a graph', () => {
	const g = graphOf({
		steps: [
			{ name: 'a', action: 'x' }, { name: 'b', action: 'y' },
			{ name: 'c', action: 'z', after: [] }, { name: 'd', action: 'w', after: ['b', 'c'] },
		],
	})!;
	assert.deepEqual(g.edges.map((e) => `${e.from}${e.to}`), ['ab', 'bd', 'cd']);
	assert.deepEqual(g.nodes.filter((n) => n.start).map((n) => n.id), ['a', 'c']);
});

const entry = (task: number, state: string, is: string, of?: number): PathEntry => ({
	task, state, is, of, machine: 'buy', attempts: 1,
});
const run = (path: PathEntry[]): Run => ({
	status: 'running', machine: 'buy', version: null, business_key: null,
	data: {}, error: null, message: null, path, calls: [],
});

test('a run colours what it entered and undid', () => {
	const r = run([entry(0, 'Take', 'done'), entry(1, 'Ok?', 'done'), entry(2, 'Pay', 'refused'), entry(3, 'Back', 'done', 0)]);
	const v = visits(r, 'buy');
	assert.equal(v.get('Take')!.state, 'undone');
	assert.equal(v.get('Pay')!.state, 'failed');
	assert.equal(v.get('Back')!.state, 'done');
	assert.equal(v.get('End'), undefined);
	const g = graphOf(MACHINE)!;
	assert.deepEqual([...taken(r, 'buy', g)].sort(), ['Ok?\nPay', 'Take\nOk?']);
	assert.deepEqual(graphOfPath(r.path).nodes.map((n) => n.id), ['Take', 'Ok?', 'Pay']);
});

test('a compensation that hangs shows at the step it undoes', () => {
	const v = visits(run([entry(0, 'Take', 'done'), entry(1, 'Take', 'hung', 0)]), 'buy');
	assert.equal(v.get('Take')!.state, 'hung');
});

test('lines of the history find their lane', () => {
	assert.deepEqual(laneOf('branch 7: PhaseTwo_Committed, attempt 1'), { kind: 'branch', branch: '7' });
	assert.deepEqual(laneOf('register branch 9007199254740993 TCC on x, 0 lock keys'), {
		kind: 'branch', branch: '9007199254740993',
	});
	assert.deepEqual(laneOf('task 3 "pay" attempt 1: call bank'), { kind: 'task', branch: '3' });
	assert.deepEqual(laneOf('commit decided, 1 branches'), { kind: 'transaction', branch: null });
	assert.equal(toneOf('branch 7: PhaseTwo_RollbackFailed_Unretryable, attempt 1'), 'bad');
	assert.equal(toneOf('branch 7: PhaseTwo_Committed, attempt 1'), 'good');
});

test('the timeline is to scale', () => {
	const at = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString();
	const t = timeline(
		[
			{ at: at(0), text: 'register branch 2 TCC on a' },
			{ at: at(250), text: 'commit decided, 1 branches' },
			{ at: at(251), text: 'commit goes on' },
			{ at: at(1000), text: 'branch 2: PhaseTwo_Committed, attempt 1' },
		],
		1_700_000_000_500,
	)!;
	assert.equal(t.end - t.start, 1000);
	assert.deepEqual(t.lanes.map((l) => [l.kind, l.marks.map((m) => [m.x, m.lines.length])]), [
		['transaction', [[0.25, 2]]], ['branch', [[0, 1], [1, 1]]],
	]);
	assert.equal(t.ticks[1].ms, 200);
	assert.equal(timeline([], 1), null);
	assert.equal(tickStep(8 * 3_600_000), 3_600_000);
	assert.equal(tickStep(30 * 86_400_000), 4 * 86_400_000);
});

const DIRTY = {
	dirty: 1,
	rows: [{
		table: 'public.wallet', key: { id: '1' }, seen: '9f', now: 'present',
		columns: [
			{ name: 'id', before: '1', after: '1', now: '1' },
			{ name: 'balance', before: '100', after: '70', now: '77' },
			{ name: 'note', before: null, after: null, now: null },
		],
	}],
};

test('a decision names the rows that were seen', () => {
	const d = differenceOf(DIRTY as never)!;
	assert.equal(keyText(d.rows[0]), 'id = 1');
	assert.deepEqual(resolution('use_undo', d, {}, 'why'), {
		resolution: 'use_undo', reason: 'why',
		rows: [{ table: 'public.wallet', key: { id: '1' }, seen: '9f' }],
	});
	assert.deepEqual(
		resolution('values', d, { 0: { balance: { text: '107', isNull: false }, note: { text: '', isNull: true } } }, 'why'),
		{
			resolution: 'values', reason: 'why',
			values: { rows: [{ table: 'public.wallet', key: { id: '1' }, seen: '9f', choice: 'values', values: { balance: '107' } }] },
		},
	);
	assert.equal(differenceOf({ rows: [] } as never), null);
	assert.equal(differenceOf('text'), null);
	assert.equal(valueText({ type: 'time', text: '12:00' } as never), '(time) 12:00');
	assert.equal(valueText(null), 'NULL');
});
