/*
 * A small layered layout of a directed graph, left to right: cycles are cut,
 * nodes stand in layers by their longest way from a start, long edges pass
 * through empty places, and the order in each layer is swept for fewer
 * crossings. A satellite (a compensation) stands below its owner. Pure.
 */

export interface NodeIn {
	id: string;
	owner?: string; /* a satellite of this node */
}

export interface EdgeIn {
	from: string;
	to: string;
}

export interface Spot {
	id: string;
	x: number;
	y: number;
}

export interface Wire {
	from: string;
	to: string;
	back: boolean; /* against the direction: a loop */
	points: [number, number][];
}

export interface Layout {
	width: number;
	height: number;
	spots: Map<string, Spot>;
	wires: Wire[]; /* in the order of the edges; those of unknown nodes are left out */
}

export const NODE_W = 168;
export const NODE_H = 46;
const GAP_X = 64;
const GAP_Y = 26;

interface Cell {
	id: string;
	layer: number;
	real: boolean;
	rows: number; /* itself and its satellites */
	before: Cell[];
	after: Cell[];
	at: number;
}

/* Which edges go back, found by depth first. */
function backEdges(ids: string[], out: Map<string, string[]>): Set<string> {
	const state = new Map<string, 'open' | 'done'>();
	const back = new Set<string>();
	for (const root of ids) {
		if (state.has(root)) continue;
		const stack: [string, number][] = [[root, 0]];
		state.set(root, 'open');
		while (stack.length > 0) {
			const top = stack[stack.length - 1];
			const next = (out.get(top[0]) ?? [])[top[1]++];
			if (next === undefined) {
				state.set(top[0], 'done');
				stack.pop();
			} else if (state.get(next) === 'open') back.add(`${top[0]}\n${next}`);
			else if (!state.has(next)) {
				state.set(next, 'open');
				stack.push([next, 0]);
			}
		}
	}
	return back;
}

function longestPaths(ids: string[], edges: EdgeIn[]): Map<string, number> {
	const layer = new Map(ids.map((id) => [id, 0]));
	const out = new Map<string, string[]>();
	const open = new Map(ids.map((id) => [id, 0]));
	for (const e of edges) {
		out.set(e.from, [...(out.get(e.from) ?? []), e.to]);
		open.set(e.to, open.get(e.to)! + 1);
	}
	const ready = ids.filter((id) => open.get(id) === 0);
	while (ready.length > 0) {
		const id = ready.shift()!;
		for (const to of out.get(id) ?? []) {
			layer.set(to, Math.max(layer.get(to)!, layer.get(id)! + 1));
			open.set(to, open.get(to)! - 1);
			if (open.get(to) === 0) ready.push(to);
		}
	}
	return layer;
}

function mean(cells: Cell[], fallback: number): number {
	if (cells.length === 0) return fallback;
	return cells.reduce((sum, c) => sum + c.at, 0) / cells.length;
}

function place(column: Cell[]): void {
	let at = 0;
	for (const c of column) {
		c.at = at;
		at += c.rows;
	}
}

function sweep(columns: Cell[][]): void {
	columns.forEach(place);
	for (let round = 0; round < 8; round++) {
		const forward = round % 2 === 0;
		for (const column of forward ? columns : [...columns].reverse()) {
			const wish = new Map(
				column.map((c) => [c, mean(forward ? c.before : c.after, c.at)]),
			);
			column.sort((a, b) => wish.get(a)! - wish.get(b)!);
			place(column);
		}
	}
}

/* Draw each column towards its neighbours, without changing the order. */
function relax(columns: Cell[][]): void {
	for (let round = 0; round < 8; round++) {
		for (const column of columns) {
			const wish = column.map((c) => mean([...c.before, ...c.after], c.at));
			let least = -Infinity;
			column.forEach((c, i) => {
				c.at = Math.max(least, wish[i]);
				least = c.at + c.rows;
			});
			const pushed = column.reduce((sum, c, i) => sum + c.at - wish[i], 0);
			for (const c of column) c.at -= pushed / column.length;
		}
	}
}

export function layout(nodes: NodeIn[], edges: EdgeIn[]): Layout {
	const known = new Map(nodes.map((n) => [n.id, n]));
	const main = nodes.filter((n) => !n.owner || !known.has(n.owner));
	const satellites = new Map<string, string[]>();
	for (const n of nodes)
		if (n.owner && known.has(n.owner))
			satellites.set(n.owner, [...(satellites.get(n.owner) ?? []), n.id]);
	const ids = main.map((n) => n.id);
	const isMain = new Set(ids);
	const inner = edges.filter((e) => isMain.has(e.from) && isMain.has(e.to) && e.from !== e.to);
	const out = new Map<string, string[]>();
	for (const e of inner) out.set(e.from, [...(out.get(e.from) ?? []), e.to]);
	const back = backEdges(ids, out);
	const isBack = (e: EdgeIn) => back.has(`${e.from}\n${e.to}`);
	const forward = inner.filter((e) => !isBack(e));
	const layer = longestPaths(ids, forward);

	const columns: Cell[][] = [];
	const cells = new Map<string, Cell>();
	const add = (id: string, at: number, real: boolean): Cell => {
		const rows = 1 + (real ? (satellites.get(id)?.length ?? 0) : 0);
		const cell: Cell = { id, layer: at, real, rows, before: [], after: [], at: 0 };
		(columns[at] ??= []).push(cell);
		return cell;
	};
	for (const id of ids) cells.set(id, add(id, layer.get(id)!, true));
	const joints = new Map<EdgeIn, Cell[]>();
	for (const e of forward) {
		const chain = [cells.get(e.from)!];
		for (let at = chain[0].layer + 1; at < layer.get(e.to)!; at++)
			chain.push(add(`${e.from}\n${e.to}\n${at}`, at, false));
		chain.push(cells.get(e.to)!);
		for (let i = 1; i < chain.length; i++) {
			chain[i - 1].after.push(chain[i]);
			chain[i].before.push(chain[i - 1]);
		}
		joints.set(e, chain);
	}
	sweep(columns);
	relax(columns);

	let least = 0;
	let most = 0;
	for (const c of columns.flat()) {
		least = Math.min(least, c.at);
		most = Math.max(most, c.at + c.rows);
	}
	const X = (c: Cell) => c.layer * (NODE_W + GAP_X);
	const Y = (c: Cell) => (c.at - least) * (NODE_H + GAP_Y);
	const spots = new Map<string, Spot>();
	for (const [id, c] of cells) {
		spots.set(id, { id, x: X(c), y: Y(c) });
		(satellites.get(id) ?? []).forEach((s, i) =>
			spots.set(s, { id: s, x: X(c), y: Y(c) + (i + 1) * (NODE_H + GAP_Y) }),
		);
	}
	const loops = inner.some(isBack) || edges.some((e) => e.from === e.to && known.has(e.from));
	const top = loops ? NODE_H : 0;
	for (const s of spots.values()) s.y += top;
	const wires: Wire[] = [];
	for (const e of edges) {
		const a = spots.get(e.from);
		const b = spots.get(e.to);
		if (!a || !b) continue;
		wires.push({
			from: e.from,
			to: e.to,
			back: isBack(e) || e.from === e.to,
			points: pointsOf(a, b, (joints.get(e) ?? []).slice(1, -1).map((c) => [X(c), Y(c) + top])),
		});
	}
	return {
		width: Math.max(1, columns.length) * (NODE_W + GAP_X) - GAP_X,
		height: (most - least) * (NODE_H + GAP_Y) - GAP_Y + top,
		spots,
		wires,
	};
}

function pointsOf(a: Spot, b: Spot, through: [number, number][]): [number, number][] {
	if (b.x === a.x && b.y > a.y)
		return [
			[a.x + NODE_W / 2, a.y + NODE_H],
			[b.x + NODE_W / 2, b.y],
		];
	if (b.x <= a.x)
		return [
			[a.x + NODE_W / 2, a.y],
			[a.x + NODE_W / 2, Math.min(a.y, b.y) - NODE_H * 0.6],
			[b.x + NODE_W / 2, Math.min(a.y, b.y) - NODE_H * 0.6],
			[b.x + NODE_W / 2, b.y],
		];
	const middle: [number, number][] = through.flatMap(([x, y]): [number, number][] => [
		[x, y + NODE_H / 2],
		[x + NODE_W, y + NODE_H / 2],
	]);
	return [[a.x + NODE_W, a.y + NODE_H / 2], ...middle, [b.x, b.y + NODE_H / 2]];
}

/* As the "d" of an SVG path: curves between columns, lines along them. */
export function curve(wire: Wire): string {
	const [first, ...rest] = wire.points;
	let d = `M${first[0]},${first[1]}`;
	let [px, py] = first;
	for (const [x, y] of rest) {
		if (wire.back || y === py || x === px) d += `L${x},${y}`;
		else d += `C${(px + x) / 2},${py} ${(px + x) / 2},${y} ${x},${y}`;
		[px, py] = [x, y];
	}
	return d;
}
