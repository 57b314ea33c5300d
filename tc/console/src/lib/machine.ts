/*
 * What a definition draws: nodes and edges of a graph of steps or of a state
 * machine, and what a run has done to each of them. Pure.
 */
import type { Json } from './json';
import type { EdgeIn, NodeIn } from './layered';
import type { PathEntry, Run } from './types';

export interface GraphNode extends NodeIn {
	label: string;
	type: string; /* "step", or the type of a state */
	note: string; /* the service */
	start: boolean;
}

export interface GraphEdge extends EdgeIn {
	kind: 'next' | 'choice' | 'catch' | 'compensate';
	label: string;
}

export interface Graph {
	nodes: GraphNode[];
	edges: GraphEdge[];
}

type Obj = { [name: string]: Json };

function isObject(value: Json | undefined): value is Obj {
	return typeof value === 'object' && value !== null && !Array.isArray(value) &&
		Object.getPrototypeOf(value) === Object.prototype;
}

function text(value: Json | undefined): string {
	return typeof value === 'string' ? value : '';
}

function list(value: Json | undefined): Json[] {
	return Array.isArray(value) ? value : [];
}

/* NULL: it is neither of the two. */
export function graphOf(document: Json | undefined): Graph | null {
	if (!isObject(document)) return null;
	if (Array.isArray(document.steps)) return ofSteps(document.steps.filter(isObject));
	if (isObject(document.States)) return ofStates(document.States, text(document.StartState));
	return null;
}

function ofSteps(steps: Obj[]): Graph {
	const nodes: GraphNode[] = [];
	const edges: GraphEdge[] = [];
	let above = '';
	for (const step of steps) {
		const id = text(step.name);
		const after = Array.isArray(step.after)
			? step.after.map((a) => text(a))
			: above ? [above] : [];
		nodes.push({
			id,
			label: id,
			type: 'step',
			note: text(step.action) + (step.compensation ? ` ↩ ${text(step.compensation)}` : ''),
			start: after.length === 0,
		});
		for (const from of after) edges.push({ from, to: id, kind: 'next', label: '' });
		above = id;
	}
	return { nodes, edges };
}

function noteOf(state: Obj): string {
	if (state.StateMachineName) return text(state.StateMachineName);
	const service = text(state.ServiceName);
	const method = text(state.ServiceMethod);
	return service && method ? `${service}.${method}` : service || method;
}

function ofStates(states: Obj, start: string): Graph {
	const nodes: GraphNode[] = [];
	const edges: GraphEdge[] = [];
	const owner = new Map<string, string>();
	const entered = new Set<string>([start]);
	const edge = (from: string, to: Json | undefined, kind: GraphEdge['kind'], label = '') => {
		if (text(to) in states) edges.push({ from, to: text(to), kind, label });
		if (kind !== 'compensate') entered.add(text(to));
	};
	for (const [id, state] of Object.entries(states)) {
		if (!isObject(state)) continue;
		for (const choice of list(state.Choices).filter(isObject))
			edge(id, choice.Next, 'choice', text(choice.Expression));
		edge(id, state.Default, 'choice', '*');
		edge(id, state.Next, 'next');
		for (const caught of list(state.Catch).filter(isObject))
			edge(id, caught.Next, 'catch', list(caught.Exceptions).map(text).join(', '));
		edge(id, state.CompensateState, 'compensate');
	}
	for (const e of edges)
		if (e.kind === 'compensate' && !owner.has(e.to) && !entered.has(e.to)) owner.set(e.to, e.from);
	for (const [id, state] of Object.entries(states)) {
		if (!isObject(state)) continue;
		nodes.push({
			id,
			label: id,
			type: text(state.Type),
			note: noteOf(state),
			start: id === start,
			owner: owner.get(id),
		});
	}
	return { nodes, edges };
}

/* Without its definition, a run still shows what it entered, in order. */
export function graphOfPath(path: PathEntry[]): Graph {
	const nodes: GraphNode[] = [];
	const edges: GraphEdge[] = [];
	let last = '';
	for (const entry of path) {
		if (entry.of !== undefined) continue;
		if (!nodes.some((n) => n.id === entry.state))
			nodes.push({
				id: entry.state,
				label: entry.state,
				type: '',
				note: '',
				start: last === '',
			});
		if (last && last !== entry.state && !edges.some((e) => e.from === last && e.to === entry.state))
			edges.push({ from: last, to: entry.state, kind: 'next', label: '' });
		last = entry.state;
	}
	return { nodes, edges };
}

export type NodeState = 'none' | 'active' | 'done' | 'undone' | 'failed' | 'hung' | 'unknown' | 'skipped';

export interface Visit {
	state: NodeState;
	times: number; /* entered so often */
	attempts: number;
	error: string;
}

function stateOf(entry: PathEntry): NodeState {
	switch (entry.is) {
		case 'done':
			return 'done';
		case 'hung':
			return 'hung';
		case 'refused':
			return 'failed';
		case 'unknown':
			return 'unknown';
		case 'skipped':
			return 'skipped';
		case 'dropped':
			return 'none';
		default:
			return 'active';
	}
}

/* What each state of the machine `name` has come to in this run. */
export function visits(run: Run, name: string): Map<string, Visit> {
	const found = new Map<string, Visit>();
	const stateOfTask = new Map<number, string>();
	for (const entry of run.path) {
		if (entry.machine !== name) continue;
		const visit: Visit = {
			state: stateOf(entry),
			times: (found.get(entry.state)?.times ?? 0) + 1,
			attempts: entry.attempts,
			error: [entry.error, entry.message].filter(Boolean).join(': '),
		};
		const undoes = entry.of === undefined ? undefined : stateOfTask.get(entry.of);
		if (undoes !== entry.state) found.set(entry.state, visit);
		if (entry.of === undefined) stateOfTask.set(entry.task, entry.state);
		const owner = undoes === undefined ? undefined : found.get(undoes);
		if (!owner) continue;
		if (visit.state === 'done' || visit.state === 'skipped') owner.state = 'undone';
		else if (visit.state !== 'none') owner.state = visit.state;
		owner.error = visit.error || owner.error;
	}
	return found;
}

/* Which edges the run has taken. A state machine goes from one state to the next;
 * a step of a graph is entered when all that it waits for is done. */
export function taken(run: Run, name: string, graph: Graph): Set<string> {
	const out = new Set<string>();
	const entered = run.path.filter((e) => e.machine === name && e.of === undefined).map((e) => e.state);
	const steps = graph.nodes.some((n) => n.type === 'step');
	const isStep = (from: string, to: string) =>
		steps
			? entered.includes(from) && entered.includes(to)
			: entered.some((state, i) => state === from && entered[i + 1] === to);
	for (const e of graph.edges)
		if (e.kind !== 'compensate' && isStep(e.from, e.to)) out.add(`${e.from}\n${e.to}`);
	return out;
}
