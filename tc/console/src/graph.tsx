/* A graph as SVG; what a run has done is in its colours, and in words below. */
import { t, word, type Key } from './i18n';
import { curve, layout, NODE_H, NODE_W } from './lib/layered';
import type { Graph, Visit } from './lib/machine';

const PAD = 16;

function cut(text: string, most: number): string {
	return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export function GraphView({ graph, visits, taken, label }: {
	graph: Graph;
	visits?: Map<string, Visit>;
	taken?: Set<string>;
	label: string;
}) {
	const lay = layout(graph.nodes, graph.edges);
	const edges = graph.edges.filter((e) => lay.spots.has(e.from) && lay.spots.has(e.to));
	const width = lay.width + 2 * PAD;
	const height = lay.height + 2 * PAD;
	return (
		<div class="graph" role="region" aria-label={label} tabIndex={0}>
			<svg
				width={width}
				height={height}
				viewBox={`${-PAD} ${-PAD} ${width} ${height}`}
				role="img"
				aria-label={t('graph.label', { n: graph.nodes.length })}
			>
				<defs>
					{['plain', 'taken'].map((kind) => (
						<marker
							id={`arrow-${kind}`}
							class={`arrow ${kind}`}
							viewBox="0 0 10 10"
							refX="9"
							refY="5"
							markerWidth="7"
							markerHeight="7"
							orient="auto-start-reverse"
						>
							<path d="M0,0L10,5L0,10z" />
						</marker>
					))}
				</defs>
				{lay.wires.map((wire, i) => {
					const is = taken?.has(`${wire.from}\n${wire.to}`) ? 'taken' : 'plain';
					const edge = edges[i];
					const [ax, ay] = wire.points[0];
					const [bx, by] = wire.points[wire.points.length - 1];
					return (
						<g class={`edge ${edge.kind} ${is}`}>
							<title>
								{edge.from} → {edge.to}
								{edge.label && ` (${edge.label})`}
							</title>
							<path d={curve(wire)} marker-end={`url(#arrow-${is})`} />
							{edge.label && (
								<text x={(ax + bx) / 2} y={(ay + by) / 2 - 5} text-anchor="middle">
									{cut(edge.label, 14)}
								</text>
							)}
						</g>
					);
				})}
				{graph.nodes.map((node) => {
					const spot = lay.spots.get(node.id)!;
					const visit = visits?.get(node.id);
					const state = visit?.state ?? 'none';
					return (
						<g
							class={`node ${state} ${node.type} ${node.start ? 'start' : ''}`}
							transform={`translate(${spot.x},${spot.y})`}
						>
							<title>
								{node.label}
								{node.type && ` · ${node.type}`}
								{node.note && ` · ${node.note}`}
								{visit && ` · ${t(`node.${visit.state}` as Key)}`}
								{visit?.error && ` · ${visit.error}`}
							</title>
							<rect width={NODE_W} height={NODE_H} rx={node.type === 'Choice' ? 22 : 7} />
							<text class="name" x={NODE_W / 2} y={node.note || visit ? 19 : 28} text-anchor="middle">
								{cut(node.label, 20)}
							</text>
							{(visit || node.note) && (
								<text class="note" x={NODE_W / 2} y={36} text-anchor="middle">
									{visit
										? t(`node.${visit.state}` as Key) +
											(visit.attempts > 1 ? ` · ${t('attempts.n', { n: visit.attempts })}` : '')
										: cut(node.note, 26)}
								</text>
							)}
						</g>
					);
				})}
			</svg>
			{!visits && graph.nodes.some((n) => n.type !== 'step') && (
				<p class="legend quiet">{t('graph.legend', { choice: word('edge', 'choice'), undo: word('edge', 'compensate') })}</p>
			)}
		</div>
	);
}
